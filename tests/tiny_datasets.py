"""Every data set written small, in its owner's layout, for tests that damage one file of it."""

import io
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from affectkeras import datasets, doctor
from affectkeras.datasets.table import ExampleTable

COUNT = 4  # examples in each data set; the first one is the victim

AFFECTNET_HEADER = (
    "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,"
    "expression,valence,arousal"
)
FERPLUS_HEADER = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
)
HAPPY_VOTES = "0,9,0,0,0,0,0,0,1,0"


def encode(format: str, *, seed: int = 0, size: tuple[int, int] = (24, 20)) -> bytes:
    """Return random pixels, `size` = (width, height), in a format that Pillow writes."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format)
    return buffer.getvalue()


def write_file(path: Path, content: bytes | str | None = None) -> Path:
    """Write a file, by default a sound image, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if content is None:
        content = encode("JPEG" if path.suffix == ".jpg" else "PNG")
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read_accounted(reader_name: str, folder: Path) -> ExampleTable:
    """Read, and hold that every example is accounted for, printable, and told by the doctor."""
    reader = datasets.reader(reader_name)
    table = reader.read(folder, progress=False)
    assert table.read == len(table.frame) + len(table.rejected)
    "\n".join([*table.frame["example_id"], *table.rejected["path"]]).encode()

    report = doctor.examine(reader, folder, progress=False)
    text = "\n".join(report.lines)
    text.encode()
    assert f"Read {table.read} = {len(table)} used" in text
    damaged = table.rejected[table.rejected["kind"] == "damaged"]
    for row in damaged.itertuples():
        assert f"{row.path}: {row.reason}" in text
    if len(damaged):
        assert f"{len(damaged)} that cannot be used: mend or remove the files" in report.problems
    return table


def write_sfew(folder: Path) -> Path:
    parts = ("Train/Train_Aligned_Faces/Angry", "Val/Val_Aligned_Faces/Happy")
    paths = [
        write_file(folder / part / f"Film{number}_00010203{number}_0000000{number}.png")
        for part in parts
        for number in range(COUNT // 2)
    ]
    return paths[0]


def write_sfew_2011(folder: Path) -> Path:
    names = ("Angry/Film0", "Angry/Film1", "Happy/Film2", "Sad/Film3")
    return [write_file(folder / f"{name}_000102030_00000001.png") for name in names][0]


def write_fer2013(folder: Path) -> Path:
    names = [f"train/happy/Training_{number}.jpg" for number in range(COUNT - 1)]
    return [write_file(folder / name) for name in (*names, "test/sad/PublicTest_1.jpg")][0]


def write_ferplus(folder: Path) -> Path:
    names = [f"fer{number:07d}.png" for number in range(COUNT)]
    rows = [f'{name},"(0, 0, 48, 48)",{HAPPY_VOTES}' for name in names]
    write_file(folder / "FER2013Train" / "label.csv", "\n".join(rows) + "\n")
    return [write_file(folder / "FER2013Train" / name) for name in names][0]


def write_rafdb(folder: Path) -> Path:
    names = [f"train_{number:05d}" for number in range(COUNT)]
    rows = [f"{name}.jpg 4" for name in names]
    write_file(folder / "basic/EmoLabel/list_patition_label.txt", "\n".join(rows) + "\n")
    return [write_file(folder / "basic/Image/aligned" / f"{name}_aligned.jpg") for name in names][0]


def write_affectnet(folder: Path) -> Path:
    names = [f"{number}/face.jpg" for number in range(COUNT)]
    rows = [AFFECTNET_HEADER, *(f"{name},0,0,9,9,1;2,1,0.5,-0.5" for name in names)]
    write_file(folder / "Manually_Annotated_file_lists/training.csv", "\n".join(rows) + "\n")
    return [write_file(folder / "Manually_Annotated_Images" / name) for name in names][0]


def write_affectnet_sets(folder: Path) -> Path:
    """AffectNet's newer form."""
    values = io.BytesIO(), io.BytesIO()
    for file, value in zip(values, (1, 0.5), strict=True):
        np.save(file, np.array(value))
    for number in range(COUNT):
        for part, file in (("exp", values[0]), ("val", values[1]), ("aro", values[1])):
            write_file(folder / f"train_set/annotations/{number}_{part}.npy", file.getvalue())
    return [write_file(folder / f"train_set/images/{n}.jpg") for n in range(COUNT)][0]


def write_image_folder(folder: Path) -> Path:
    names = [f"train/{label}/{n}.png" for label in ("calm", "glad") for n in range(COUNT // 2)]
    return [write_file(folder / name) for name in names][0]


def write_fer2013_csv(folder: Path) -> Path:
    """Return the table, as the other writers of tables do."""
    pixels = np.random.default_rng(1).integers(0, 256, (COUNT, 48 * 48))
    rows = [f"{number},{' '.join(map(str, face))},Training" for number, face in enumerate(pixels)]
    return write_file(folder / "fer2013.csv", "\n".join(["emotion,pixels,Usage", *rows]) + "\n")


def write_ferplus_tables(folder: Path) -> Path:
    write_fer2013_csv(folder)
    rows = [f"Training,fer{number:07d}.png,{HAPPY_VOTES}" for number in range(COUNT)]
    return write_file(folder / "fer2013new.csv", "\n".join([FERPLUS_HEADER, *rows]) + "\n")


def write_sfew_flat(folder: Path) -> Path:
    names = [f"image_{number:06d}.png" for number in range(COUNT)]
    for name in names:
        write_file(folder / "sfew2.0_images" / name)
    rows = ["image_name,label,emotion,original_split", *(f"{name},3,Happy,Train" for name in names)]
    return write_file(folder / "sfew_2.0_labels.csv", "\n".join(rows) + "\n")


def write_cifar10(folder: Path) -> Path:
    """Return the first batch, which holds one picture, as every other one does."""
    planes = np.random.default_rng(2).integers(0, 256, (COUNT, 3 * 32 * 32), dtype=np.uint8)
    names = [f"data_batch_{number}" for number in range(1, COUNT)]
    paths = [folder / "cifar-10-batches-py" / name for name in (*names, "test_batch")]
    for label, path in enumerate(paths):
        batch = {b"data": planes[label : label + 1], b"labels": [label]}
        write_file(path, pickle.dumps(batch, protocol=2))
    return paths[0]


def write_cifar10_binary(folder: Path) -> Path:
    planes = np.random.default_rng(2).integers(0, 256, (COUNT, 3 * 32 * 32), dtype=np.uint8)
    names = [f"data_batch_{number}.bin" for number in range(1, COUNT)]
    paths = [folder / "cifar-10-batches-bin" / name for name in (*names, "test_batch.bin")]
    for label, path in enumerate(paths):
        write_file(path, bytes([label]) + planes[label].tobytes())
    return paths[0]


# Name → (reader's name, function that writes into a folder and returns the first example's file).
WRITERS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "sfew": ("sfew", write_sfew),
    "sfew of 2011": ("sfew", write_sfew_2011),
    "fer2013": ("fer2013", write_fer2013),
    "ferplus": ("ferplus", write_ferplus),
    "rafdb": ("rafdb", write_rafdb),
    "affectnet": ("affectnet", write_affectnet),
    "affectnet newer": ("affectnet", write_affectnet_sets),
    "image_folder": ("image_folder", write_image_folder),
}
# The same of data sets whose examples are no files of their own.
BATCH_WRITERS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "cifar10": ("cifar10", write_cifar10),
    "cifar10 binary": ("cifar10", write_cifar10_binary),
}
