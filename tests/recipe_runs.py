"""Recipes run as a user runs them, in processes of their own, and tiny faces for them."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]


def start(*arguments) -> subprocess.Popen:
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(*arguments) -> str:
    process = start(*arguments)
    printed, _ = process.communicate()
    assert process.returncode == 0, printed[-4000:]
    return printed


def write_faces(folder: Path, per_class: int = 12) -> Path:
    """Write three classes of noise whose brightness tells the class, named by who they show."""
    generator = np.random.default_rng(0)
    for label, level in (("calm", 60), ("glad", 120), ("sad", 180)):
        (folder / label).mkdir(parents=True)
        for number in range(per_class):
            pixels = generator.normal(level, 40, (40, 40, 3)).clip(0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / label / f"person{number % 6}_{number}.png"), pixels)
    (folder / "sad" / "person1_damaged.png").write_bytes(b"\x89PNG\r\n")
    return folder
