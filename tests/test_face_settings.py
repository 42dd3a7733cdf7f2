"""What recipes on faces have in common: quick sizes and banners."""

import dataclasses
from pathlib import Path

from affectkeras.face_settings import face_banners, with_quick_sizes


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is read of a recipe's settings."""

    data_dir: Path | None = None
    dataset: str = "sfew"
    protocol: str = "grouped"
    weights: str | tuple[str, ...] = "imagenet"
    epochs: int = 31
    image_size: int = 224
    quick: bool = False


SIZES = {"epochs": 7, "image_size": 48}


def test_without_data_or_by_flag_sizes_that_were_not_given_are_quick():
    for settings in (Settings(epochs=9), Settings(Path("faces"), epochs=9, quick=True)):
        found = with_quick_sizes(settings, SIZES)
        assert (found.quick, found.epochs, found.image_size) == (True, 9, 48)
        assert found.data_dir == settings.data_dir


def test_with_data_sizes_stay():
    settings = Settings(Path("faces"))
    assert with_quick_sizes(settings, SIZES) == settings


def test_banners_say_what_holds_and_nothing_else():
    assert face_banners(Settings(Path("faces")), "few rows") == []
    sample = "Sample data: rendered faces. The figures say nothing about people."
    leak = "Protocol paper: all at random. It leaks, as published; do not quote it as "
    random = "Random initial weights: nothing was pretrained."
    settings = Settings(protocol="paper", quick=True, weights=("imagenet", "none"))
    assert face_banners(settings, "few rows", "all at random") == [
        sample, "Quick run: few rows.", leak + "generalisation.", random
    ]  # fmt: skip
    assert random in face_banners(Settings(weights="none"), "few rows")
