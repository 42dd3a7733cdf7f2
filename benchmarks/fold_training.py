"""All folds of K-EmoCon trained together: what they cost in trainings of one fold.

    python -m benchmarks.fold_training [--quick]

The LSTM of the lecture with 32 numbers of state on random windows of K-EmoCon's size: 21 subjects,
2,500 windows of 5 × 64 in all, batches of 32, 10 epochs; each fold leaves one subject out. What 21
folds take is set beside one fold trained by the same program, which is the harder comparison, and
beside one fold trained by Keras's `model.fit`. All take turns: each time traced anew, as the first
call of a run is, and again with everything traced before.

The promises: 21 folds cost at most 8 times one fold of the same program, also when the seconds of
tracing, which they share, are left out; and what a fold predicts differs from the fold trained
alone by at most 0.001.
"""

import dataclasses
import os
from collections.abc import Callable

BAR = 8.0  # trainings of one fold
DIFFERENCE = 1e-3  # of a probability


@dataclasses.dataclass(frozen=True)
class Config:
    subjects: int = 21  # as in K-EmoCon
    windows: int = 2500  # of all subjects, about as many as K-EmoCon's annotations leave
    seconds: int = 5  # of a window, as in the lecture
    rate: int = 64  # Hz, as in the lecture
    hidden_size: int = 32  # of the LSTM
    batch_size: int = 32  # windows of a step, of each fold
    epochs: int = 10  # of each training
    learning_rate: float = 1e-3  # Adam's
    repetitions: int = 9  # alternating
    cores: int = 2  # threads of each
    quick: bool = False  # 3 subjects, 1 repetition: shows that it runs, measures nothing


def make_data(config: Config):
    """Return windows, labels and a job per subject; subjects differ in size, classes too."""
    import numpy as np

    from affectkeras.fold_training import FoldJob

    generator = np.random.default_rng(0)
    shares = generator.uniform(0.6, 1.4, config.subjects)
    subjects = generator.choice(config.subjects, config.windows, p=shares / shares.sum())
    labels = (generator.uniform(size=config.windows) < 0.3).astype(np.int64)
    shape = (config.windows, config.seconds, config.rate)
    windows = generator.normal(0, 1, shape) + 0.3 * labels[:, None, None]
    jobs = [
        FoldJob(np.flatnonzero(subjects != one), np.flatnonzero(subjects == one), f"subject {one}")
        for one in range(config.subjects)
    ]
    return windows.astype(np.float32), labels, jobs


def make_contestants(config: Config) -> tuple[dict[str, dict[str, Callable]], Callable]:
    """Return what takes turns, traced anew and traced before, and what finds the difference."""
    import keras
    import numpy as np

    from affectkeras.fold_training import FoldPlan, train_folds
    from affectkeras.fold_training.program import forget_programs
    from affectkeras.models.bvp_lstm import build_bvp_lstm

    windows, labels, jobs = make_data(config)
    keras.utils.set_random_seed(0)
    model = build_bvp_lstm(config.seconds, rate=config.rate, hidden_size=config.hidden_size)
    plan = FoldPlan(config.epochs, config.batch_size, config.learning_rate)
    rows = jobs[0].train

    def train(chosen):
        return train_folds(model, windows, labels, chosen, plan)

    def compile_copy():
        copy = keras.models.clone_model(model)
        copy.get_layer("normalization").adapt(windows[rows])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        copy.compile(keras.optimizers.Adam(config.learning_rate), loss, metrics=["accuracy"])
        return copy

    def fit(copy):
        copy.fit(
            windows[rows],
            labels[rows],
            batch_size=config.batch_size,
            epochs=config.epochs,
            class_weight={0: 0.7, 1: 1.7},
            verbose=0,
        )
        copy.predict(windows[jobs[0].predict], verbose=0)

    def anew(chosen):
        forget_programs()
        train(chosen)

    def differ():
        together = train(jobs)
        alone = [train([job])[0] for job in jobs]
        return max(
            float(np.abs(one.probabilities - other.probabilities).max())
            for one, other in zip(together, alone, strict=True)
        )

    copy = compile_copy()
    return {
        "traced anew": {
            "folds": lambda: anew(jobs),
            "one fold": lambda: anew(jobs[:1]),
            "model.fit": lambda: fit(compile_copy()),
        },
        "traced before": {
            "folds": lambda: train(jobs),
            "one fold": lambda: train(jobs[:1]),
            "model.fit": lambda: fit(copy),
        },
    }, differ


def measure(config: Config) -> dict:
    """Return seconds of every contestant, and the largest difference of a probability."""
    import tensorflow as tf

    from benchmarks.side_by_side import measure_alternately

    tf.config.threading.set_intra_op_parallelism_threads(config.cores)
    tf.config.threading.set_inter_op_parallelism_threads(config.cores)
    contestants, differ = make_contestants(config)
    # It also traces what is traced before.
    found = {"difference": differ()}
    for way in ("traced before", "traced anew"):
        for run in contestants[way].values():
            run()
        found[way] = measure_alternately(contestants[way], config.repetitions)
    return found


def cases_of(config: Config, measured: dict) -> list[dict]:
    """Return one case for each promise, and one beside Keras's `model.fit`."""
    cases = []
    for peer, bar in (("one fold", BAR), ("model.fit", None)):
        for way in ("traced anew", "traced before"):
            medians = measured[way]["medians"]
            ratio = measured[way]["ratios"][peer]
            name = "one by the same program" if peer == "one fold" else "one by model.fit"
            cases.append(
                {
                    "case": f"s, {config.subjects} folds of the LSTM, and {name}; {way}",
                    "ours": medians["folds"],
                    "peer": medians[peer],
                    "ratio": ratio,
                    "bar": bar,
                    "passed": None if bar is None else ratio <= bar,
                }
            )
    difference = measured["difference"]
    cases.append(
        {
            "case": "largest difference of a probability from the fold trained alone",
            "ours": difference,
            "bar": DIFFERENCE,
            "passed": difference <= DIFFERENCE,
        }
    )
    return cases


def main(config: Config) -> dict:
    """Measure, write `benchmarks/results/fold_training.json` (not when quick), return it."""
    from affectkeras.quiet import start_tensorflow
    from benchmarks.keeping import keep_result

    start_tensorflow()
    if config.quick:
        config = dataclasses.replace(config, subjects=3, windows=200, epochs=2, repetitions=1)
    load_before = os.getloadavg()[0]
    measured = measure(config)
    found = {
        "cases": cases_of(config, measured),
        "figures": {way: one["figures"] for way, one in measured.items() if way != "difference"},
    }
    result = keep_result("fold_training", config, found, load_before=load_before)
    for case in result["cases"]:
        peer = f", {case['peer']:.2f}: {case['ratio']:.2f} times" if "peer" in case else ""
        bar = "no bar" if case["bar"] is None else f"bar {case['bar']}, {case['passed']}"
        print(f"{case['case']}: {case['ours']:.3g}{peer} ({bar})")
    return result


if __name__ == "__main__":
    import tyro

    main(tyro.cli(Config, description=__doc__))
