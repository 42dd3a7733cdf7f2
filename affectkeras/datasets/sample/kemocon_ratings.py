"""How a debate of the sample is rated every five seconds, and the files of its ratings."""

import dataclasses
from pathlib import Path

import numpy as np

from affectkeras.datasets.sample.physiology_files import write_rows
from affectkeras.datasets.sample.physiology_paths import rate_levels

WATCHERS = tuple(f"R{number}" for number in range(1, 6))
# Ends of the files' names and the folders they lie in. Those who watch come before what is made
# of their ratings.
RATERS = (
    ("self", "self_annotations"),
    ("partner", "partner_annotations"),
    *((watcher, "external_annotations") for watcher in WATCHERS),
    ("external", "aggregated_external_annotations"),
)
SCALES = ("arousal", "valence", "cheerful", "happy", "angry", "nervous", "sad")
COMMON = ("boredom", "confusion", "delight", "concentration", "frustration", "surprise", "none_1")
LESS_COMMON = (
    *("confrustion", "contempt", "dejection", "disgust", "eureka", "pride", "sorrow", "none_2"),
)
# How far a judgement is off, levels, and the share that has nothing to do with what is rated.
_NOISE = {"self": (0.4, 0.07), "partner": (0.55, 0.08), "external": (0.4, 0.03)}
_WATCHER_NOISE = (0.7, 0.1)


@dataclasses.dataclass(frozen=True, eq=False)
class Ratings:
    """The ratings of one rater, a text for each of `SCALES` and stretch: `(stretches, 7)`."""

    texts: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)

    def lengthened(self, rows: int, where: str) -> "Ratings":
        """Return them with the first or last rating repeated: `where` is "beginning" or "end"."""
        before, after = (rows, 0) if where == "beginning" else (0, rows)
        return Ratings(np.pad(self.texts, ((before, after), (0, 0)), mode="edge"))

    def unrated(self, rows: np.ndarray, mark: str) -> "Ratings":
        """Return them with a mark in place of arousal and valence."""
        texts = self.texts.copy()
        texts[rows, :2] = mark
        return Ratings(texts)


def rate_debate(
    random: np.random.Generator, rater: str, arousal: np.ndarray, valence: np.ndarray
) -> Ratings:
    """Return how a rater judges levels of arousal and valence, each `(stretches,)`."""
    noise, slips = _NOISE.get(rater, _WATCHER_NOISE)
    # Levels of the other scales, which run from 1 to 4 and are mostly low.
    glad = 1 + 2.4 * np.clip((valence - 2.6) / 2.4, 0, 1)
    tense = 1 + 2.2 * np.clip((arousal - 2.6) / 2.4, 0, 1)
    sour = 1 + np.clip((arousal - 3) / 2, 0, 1) * np.clip(3 - valence, 0, 2)
    sad = 1 + 0.8 * np.clip(2.2 - valence, 0, 1)
    levels = (arousal, valence, glad, glad, sour, tense, sad)
    numbers = [
        rate_levels(random, level, noise=noise, slips=slips, highest=5 if place < 2 else 4)
        for place, level in enumerate(levels)
    ]
    return Ratings(np.stack(numbers, axis=1).astype("<U1"))


def write_ratings(path: Path, ratings: Ratings, step_s: int, random: np.random.Generator) -> None:
    """Write ratings as their owners do: `seconds` is when a stretch ends.

    Of what BROMP tells apart one of the common and one of the less common is marked with an x,
    with nothing to be learned from it.
    """
    count = len(ratings)
    seconds = step_s * np.arange(1, count + 1)
    columns = [seconds, *ratings.texts.T]
    for names, none in ((COMMON, 0.5), (LESS_COMMON, 0.8)):
        marked = random.integers(0, len(names), count)
        marked[random.uniform(size=count) < none] = len(names) - 1
        columns += [np.where(marked == place, "x", "") for place in range(len(names))]
    header = ",".join(["seconds", *SCALES, *COMMON, *LESS_COMMON])
    write_rows(path, header, "%d" + ",%s" * (len(columns) - 1), *columns)
