"""Records prepared on Apache Beam, in several processes, are those prepared without it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("importlib_resources", reason="tensorflow-datasets 4.9.10 imports it")
tfds = pytest.importorskip("tensorflow_datasets")

from affectkeras.datasets.tfds_builders import generation  # noqa: E402
from affectkeras.errors import UserError  # noqa: E402
from tests.media.tiny_videos import write_video  # noqa: E402
from tests.tiny_k_emocon import write_k_emocon  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


def build(kind: str, config: str, raw: Path, target: Path, *more):
    command = [sys.executable, "-m", f"affectkeras.datasets.tfds_builders.affect_{kind}"]
    paths = ["--config", config, "--manual-dir", str(raw), "--data-dir", str(target)]
    environment = os.environ | {"AFFECTKERAS_CACHE": str(target.with_name("cache"))}
    done = subprocess.run(
        [*command, *paths, *map(str, more)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return tfds.builder_from_directory(done.stdout.splitlines()[-1])


def assert_same_records(one, other) -> int:
    """Hold that two builders hold the same examples in the same order; return how many."""
    assert set(one.info.splits) == set(other.info.splits)
    count = 0
    for split in one.info.splits:
        pairs = zip(
            one.as_dataset(split=split).as_numpy_iterator(),
            other.as_dataset(split=split).as_numpy_iterator(),
            strict=True,
        )
        for left, right in pairs:
            assert left.keys() == right.keys()
            for name, value in left.items():
                if isinstance(value, dict):
                    for signal, parts in value.items():
                        for part, numbers in parts.items():
                            np.testing.assert_array_equal(numbers, right[name][signal][part])
                else:
                    np.testing.assert_array_equal(value, right[name])
            count += 1
    return count


def test_files_are_prepared_by_two_processes_as_by_one(tmp_path):
    pytest.importorskip("apache_beam", reason="the extra `tfds`")
    generator = np.random.default_rng(0)
    for number in range(12):
        part = ("train", "test")[number % 2]
        folder = tmp_path / "raw" / part / ("sad", "happy", "fear")[number % 3]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 256, (48, 48), dtype=np.uint8)
        usage = "Training" if part == "train" else "PublicTest"
        Image.fromarray(pixels).save(folder / f"{usage}_{number}.png")
    plain = build("faces", "fer2013", tmp_path / "raw", tmp_path / "plain")
    beamed = build("faces", "fer2013", tmp_path / "raw", tmp_path / "beam", "--beam-processes", 2)
    assert assert_same_records(plain, beamed) == 12
    assert beamed.info.features["label"].names == plain.info.features["label"].names


def test_frames_of_videos_are_decoded_by_beams_workers(tmp_path):
    pytest.importorskip("apache_beam", reason="the extra `tfds`")
    raw = tmp_path / "raw"
    for video in (7, 8, 9):
        write_video(raw / f"videos/train/{video}.mp4", 5)
        for kind, sign in (("valence", 1), ("arousal", -1)):
            path = raw / f"annotations/train/{kind}/{video}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{sign * n / 10}\n" for n in range(5)))
    plain = build("faces", "aff_wild", raw, tmp_path / "plain")
    beamed = build("faces", "aff_wild", raw, tmp_path / "beam", "--beam-processes", 2)
    assert assert_same_records(plain, beamed) == 15


def test_recordings_are_prepared_on_beam_as_without(tmp_path):
    pytest.importorskip("apache_beam", reason="the extra `tfds`")
    raw = write_k_emocon(tmp_path / "raw", (1, 2, 3))
    plain = build("signals", "k_emocon", raw, tmp_path / "plain")
    beamed = build("signals", "k_emocon", raw, tmp_path / "beam", "--beam-processes", 2)
    assert assert_same_records(plain, beamed) > 3


def test_without_beam_the_mend_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(UserError, match=r"pip install 'affectkeras\[tfds\]'. Without Beam, leave"):
        generation.local_beam_options(2)


def test_a_number_of_processes_below_one_is_refused():
    with pytest.raises(UserError, match="--beam-processes must be at least 1. Received: 0"):
        generation.local_beam_options(0)


def test_in_one_process_jobs_follow_each_other():
    found = generation.generate([2, 3], lambda job: ((job, n) for n in range(job)), on_beam=False)
    assert list(found) == [(2, 0), (2, 1), (3, 0), (3, 1), (3, 2)]
