"""What a recipe that joins several networks does beside training them."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from affectkeras import records, runs
from affectkeras.datasets.table import ExampleTable
from affectkeras.ensemble_settings import backbone_members, member_names
from affectkeras.errors import UserError
from affectkeras.evaluation.ensemble_weights import (
    RULES,
    Average,
    Combination,
    Stack,
    demand_groups,
    fit_rule,
    predict_left_out,
)
from affectkeras.evaluation.splits import Split
from affectkeras.faces import row_units, target_distribution
from affectkeras.finished_members import (
    FinishedMember,
    check_predictions,
    check_rows,
    read_finished,
)

WEIGHTS_FILE = "ensemble.csv"  # what each member counts under each rule


def note_fitting(split: Split, rules: Sequence[str]) -> Split:
    """Return the split with the note that weights are fitted on its validation rows."""
    fitted = [rule for rule in RULES if rule in rules and rule != "uniform"]
    if not fitted:
        return split
    note = (
        f"The weights of the rule{'s' if len(fitted) > 1 else ''} {' and '.join(fitted)} are "
        "fitted on validation rows; the validation figures are of groups left out in turn. Which "
        "rule is served is chosen by them."
    )
    return dataclasses.replace(split, notes=(*split.notes, note))


def validation_units(config, table: ExampleTable, split: Split) -> np.ndarray:
    """Return what must stay whole of the validation rows, enough of it for every rule.

    Asked before anything is trained.

    Raises:
        UserError: see `ensemble_weights.demand_groups`.
    """
    units = row_units(table, split.validation)
    for rule in config.rules:
        demand_groups(rule, units)
    return units


def image_stream(table, image_size: int, batch_size: int, *, augmentation, seed: int, seal):
    """Return the `ImagePipeline` of a member."""
    from affectkeras.pipelines.images import ImagePipeline

    return ImagePipeline(
        table,
        image_size=(image_size, image_size) if isinstance(image_size, int) else image_size,
        batch_size=batch_size,
        targets=target_distribution(table),
        augmentation=augmentation,
        seed=seed,
        seal=seal,
    )


def check_finished(config, table: ExampleTable, split: Split) -> list[FinishedMember]:
    """Return the members from finished runs, each of which held out the rows of this split."""
    finished = read_finished(config.from_runs)
    for member in finished:
        check_rows(member, table, split)
    return finished


def predict_finished(
    member: FinishedMember, table: ExampleTable, split: Split, seed: int, run: Path, batch_size: int
) -> None:
    """Write what a finished run's model says of validation and test rows as a part of this run.

    Raises:
        UserError: where it is no classifier of face pictures, or says something else than it did.
    """
    import keras

    from affectkeras.evaluation.seal import Seal
    from affectkeras.pipelines.augmentation import Augmentation
    from affectkeras.transfer.fine_tuning import predict_logits, probabilities

    part = runs.part_dir(run, seed, member.name)
    if runs.is_done(part):
        return
    print(f"member {member.name}: from {member.run}", flush=True)
    model = keras.models.load_model(member.model_file, compile=False)
    check_classifier(member, model, len(table.class_target.class_names))
    seal = Seal(split)
    images = image_stream(
        table,
        model.input_shape[1:3],
        batch_size,
        augmentation=Augmentation.none(),
        seed=seed,
        seal=seal,
    )
    frames, off = [], {}
    with seal.final_evaluation():
        for name, rows in (("validation", split.validation), ("test", split.test)):
            found = probabilities(predict_logits(model, images, rows))
            ids = table.frame["example_id"].to_numpy()[rows]
            off[name] = check_predictions(member, ids, name, found)
            frames.append(
                records.prediction_rows(table, rows, found, arm=member.name, seed=seed, split=name)
            )
    runs.write_csv(part / "predictions.csv", pd.concat(frames, ignore_index=True))
    runs.finish_part(part, {"seconds": 0.0, "differs_from_its_run_by": off})


def check_classifier(member: FinishedMember, model, classes: int) -> None:
    """Refuse a model that does not take one picture of a face and give a logit per class."""
    shapes = [tuple(each.shape) for each in model.inputs]
    if (
        len(shapes) != 1
        or len(shapes[0]) != 4
        or shapes[0][-1] != 3
        or None in shapes[0][1:]
        or tuple(model.output_shape[1:]) != (classes,)
    ):
        raise UserError(
            f"--from {member.run}: {member.name} takes {shapes} and gives {model.output_shape}; a "
            f"member takes one colour picture and gives {classes} logits. Leave it out."
        )


def combine(
    config, table: ExampleTable, split: Split, units: np.ndarray, seed: int, run: Path
) -> None:
    """Fit every rule on validation rows and write what it predicts as a part of the run.

    Args:
        units: of `validation_units`.
    """
    labels = table.frame[table.class_target.name].to_numpy()[split.validation]
    names = member_names(config)
    logs = {
        part: member_log_probabilities(run, seed, names, part) for part in ("validation", "test")
    }
    for rule in config.rules:
        part = runs.part_dir(run, seed, rule)
        if runs.is_done(part):
            continue
        fitted = fit_rule(rule, logs["validation"], labels, units)
        found = {
            "validation": predict_left_out(rule, logs["validation"], labels, units),
            "test": fitted.combine(logs["test"]),
        }
        frames = [
            records.prediction_rows(
                table, getattr(split, name), np.exp(logs), arm=rule, seed=seed, split=name
            )
            for name, logs in found.items()
        ]
        runs.write_csv(part / "predictions.csv", pd.concat(frames, ignore_index=True))
        runs.write_csv(part / WEIGHTS_FILE, _share_rows(rule, seed, names, fitted))
        runs.finish_part(part, {"combination": _as_json(fitted)})


def member_log_probabilities(run: Path, seed: int, names: Sequence[str], split: str) -> np.ndarray:
    """Return what members said of a part's rows, `(members, rows, classes)`, from their parts."""
    found = []
    for name in names:
        rows = runs.read_csv(runs.part_dir(run, seed, name) / "predictions.csv")
        columns = [column for column in rows.columns if column.startswith("p_")]
        probabilities = rows.loc[rows["split"] == split, columns].to_numpy(dtype=float)
        # A class ruled out altogether would leave no finite logit to learn from.
        found.append(np.log(np.maximum(probabilities, np.finfo(float).tiny)))
    return np.stack(found)


def test_probabilities(run: Path, rule: str, seed: int) -> np.ndarray:
    """Return what a rule made of the members' predictions of the test rows, `(rows, classes)`."""
    return np.exp(member_log_probabilities(run, seed, [rule], "test")[0])


def order_arms(arms: dict, members: Sequence[str], rules: Sequence[str]) -> list[str]:
    """Return the arms with the member first that is best on validation rows, rules last.

    Args:
        arms: arm → part → figures.
    """
    best = max(members, key=lambda arm: arms[arm]["validation"]["accuracy"]["mean"])
    others = [arm for arm in members if arm != best]
    return [best, *others, *(rule for rule in RULES if rule in rules)]


def choose_rule(arms: dict, rules: Sequence[str]) -> str:
    """Return the rule of the highest validation accuracy; of equals the simplest."""
    named = [rule for rule in RULES if rule in rules]
    return max(named, key=lambda rule: arms[rule]["validation"]["accuracy"]["mean"])


def package_ensemble(
    config,
    run: Path,
    rule: str,
    seed: int,
    *,
    class_names: Sequence[str],
    encoded_images: Sequence[bytes],
    expected: np.ndarray,
) -> dict[str, dict]:
    """Join the members of one seed in a network, export it, and make it what the run serves.

    Args:
        rule: under which they are joined.
        seed: of the members that were trained here; they are kept under `models/`.
        class_names: the name of each logit.
        encoded_images: test images to compare the export on.
        expected: `(images, classes)`, the rule's probabilities of them as the members' own
            predictions give them: the SavedModel must give the same.

    Returns:
        as `package_model`.
    """
    import keras

    from affectkeras.deployment import package_model, serve_model
    from affectkeras.export import TOLERANCE, ExportMismatch
    from affectkeras.models.ensemble import average_members, stack_members
    from affectkeras.predict import load_classifier

    files = []
    for member in backbone_members(config):
        kept = run / "models" / member.name / "model.keras"
        made = runs.part_dir(run, seed, member.name) / "model.keras"
        if made.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            made.replace(kept)
        files.append(kept)
    files += [member.model_file for member in read_finished(config.from_runs)]
    members = [keras.models.load_model(file, compile=False) for file in files]
    fitted = _from_json(runs.part_facts(runs.part_dir(run, seed, rule))["combination"])
    if isinstance(fitted, Average):
        ensemble = average_members(members, fitted.weights)
    else:
        ensemble = stack_members(members, fitted.kernel, fitted.bias)
    folder = run / "models" / f"ensemble-{rule}"
    folder.mkdir(parents=True, exist_ok=True)
    ensemble.save(folder / "model.keras")
    exported = package_model(
        folder / "model.keras",
        folder,
        class_names=class_names,
        image_size=tuple(ensemble.inputs[0].shape[1:3]),
        encoded_images=encoded_images,
    )
    _, classify = load_classifier(folder / "saved_model")
    difference = float(np.abs(classify(list(encoded_images)) - expected).max())
    if not difference <= TOLERANCE:
        raise ExportMismatch(
            f"{folder / 'saved_model'} differs from what its members' predictions give under the "
            f"rule {rule}: a probability is off by {difference:.3g}. Do not serve it."
        )
    exported["saved_model"]["max_difference_to_members"] = difference
    serve_model(run, folder)
    return exported


def _share_rows(rule: str, seed: int, names: Sequence[str], fitted: Combination) -> pd.DataFrame:
    penalty = fitted.penalty if isinstance(fitted, Stack) else None
    rows = [
        {"seed": seed, "rule": rule, "member": name, "share": float(share), "penalty": penalty}
        for name, share in zip(names, fitted.shares, strict=True)
    ]
    return pd.DataFrame(rows)


def _as_json(fitted: Combination) -> dict:
    if isinstance(fitted, Average):
        return {"weights": fitted.weights}
    return {"kernel": fitted.kernel, "bias": fitted.bias, "penalty": fitted.penalty}


def _from_json(saved: dict) -> Combination:
    if "weights" in saved:
        return Average(np.array(saved["weights"]))
    return Stack(np.array(saved["kernel"]), np.array(saved["bias"]), saved["penalty"])
