"""Who shows what in which invented movie: the plan of the sample faces, before any is drawn."""

import dataclasses

import numpy as np

from affectkeras.datasets.sample.face_parameters import (
    Expression,
    Identity,
    Scene,
    Shot,
    blend_expressions,
    draw_expression,
    draw_identity,
    draw_scene,
    draw_shot,
)
from affectkeras.datasets.sample.faces import CLASS_NAMES

# Class counts of SFEW's aligned faces (paper, Figure 2), in the order of CLASS_NAMES.
TRAIN_COUNTS = (178, 52, 78, 184, 144, 161, 94)
VALIDATION_COUNTS = (77, 23, 46, 84, 72, 73, 56)

# Titles that differ in their last digit only are one franchise and share a cast.
TRAIN_MOVIES = (
    "RiverTown1", "RiverTown2", "RiverTown3", "GlassHarbour", "TheNightPorter", "LemonSeason",
    "NorthOfWinter1", "NorthOfWinter2", "CopperLine", "AfterTheRehearsal", "SevenUmbrellas",
    "TheLastFerry", "PaperMoonlight", "OrchardRoad", "SaltAndCedar", "TheQuietJury", "LowTide",
    "BlueWindow1", "BlueWindow2", "AnHonestThief", "MarketDay", "TheCartographer", "Sundial",
    "FoxgloveLane", "TenPastMidnight", "TheBeekeeper", "SignalHill", "Wintergreen",
)  # fmt: skip
VALIDATION_MOVIES = (
    "StonePier1", "StonePier2", "TheVioletHour", "Hummingbird", "CrossingTheFen", "DustAndHoney",
    "TheUnderstudy", "EastWindow1", "EastWindow2", "AlmanacOfRain", "TheClockmender", "Larkspur",
    "HouseOnTheBend", "Kingfisher", "TheLongRecess", "Tangerine", "ASmallOrchestra", "Driftwood",
)  # fmt: skip
TEST_MOVIES = ("TheGreenroom", "Halfmoon", "PearlDivers", "AtticLetters")

_AMBIGUOUS_SHARE = 0.08  # shown so weakly that it could be another class
_WRONG_SHARE = 0.03  # of the training faces lie in a wrong class's folder


@dataclasses.dataclass(frozen=True)
class PlannedFace:
    """A face to draw and the label it is given.

    Args:
        movie, name: the invented movie and the file's name.
        label: the class whose folder the file lies in.
        shown: the class whose expression is drawn; differs from `label` where the label is wrong.
        ambiguous: whether the expression is weak or mixed with another.
        who, what, scene, shot: what `faces.render_face` takes.
    """

    movie: str
    name: str
    label: str
    shown: str
    ambiguous: bool
    who: Identity
    what: Expression
    scene: Scene
    shot: Shot


def share_counts(total: int, proportions: tuple[int, ...]) -> list[int]:
    """Return whole counts that add up to `total` in the given proportions (largest remainders)."""
    exact = np.array(proportions) / sum(proportions) * total
    counts = np.floor(exact).astype(int)
    order = np.argsort(-(exact - counts), kind="stable")
    counts[order[: total - counts.sum()]] += 1
    return counts.tolist()


def plan_part(
    random: np.random.Generator,
    movies: tuple[str, ...],
    counts: list[int],
    *,
    wrong_share: float = 0.0,
) -> list[PlannedFace]:
    """Plan a part of the data set.

    Args:
        random: where the numbers come from.
        movies: titles; clips are dealt to them in turn, so every movie holds many classes.
        counts: faces per class, in the order of `CLASS_NAMES`.
        wrong_share: share of the faces that are labelled as another class.
    """
    casts = _casts(random, movies)
    clips = _cut_into_clips(random, counts)
    rotation = random.permutation(len(movies))
    faces: list[PlannedFace] = []
    for i, clip in enumerate(clips):
        movie = movies[rotation[i % len(movies)]]
        cast = casts[movie.rstrip("0123456789")]
        faces += _plan_clip(random, movie, cast[random.integers(len(cast))], clip)
    return _mislabel(random, faces, wrong_share)


def part_proportions(part: str) -> tuple[int, ...]:
    """Return the class proportions of `"train"`, `"validation"` or `"test"` (like validation)."""
    return TRAIN_COUNTS if part == "train" else VALIDATION_COUNTS


def _casts(random, movies) -> dict[str, list[Identity]]:
    franchises = dict.fromkeys(movie.rstrip("0123456789") for movie in movies)
    return {
        title: [draw_identity(random) for _ in range(random.integers(3, 6))] for title in franchises
    }


def _cut_into_clips(random, counts) -> list[list[str]]:
    """Return clips, each a list of the classes of its frames, in random order."""
    clips = []
    for name, count in zip(CLASS_NAMES, counts, strict=True):
        while count > 0:
            frames = min(int(random.integers(1, 5)), count)
            clips.append([name] * frames)
            count -= frames
    clips = [clips[i] for i in random.permutation(len(clips))]
    merged: list[list[str]] = []
    for clip in clips:  # now and then a clip passes from one expression into another
        if merged and len(merged[-1]) < 5 and random.random() < 0.15:
            merged[-1] = merged[-1] + clip
        else:
            merged.append(clip)
    return merged


def _plan_clip(random, movie, who, classes) -> list[PlannedFace]:
    seconds = int(random.integers(60, 7000))
    clock = f"{seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}"
    clock += f"{random.integers(1000):03d}"
    scene = draw_scene(random)
    frames = np.sort(random.choice(np.arange(1, 100), size=len(classes), replace=False))
    faces = []
    for shown, frame in zip(classes, frames, strict=True):
        ambiguous = bool(random.random() < _AMBIGUOUS_SHARE)
        intensity = random.uniform(0.05, 0.3) if ambiguous else random.uniform(0.85, 1.2)
        what = draw_expression(shown, random, intensity)
        if ambiguous:
            other = draw_expression(str(random.choice(CLASS_NAMES)), random, 0.5)
            what = blend_expressions(what, other, random.uniform(0.3, 0.6))
        name = f"{movie}_{clock}_{frame:08d}.png"
        faces.append(
            PlannedFace(movie, name, shown, shown, ambiguous, who, what, scene, draw_shot(random))
        )
    return faces


def _mislabel(random, faces, share) -> list[PlannedFace]:
    """Give a share of the faces the label of another class."""
    faces = list(faces)
    for i in random.choice(len(faces), size=round(share * len(faces)), replace=False):
        others = [name for name in CLASS_NAMES if name != faces[i].shown]
        faces[i] = dataclasses.replace(faces[i], label=str(random.choice(others)))
    return faces


def wrong_share(part: str) -> float:
    """Return the share of wrong labels planned for a part: only the training part has any."""
    return _WRONG_SHARE if part == "train" else 0.0
