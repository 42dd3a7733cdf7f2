"""The tensorflow-datasets builder, run on tiny raw folders."""

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("importlib_resources", reason="tensorflow-datasets 4.9.10 imports it")
tfds = pytest.importorskip("tensorflow_datasets")

from affectkeras.datasets import NAMES, fer2013  # noqa: E402
from affectkeras.datasets.tfds_builders import RECORDINGS  # noqa: E402
from affectkeras.datasets.tfds_builders.affect_faces import (  # noqa: E402
    __main__ as command,
)
from affectkeras.datasets.tfds_builders.affect_faces import (  # noqa: E402
    affect_faces_dataset_builder,
)
from affectkeras.media.video_frames import every_frame  # noqa: E402
from tests.media.tiny_videos import write_video  # noqa: E402

FACE = np.random.default_rng(2).integers(0, 256, (48, 48), dtype=np.uint8)


def build(config, raw, target):
    builder = affect_faces_dataset_builder.Builder(config=config, data_dir=str(target))
    downloads = tfds.download.DownloadConfig(manual_dir=str(raw))
    builder.download_and_prepare(download_config=downloads)
    return builder


def test_every_reader_of_faces_is_a_config():
    faces = set(affect_faces_dataset_builder.Builder.builder_configs)
    assert faces == set(NAMES) - set(RECORDINGS)


def test_files_are_stored_as_their_own_bytes(tmp_path):
    for part, name in [("train/sad", "Training_0.jpg"), ("test/angry", "PublicTest_1.png")]:
        path = tmp_path / "raw" / part / name
        path.parent.mkdir(parents=True)
        Image.fromarray(FACE).save(path)
    builder = build("fer2013", tmp_path / "raw", tmp_path / "built")
    assert set(builder.info.splits) == {"train", "validation"}
    assert builder.info.features["label"].names == list(fer2013.CLASS_NAMES)
    decoders = {"image": tfds.decode.SkipDecoding()}
    (example,) = builder.as_dataset(split="train", decoders=decoders).as_numpy_iterator()
    assert example["image"] == (tmp_path / "raw/train/sad/Training_0.jpg").read_bytes()
    assert example["example_id"] == b"train/sad/Training_0.jpg"
    assert example["group"] == b"train/sad/Training_0.jpg"
    assert example["subject"] == b""
    assert fer2013.CLASS_NAMES[example["label"]] == "Sad"


def test_pixels_from_a_table_are_stored_without_loss(tmp_path):
    (tmp_path / "raw").mkdir()
    text = " ".join(map(str, FACE.reshape(-1)))
    rows = f"emotion,pixels,Usage\n3,{text},PrivateTest\n"
    (tmp_path / "raw" / "fer2013.csv").write_text(rows)
    builder = build("fer2013", tmp_path / "raw", tmp_path / "built")
    (example,) = builder.as_dataset(split="test").as_numpy_iterator()
    np.testing.assert_array_equal(example["image"], np.repeat(FACE[..., np.newaxis], 3, axis=-1))
    assert example["label"] == 3


def test_the_module_builds_what_tfds_then_loads(tmp_path, monkeypatch, capsys):
    path = tmp_path / "raw" / "train" / "fear" / "Training_0.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(FACE).save(path)
    arguments = ["--config", "fer2013", "--manual-dir", str(tmp_path / "raw")]
    monkeypatch.setattr("sys.argv", ["build", *arguments, "--data-dir", str(tmp_path / "built")])
    command.main()
    folder = capsys.readouterr().out.splitlines()[-1]
    assert tfds.builder_from_directory(folder).info.splits["train"].num_examples == 1


def test_the_module_names_a_folder_that_is_not_there(tmp_path, monkeypatch, capsys):
    arguments = ["--config", "fer2013", "--manual-dir", str(tmp_path / "nowhere")]
    monkeypatch.setattr("sys.argv", ["build", *arguments, "--data-dir", str(tmp_path / "built")])
    with pytest.raises(SystemExit, match="2"):
        command.main()
    assert "nowhere: expected a folder or a .zip file" in capsys.readouterr().err


def test_the_class_names_of_an_image_folder_are_its_own(tmp_path):
    for name in ("calm", "tense"):
        path = tmp_path / "raw" / name / "face.png"
        path.parent.mkdir(parents=True)
        Image.fromarray(FACE if name == "calm" else 255 - FACE).save(path)
    builder = build("image_folder", tmp_path / "raw", tmp_path / "built")
    assert builder.info.features["label"].names == ["calm", "tense"]
    assert set(builder.info.splits) == {affect_faces_dataset_builder.UNSPLIT}


@pytest.fixture
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path_factory.mktemp("cache")))


def test_of_a_labelled_video_the_frames_are_stored_with_their_numbers(tmp_path, own_cache):
    raw = tmp_path / "raw"
    video = write_video(raw / "videos/train/7.mp4", 5)
    for kind, sign in (("valence", 1), ("arousal", -1)):
        path = raw / f"annotations/train/{kind}/7.txt"
        path.parent.mkdir(parents=True)
        path.write_text("".join(f"{sign * n / 10}\n" for n in range(5)))
    builder = build("aff_wild", raw, tmp_path / "built")
    found = {
        one["example_id"]: one for one in builder.as_dataset(split="train").as_numpy_iterator()
    }
    assert len(found) == 5
    frames = [shown.pixels for shown in every_frame(video)]
    for number, frame in enumerate(frames):
        example = found[f"videos/train/7.mp4 frame {number:05}".encode()]
        np.testing.assert_array_equal(example["image"], frame)
        assert example["valence"] == np.float32(number / 10)
        assert example["arousal"] == np.float32(-number / 10)
        assert example["group"] == b"videos/train/7.mp4"


def test_a_clip_with_one_label_is_stored_as_its_own_bytes(tmp_path, own_cache):
    clip = write_video(tmp_path / "raw/Val_AFEW/Sad/000000001.avi", 5, codec="mpeg4")
    builder = build("afew", tmp_path / "raw", tmp_path / "built")
    (example,) = builder.as_dataset(split="validation").as_numpy_iterator()
    assert example["video"] == clip.read_bytes()
    assert builder.info.features["label"].names[example["label"]] == "Sad"
