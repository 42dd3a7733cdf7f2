"""Whether the search for copies of a photo finds them, how rarely it errs, and how long it takes.

    AFFECTKERAS_REAL_DATA=FOLDER python -m benchmarks.duplicate_search [--quick]

Data: the 32,137 faces of FER+ (`FOLDER/data/ferplus/FER2013Train.zip` and `FER2013Valid.zip`,
48 × 48) and copies planted among them, written as files: mirrored, resized, re-encoded as JPEG.
The promises: every pixel-identical pair that a hash of the pixels finds; of each kind of planted
copy at least 98 %, with the right kind; of random pairs, and of pairs of different photos among
those reported, under 0.1 %; and about 36,000 files within a minute. The peer in time is the hash
alone. With `--quick` random textures stand for the faces.

Whether two faces are the same photo is judged here by other means than the search's: by the
correlation of all their pixels, the one moved and scaled over the other until they agree best.
"""

import dataclasses
import io
import os
import tempfile
import time
import zipfile
from pathlib import Path

BAR_FOUND = 0.98
BAR_FALSE = 0.001
BAR_SECONDS = 60.0
ARCHIVES = ("FER2013Train.zip", "FER2013Valid.zip")
SAME_PHOTO = 0.8  # least correlation of the pixels; under 1 in 1,000 random pairs has it


@dataclasses.dataclass(frozen=True)
class Config:
    copies: int = 500  # planted of each kind
    random_pairs: int = 2000  # looked at by their pixels
    large_images: int = 1000  # colour JPEGs of 720 × 576, for the rate alone
    quick: bool = False  # 400 textures, 20 copies: shows that it runs, measures nothing


def copy_kinds() -> dict:
    """Return the kinds of copies: name → (expected kind, suffix, function of a Pillow image)."""
    from PIL import Image, ImageOps

    method = Image.Resampling

    def resized(size, how):
        return lambda image: image.resize((size, size), how)

    def encoded(quality, size=None):
        def change(image):
            image = image if size is None else image.resize((size, size), method.BICUBIC)
            file = io.BytesIO()
            image.save(file, "JPEG", quality=quality)
            return file.getvalue()

        return change

    return {
        "stored again": ("identical", "png", lambda image: image.copy()),
        "mirrored": ("mirrored", "png", ImageOps.mirror),
        "mirrored, JPEG 75": ("mirrored", "jpg", lambda i: encoded(75)(ImageOps.mirror(i))),
        "resized to 32 by nearest": ("copy", "png", resized(32, method.NEAREST)),
        "resized to 40": ("copy", "png", resized(40, method.BILINEAR)),
        "resized to 96": ("copy", "png", resized(96, method.LANCZOS)),
        "JPEG 60": ("copy", "jpg", encoded(60)),
        "JPEG 95": ("copy", "jpg", encoded(95)),
        "resized to 64, JPEG 60": ("copy", "jpg", encoded(60, 64)),
    }


def write_originals(config: Config, folder: Path) -> list[Path]:
    """Write the faces, or textures when quick, and return their paths."""
    import numpy as np
    from PIL import Image
    from scipy.ndimage import gaussian_filter

    from affectkeras.errors import UserError

    if config.quick:
        noise = np.random.default_rng(0).normal(size=(400, 48, 48))
        pixels = np.clip(128 + 200 * gaussian_filter(noise, (0, 1.5, 1.5)), 0, 255)
        for row, image in enumerate(pixels.astype(np.uint8)):
            Image.fromarray(image).save(folder / f"{row:04}.png")
        return sorted(folder.glob("*.png"))
    real = os.environ.get("AFFECTKERAS_REAL_DATA")
    if not real:
        raise UserError("Set AFFECTKERAS_REAL_DATA to a folder with data/ferplus, or use --quick.")
    for archive in ARCHIVES:
        with zipfile.ZipFile(Path(real) / "data" / "ferplus" / archive) as opened:
            opened.extractall(folder)
    return sorted(folder.rglob("*.png"))


def plant_copies(config: Config, originals: list[Path], folder: Path):
    """Write copies; return their paths, and a frame of `name`, `kind`, `first`, `second`."""
    import numpy as np
    import pandas as pd
    from PIL import Image

    generator = np.random.default_rng(1)
    paths, planted = [], []
    for number, (name, (kind, suffix, change)) in enumerate(copy_kinds().items()):
        for row in generator.choice(len(originals), config.copies, replace=False):
            path = folder / f"copy-{number}-{row}.{suffix}"
            with Image.open(originals[row]) as image:
                changed = change(image)
            if isinstance(changed, bytes):
                path.write_bytes(changed)
            else:
                changed.save(path)
            planted.append((name, kind, row, len(originals) + len(paths)))
            paths.append(path)
    return paths, pd.DataFrame(planted, columns=["name", "kind", "first", "second"])


def write_large(config: Config, originals: list[Path], folder: Path) -> list[Path]:
    """Write originals as colour JPEGs of 720 × 576 with grain, and return their paths."""
    import numpy as np
    from PIL import Image

    grain = np.random.default_rng(2).normal(0, 4, (576, 720, 3))
    tint = np.array([1.0, 0.85, 0.7])
    paths = []
    for row, original in enumerate(originals[: config.large_images]):
        with Image.open(original) as image:
            grey = np.asarray(image.resize((720, 576)), np.float32)
        pixels = np.clip(grey[:, :, None] * tint + grain, 0, 255).astype(np.uint8)
        paths.append(folder / f"large-{row}.jpg")
        Image.fromarray(pixels).save(paths[-1], quality=90)
    return paths


def same_photo(one, other) -> float:
    """Return the best correlation of a face's inner pixels with another's, moved and scaled.

    Args:
        one, other: uint8 `(48, 48)`.
    """
    import cv2
    import numpy as np

    best = -1.0
    inner = one[10:38, 10:38]
    for size in range(40, 59, 2):
        moved = cv2.resize(other, (size, size), interpolation=cv2.INTER_AREA)
        scores = cv2.matchTemplate(moved, inner, cv2.TM_CCOEFF_NORMED)
        # At most 5 pixels away from where the middle should lie.
        middle = (size - inner.shape[0]) // 2
        low, high = max(middle - 5, 0), middle + 6
        best = max(best, float(np.max(scores[low:high, low:high])))
    return best


def judge_pairs(paths: list[Path], pairs):
    """Return `same_photo` of each pair of a frame, the second mirrored where its kind says so."""
    import numpy as np
    from PIL import Image

    def read(row):
        with Image.open(paths[row]) as image:
            return np.array(image.convert("L"))

    return np.array(
        [
            same_photo(read(row.first), read(row.second)[:, :: -1 if row.kind == "mirrored" else 1])
            for row in pairs.itertuples()
        ]
    )


def measure_errors(config: Config, originals: list[Path], found) -> tuple[dict, dict]:
    """Return the cases of wrong pairs: of random ones, and of those reported as copies."""
    import numpy as np
    import pandas as pd

    generator = np.random.default_rng(3)
    rows = generator.integers(0, len(originals), (2 * config.random_pairs, 2))
    rows = np.sort(rows[rows[:, 0] != rows[:, 1]], axis=1)[: config.random_pairs]
    drawn = pd.DataFrame(rows, columns=["first", "second"])
    drawn = drawn.merge(found, how="left", on=["first", "second"])
    different = judge_pairs(originals, drawn) < SAME_PHOTO
    false = int((drawn["kind"].notna() & different).sum())
    own = found[(found["second"] < len(originals)) & (found["kind"] != "identical")]
    agreement = judge_pairs(originals, own)
    contradicted = int((agreement < SAME_PHOTO).sum())
    random_case = _case("random pairs wrongly reported, share", false / len(drawn), BAR_FALSE, True)
    name = "copies reported that the pixels contradict, share"
    own_case = _case(name, contradicted / max(len(own), 1), BAR_FALSE, True)
    own_case["pairs"] = own["kind"].value_counts().to_dict()
    own_case["least_agreement"] = float(agreement.min(initial=1))
    return random_case, own_case


def measure_found(planted, found) -> dict:
    """Return the case of planted copies: the least share found, with the right kind, of a sort."""
    merged = planted.merge(found, how="left", on=["first", "second"], suffixes=("", "_found"))
    right = merged["kind"] == merged["kind_found"]
    shares = right.groupby(merged["name"], sort=False).mean().to_dict()
    name = f"planted copies found, least share of {len(shares)} sorts"
    return {**_case(name, min(shares.values()), BAR_FOUND), "shares": shares}


def measure_identical(paths: list[Path], found) -> dict:
    """Return the case of identical pairs: those reported against those of equal bytes."""
    import hashlib
    from collections import Counter

    import numpy as np
    from PIL import Image

    counts = Counter()
    for path in paths:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
        counts[hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).digest()] += 1
    expected = sum(count * (count - 1) // 2 for count in counts.values())
    reported = int((found["kind"] == "identical").sum())
    case = _case("pixel-identical pairs found", reported, 1.0)
    ratio = reported / expected if expected else 1.0
    return {**case, "peer": expected, "ratio": ratio, "passed": reported == expected}


def measure_time(paths: list[Path], name: str, bar: float | None):
    """Return the case of seconds against the hash alone, and the pairs found."""
    from affectkeras.media.hashing import find_identical, pixel_digests
    from affectkeras.media.near_duplicates import describe_images, find_copies

    began = time.perf_counter()
    find_identical(pixel_digests(paths))
    peer = time.perf_counter() - began
    began = time.perf_counter()
    signatures = describe_images(paths)
    described = time.perf_counter() - began
    found = find_copies(signatures)
    ours = time.perf_counter() - began
    case = {
        **_case(f"{len(paths)} {name}, seconds", ours, bar, True),
        "peer": peer,
        "ratio": ours / peer,
        "seconds": {"describe": described, "search": ours - described},
        "images_per_second": len(paths) / ours,
    }
    return case, found


def main(config: Config) -> dict:
    """Measure, write `benchmarks/results/duplicate_search.json` (not when quick), return it."""
    from benchmarks.keeping import keep_result

    if config.quick:
        config = dataclasses.replace(config, copies=20, random_pairs=100, large_images=10)
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name, part) for part in ("originals", "copies", "large")]
        for folder in folders:
            folder.mkdir()
        originals = write_originals(config, folders[0])
        copies, planted = plant_copies(config, originals, folders[1])
        large = write_large(config, originals, folders[2])
        timed, found = measure_time([*originals, *copies], "PNG and JPEG of 48²", BAR_SECONDS)
        cases = [
            timed,
            measure_time(large, "colour JPEGs of 720 × 576", None)[0],
            measure_identical([*originals, *copies], found),
            measure_found(planted, found),
            *measure_errors(config, originals, found),
        ]
    found = {
        "cases": cases,
        "passed": all(case["passed"] is not False for case in cases),
    }
    result = keep_result("duplicate_search", config, found, load_before=load_before)
    for case in cases:
        met = {True: "met", False: "MISSED", None: "no bar"}[case["passed"]]
        print(f"{case['case']}: {case['ours']:.4g} ({met})")
    return result


def _case(name: str, ours, bar: float | None, most: bool = False) -> dict:
    """Return a case whose figure must be at least the bar, or at most."""
    passed = None if bar is None else bool(ours <= bar if most else ours >= bar)
    return {"case": name, "ours": ours, "peer": None, "ratio": None, "bar": bar, "passed": passed}


if __name__ == "__main__":
    import tyro

    main(tyro.cli(Config, description=__doc__))
