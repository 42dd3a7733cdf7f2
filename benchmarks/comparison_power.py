"""How often the comparison of two arms sees a difference: where there is none, and where there is.

    python -m benchmarks.comparison_power [--quick]

Every repetition draws new data in groups of rows that resemble each other, as frames of a film do,
and trains six models with six seeds. Three seeds are arm "none", the three others of the same
training are arm "treatment": whatever is found is a false alarm. The promise: at most 18 in 200
repetitions at the 5 % level (19 or more would happen to a right test once in 200 times). Then
"treatment" gets 5 points more accuracy on 2,000 test rows, by setting drawn wrong predictions
right; the promise: found in at least 80 % of repetitions. It is also measured, without a promise,
with the gain in whole groups: the fewer groups it comes from, the less 2,000 rows are worth.

With one seed in each arm the question is another: do these two trained models differ? Two seeds'
models truly differ a little, so that alarms beyond 5 % need not be false; the bar is the same.
It is also measured how often the interval holds the two models' true difference, known from 20,000
further rows: at least 182 times in 200.

The models are logistic regressions, and small networks, whose seeds differ more. Peers: McNemar's
test by rows (with 3 seeds: of all rows and seeds), and percentiles of the bootstrap, on the same
predictions.
"""

import dataclasses
import os
import warnings

import numpy as np

FALSE_ALARMS = 18 / 200  # the bar
POWER = 0.8  # the bar
ALPHA = 0.05
CLASSES, FEATURES, ROWS_PER_GROUP = 3, 6, 10
SEEDS_PER_ARM = 3
MODELS = ("logistic regression", "small network")


@dataclasses.dataclass(frozen=True)
class Config:
    repetitions: int = 200  # data drawn and models trained anew
    train_groups: int = 60  # of 10 rows each
    test_groups: int = 40  # of 10 rows each, where there is no difference
    planted_groups: int = 200  # of 10 rows each, where there is one
    planted: float = 0.05  # difference of accuracies
    quick: bool = False  # 5 repetitions: shows that it runs, measures nothing


def draw_rows(generator, groups: int, rows_per_group: int = ROWS_PER_GROUP):
    """Return features `(rows, 6)`, classes `(rows,)` and groups `(rows,)`.

    A group has one class, and a place of its own from which its rows stray little.
    """
    classes = generator.integers(CLASSES, size=groups)
    places = generator.normal(0, 1.0, (groups, FEATURES)) + 1.4 * np.eye(CLASSES, FEATURES)[classes]
    code = np.repeat(np.arange(groups), rows_per_group)
    features = places[code] + generator.normal(0, 0.5, (len(code), FEATURES))
    return features, classes[code], code


def train_models(kind: str, features: np.ndarray, classes: np.ndarray, seeds) -> list:
    """Return a model per seed; seeds set the order of rows, and a network's initial weights."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import SGDClassifier
    from sklearn.neural_network import MLPClassifier

    makers = {
        "logistic regression": lambda seed: SGDClassifier(
            "log_loss", max_iter=5, tol=None, learning_rate="constant", eta0=0.02, random_state=seed
        ),
        "small network": lambda seed: MLPClassifier(
            (8,), batch_size=50, max_iter=15, learning_rate_init=0.02, random_state=seed
        ),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 15 epochs are what is wanted
        return [makers[kind](seed).fit(features, classes) for seed in seeds]


def plant(predicted, true, groups, share: float, generator, *, by: str) -> np.ndarray:
    """Set wrong predictions `(seeds, rows)` right with a probability, by "row" or whole "group"."""
    if by == "row":
        chosen = generator.random(predicted.shape) < share
    else:
        chosen = (generator.random(groups.max() + 1) < share)[groups]
    return np.where(chosen, true, predicted)


def judge(true, groups, predicted: np.ndarray, repetitions: int = 1000) -> dict:
    """Compare the first half of seeds with the second.

    Args:
        predicted: `(seeds, rows)` class indices.

    Returns:
        `found`: method → whether it finds a difference of accuracies; `single`: our `Comparison` of
        one seed with one.
    """
    from affectkeras.evaluation.comparison import ArmPredictions, compare_arms

    half = len(predicted) // 2
    first, second = predicted[:half], predicted[half:]

    def compare(number, first_seed):
        arms = [
            ArmPredictions("none", tuple(range(number)), first[:number]),
            ArmPredictions(
                "treatment", tuple(range(first_seed, first_seed + number)), second[:number]
            ),
        ]
        return compare_arms(true, groups, CLASSES, arms, repetitions=repetitions)[0]

    single = compare(1, 0)
    compared = {
        "1 seed": single,
        f"{half} paired seeds": compare(half, 0),
        f"{half} other seeds": compare(half, half),
    }
    found = {
        f"ours, {name}, {metric}": difference.p_value < ALPHA
        for name, one in compared.items()
        for metric, difference in one.differences.items()
    }
    found["McNemar by rows, 1 seed"] = single.mcnemar.p_value < ALPHA
    found |= judge_by_peers(true, groups, first, second, repetitions)
    return {"found": found, "single": single}


def judge_by_peers(true, groups, first, second, repetitions: int) -> dict[str, bool]:
    """Return whether tests that are not ours find a difference of accuracies."""
    from affectkeras.evaluation.intervals import resampled_sums
    from affectkeras.evaluation.paired_tests import mcnemar_exact

    seeds = len(first)
    pooled = mcnemar_exact((first == true).ravel(), (second == true).ravel())
    found = {f"McNemar by rows, {seeds} seeds": pooled.p_value < ALPHA}
    values = (second == true).astype(float) - (first == true)
    totals = np.zeros((groups.max() + 1, seeds))
    np.add.at(totals, groups, values.T)
    generator = np.random.default_rng(0)
    drawn = np.concatenate(list(resampled_sums(totals, repetitions, generator)))
    times = generator.multinomial(seeds, np.full(seeds, 1 / seeds), repetitions)
    for name, sums in (
        ("percentiles by group, 1 seed", drawn[:, 0]),
        (f"percentiles by group, {seeds} seeds", drawn.mean(axis=1)),
        (f"percentiles by seed and group, {seeds} seeds", (drawn * times).sum(axis=1)),
    ):
        low, high = np.quantile(sums, [ALPHA / 2, 1 - ALPHA / 2])
        found[name] = not low <= 0 <= high
    return found


def repeat(
    kind: str,
    repetitions: int,
    train_groups: int,
    test_groups: int,
    planted: float = 0.0,
    *,
    by: str = "row",
) -> dict:
    """Draw, train and compare again and again.

    Returns:
        `found`: method → share of repetitions that found a difference; `covered`: how often the
        interval of one seed held the two models' true difference (None with planting); means of
        `design_effect`, `discordance` and `accuracy`, and `seed_sd`, the deviation of true
        accuracies between seeds.
    """
    notes = []
    for repetition in range(repetitions):
        generator = np.random.default_rng((7, repetition))
        seeds = 100 * repetition + np.arange(2 * SEEDS_PER_ARM)
        models = train_models(kind, *draw_rows(generator, train_groups)[:2], seeds)
        features, true, groups = draw_rows(generator, test_groups)
        predicted = np.stack([model.predict(features) for model in models])
        # Independent further rows, one per group, tell what the models are truly worth.
        further, further_true, _ = draw_rows(generator, 20_000, 1)
        worth = np.array([np.mean(model.predict(further) == further_true) for model in models])
        if planted:
            treated = predicted[SEEDS_PER_ARM:]
            share = planted / (1 - worth[SEEDS_PER_ARM:].mean())
            predicted[SEEDS_PER_ARM:] = plant(treated, true, groups, share, generator, by=by)
        judged = judge(true, groups, predicted)
        accuracy = judged["single"].differences["accuracy"]
        notes.append(
            {
                **judged["found"],
                "covered": accuracy.low <= worth[SEEDS_PER_ARM] - worth[0] <= accuracy.high,
                "design_effect": judged["single"].design_effect,
                "discordance": judged["single"].discordance,
                "accuracy": worth.mean(),
                "seed_variance": worth.var(ddof=1),
            }
        )
    means = {name: float(np.nanmean([one[name] for one in notes])) for name in notes[0]}
    found = {name: means.pop(name) for name in judged["found"]}
    means["seed_sd"] = means.pop("seed_variance") ** 0.5
    if planted:
        means["covered"] = None
    return {"found": found, **means}


def cases_of(kind: str, null: dict, planted: dict, in_groups: dict) -> list[dict]:
    """Return the promises about one kind of model, each with its bar and whether it is kept."""
    seeds = f"{SEEDS_PER_ARM} paired seeds"
    single, naive = "McNemar by rows, 1 seed", f"McNemar by rows, {SEEDS_PER_ARM} seeds"
    rows = [
        ("false alarms", seeds, null, naive, FALSE_ALARMS),
        ("alarms, true or false", "1 seed", null, single, FALSE_ALARMS),
        ("finds 5 points", "1 seed", planted, single, POWER),
        ("finds 5 points", seeds, planted, naive, POWER),
        ("finds 5 points in whole groups", "1 seed", in_groups, single, None),
        ("finds 5 points in whole groups", seeds, in_groups, naive, None),
    ]
    cases = []
    for what, name, measured, peer, bar in rows:
        ours = measured["found"][f"ours, {name}, accuracy"]
        passed = None
        if bar is not None:
            passed = ours <= bar if measured is null else ours >= bar
        cases.append(
            {
                "case": f"{kind}: {what}, {name} an arm",
                "ours": ours,
                "peer": measured["found"][peer],
                "bar": bar,
                "passed": passed,
            }
        )
    cases.append(
        {
            "case": f"{kind}: interval holds two models' true difference, 1 seed an arm",
            "ours": null["covered"],
            "bar": 1 - FALSE_ALARMS,
            "passed": null["covered"] >= 1 - FALSE_ALARMS,
        }
    )
    return cases


def main(config: Config) -> dict:
    """Measure, write `benchmarks/results/comparison_power.json` (not when quick), return it."""
    from benchmarks.keeping import keep_result

    if config.quick:
        config = dataclasses.replace(config, repetitions=5)
    load_before = os.getloadavg()[0]
    cases, figures = [], {}
    for kind in MODELS:
        sizes = (config.repetitions, config.train_groups)
        null = repeat(kind, *sizes, config.test_groups)
        planted, in_groups = (
            repeat(kind, *sizes, config.planted_groups, config.planted, by=by)
            for by in ("row", "group")
        )
        figures[kind] = {
            "no difference": null,
            "planted by row": planted,
            "planted by group": in_groups,
        }
        cases += cases_of(kind, null, planted, in_groups)
    found = {
        "cases": cases,
        "passed": all(case["passed"] is not False for case in cases),
        "figures": figures,
    }
    result = keep_result("comparison_power", config, found, load_before=load_before)
    for case in cases:
        promise = "no bar" if case["bar"] is None else f"bar {case['bar']:.2f}, {case['passed']}"
        print(f"{case['case']}: {case['ours']:.3f} ({promise})")
    return result


if __name__ == "__main__":
    import tyro

    main(tyro.cli(Config, description=__doc__))
