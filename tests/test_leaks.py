"""Each of the twelve leaks, planted where a recipe would have it, stops the recipe."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from affectkeras import datasets, faces
from affectkeras.datasets.sample import sample_sfew
from affectkeras.errors import UserError
from affectkeras.evaluation.leakage import refuse_leak
from affectkeras.evaluation.seal import Leak, Seal
from affectkeras.evaluation.splits import Split

PEOPLE = 6
WINDOW_S = 5.0


def texture(seed: int) -> np.ndarray:
    """Return a picture with shapes of its own, uint8 `(64, 64, 3)`."""
    coarse = np.random.default_rng(seed).normal(128, 50, (8, 8, 3)).astype(np.float32)
    fine = np.random.default_rng(seed + 1000).normal(0, 8, (64, 64, 3))
    return (cv2.resize(coarse, (64, 64)) + fine).clip(0, 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Own faces in the owner's three parts; nobody and nothing stands on two sides."""
    seed = 0
    for part, people in (("train", (0, 1, 2, 3)), ("val", (4,)), ("test", (5,))):
        for label in ("calm", "glad"):
            (tmp_path / part / label).mkdir(parents=True)
            for person in people:
                for number in range(3):
                    seed += 1
                    name = f"p{person}_{label}{number}.png"
                    cv2.imwrite(str(tmp_path / part / label / name), texture(seed))
    return tmp_path


def read(folder):
    return datasets.reader("image_folder").read(folder, group_pattern=r"/(p\d)_", progress=False)


def careless_split(frame, *_, **__) -> Split:
    """Follow the owner's parts without looking: what a future protocol might do."""
    rows = [np.flatnonzero(frame["split"] == part) for part in ("train", "validation", "test")]
    aside = pd.DataFrame({"row": [], "reason": []})
    return Split(*rows, "official", "the owner's parts", aside, groups_known=True)


def as_recordings(frame):
    """Give every row the columns of windows, frames and pairs of people; nothing overlaps."""
    person = frame["group"].str[1:].astype(int)
    within = frame.groupby("group").cumcount()
    return frame.assign(
        subject=frame["group"],
        dyad=person,  # a pair is told by a number of its own here
        video=frame["group"] + "-video",
        frame_number=within * 10,
        recording=frame["group"],
        window_start_s=within * WINDOW_S,
        window_end_s=(within + 1) * WINDOW_S,
    )


def plant(frame, **columns):
    """Make a test row share something with a training row."""
    train = frame.index[frame["split"] == "train"][0]
    test = frame.index[frame["split"] == "test"][0]
    for name, value in columns.items():
        frame.loc[test, name] = frame.loc[train, name] if value is None else value
    return frame


def replace_test_picture(folder, change):
    """Put a changed copy of a training picture over a test picture."""
    source = cv2.imread(str(folder / "train" / "calm" / "p0_calm0.png"))
    target = folder / "test" / "calm" / "p5_calm0"
    target.with_suffix(".png").unlink()
    change(source, target)


def divide(table, monkeypatch):
    monkeypatch.setattr(faces, "split_table", careless_split)
    return faces.divide_faces(table, "official")


def test_a_clean_folder_is_divided_without_a_finding(folder, monkeypatch):
    table = read(folder)
    told = dataclasses.replace(table, frame=as_recordings(table.frame))
    split, findings = divide(told, monkeypatch)
    assert findings["passed"], findings
    assert not findings["not_checked"]
    assert len(split.test) == PEOPLE


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"subject": None}, "subject on two sides: 1, such as subject p0"),
        ({"group": None}, "group on two sides: 1, such as group p0"),
        ({"video": None}, "video on two sides: 1, such as video p0-video"),
        ({"dyad": None}, "dyad on two sides: 1, such as dyad 0"),
        (
            {"recording": None, "window_start_s": 2.0, "window_end_s": 7.0},
            "overlapping windows on two sides: 2, such as p0: .* share 3 s",
        ),
        (
            {"video": None, "frame_number": 4},
            "neighbouring frames on two sides: 2, such as .*4 frames apart",
        ),
    ],
)
def test_what_two_rows_share_across_sides_stops_the_run(folder, monkeypatch, columns, message):
    table = read(folder)
    frame = plant(as_recordings(table.frame.copy()), **columns)
    leaking = dataclasses.replace(table, frame=frame)
    with pytest.raises(UserError, match=f"Nothing was trained.*{message}"):
        divide(leaking, monkeypatch)


def write_identical(source, target):
    cv2.imwrite(str(target.with_suffix(".png")), source)


def write_encoded(source, target):
    cv2.imwrite(str(target.with_suffix(".jpg")), source, [cv2.IMWRITE_JPEG_QUALITY, 80])


def write_resized(source, target):
    smaller = cv2.resize(source, (48, 48), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(target.with_suffix(".png")), smaller)


def write_mirrored(source, target):
    cv2.imwrite(str(target.with_suffix(".jpg")), source[:, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])


COPIES = [
    (write_identical, "pixel identical on two sides: 1"),
    (write_encoded, "copy on two sides: 1"),
    (write_resized, "copy on two sides: 1"),
    (write_mirrored, "mirrored copy on two sides: 1"),
]


@pytest.mark.parametrize(("change", "message"), COPIES)
def test_a_copied_picture_across_sides_stops_the_run(folder, monkeypatch, change, message):
    replace_test_picture(folder, change)
    with pytest.raises(UserError, match=f"{message}, such as .*p5_calm0.* and .*p0_calm0.png"):
        divide(read(folder), monkeypatch)


@pytest.mark.parametrize("protocol", ["grouped", "official"])
@pytest.mark.parametrize(("change", "message"), COPIES)
def test_our_own_protocols_set_the_training_copy_aside(folder, protocol, change, message):
    replace_test_picture(folder, change)
    split, findings = faces.divide_faces(read(folder), protocol)
    assert findings["passed"], message
    assert split.set_aside["reason"].str.contains("its picture is also in").any()
    assert len(split.test) == PEOPLE


def test_the_published_protocol_runs_on_the_sample_faces_and_reports_what_leaks():
    table = datasets.reader("sfew").read(sample_sfew(), progress=False)
    _, findings = faces.divide_faces(table, "paper")
    assert not findings["passed"]
    found = {name for name, check in findings["checks"].items() if not check["passed"]}
    assert {"group_on_two_sides", "video_on_two_sides", "neighbouring_frames_on_two_sides"} <= found
    with pytest.raises(UserError, match="leaks"):
        refuse_leak(findings, "grouped")


@pytest.mark.parametrize("protocol", ["grouped", "official"])
def test_the_sample_faces_are_clean_under_honest_protocols(protocol):
    table = datasets.reader("sfew").read(sample_sfew(), progress=False)
    _, findings = faces.divide_faces(table, protocol)
    assert findings["passed"], findings


@pytest.fixture
def training(folder, tmp_path, monkeypatch):
    """Return `run(planted)`: the recipe's training of one arm with its `fine_tune` replaced."""
    pytest.importorskip("tensorflow")
    from affectkeras import runs
    from affectkeras.transfer import fine_tuning
    from recipes import sfew_resnet

    table = read(folder)
    split, _ = faces.divide_faces(table, "official")
    config = sfew_resnet.Config(
        backbone="mobilenet_0.25", weights="none", image_size=32, epochs=7, batch_size=8
    )

    def run(planted):
        monkeypatch.setattr(fine_tuning, "fine_tune", planted)
        run_dir = runs.create_run("sfew_resnet", config, tmp_path / "run")
        sfew_resnet.run_fold(config, table, split, 0, "bdr", run_dir)

    return run, split


def test_a_threshold_fitted_beyond_training_rows_stops_the_training(training):
    run, split = training

    def planted(model, stages, images, sampler, *, make_removal, **_):
        removal = make_removal(lambda rows: np.zeros(len(rows)))
        removal.score(np.concatenate([split.train, split.validation]))

    with pytest.raises(Leak, match=r"bdr \(selection\) would be fitted on 6 rows beyond"):
        run(planted)


def test_test_rows_watched_in_training_stop_the_training(training):
    run, split = training

    def planted(model, stages, images, sampler, *, validation_rows, **_):
        model.evaluate(images.clean(split.test), verbose=0)

    with pytest.raises(Leak, match="6 test rows would be read before the final evaluation"):
        run(planted)


def test_weights_trained_on_other_rows_stop_the_training(training):
    from affectkeras.pipelines.sampler import RowSampler

    run, split = training

    def planted(model, stages, images, sampler, **_):
        images.training(RowSampler(split.test, seed=0, batch_size=2), 0, 1)

    with pytest.raises(Leak, match=r"the model \(weights\) would be fitted on 6 rows beyond"):
        run(planted)


def test_normalisation_fitted_beyond_training_rows_is_refused():
    from affectkeras.pipelines.standardizer import Standardizer

    values = np.array([[1.0, 5.0], [3.0, 5.0], [100.0, 7.0]])
    aside = pd.DataFrame({"row": [], "reason": []})
    split = Split(*map(np.array, ([0, 1], [2], [])), "grouped", "", aside, groups_known=True)
    seal = Seal(split)
    with pytest.raises(Leak, match="mean and standard deviation .* 1 rows beyond the training"):
        Standardizer.fit(values, np.arange(3), seal)
    found = Standardizer.fit(values, split.train, seal).apply(values)
    np.testing.assert_allclose(found, [[-1, 0], [1, 0], [98, 2]])
    assert seal.facts()["fitted"]["normalisation"] == {"mean and standard deviation": 2}
