"""The members that the settings of an ensemble name: backbones to train, models of other runs."""

import dataclasses
from collections.abc import Sequence

from affectkeras.errors import UserError
from affectkeras.evaluation.ensemble_weights import RULES
from affectkeras.finished_members import read_finished, shared_settings


@dataclasses.dataclass(frozen=True)
class BackboneMember:
    """A member that is trained here.

    Args:
        name: unlike the other members'.
        backbone: of the zoo.
        image_size: height and width in pixels.
        weights: `"imagenet"`, `"none"` or a file.
    """

    name: str
    backbone: str
    image_size: int
    weights: str


def settle_from(config):
    """Return the settings of a run on finished runs: their data, divided as they were.

    Args:
        config: a recipe's `Config` with `from_runs` and the settings of the data. A `data_dir` that
            was given stands: the data may have moved since.

    Raises:
        UserError: where a run is not finished, or two were made on different data.
    """
    shared = shared_settings(read_finished(config.from_runs))
    if config.data_dir is not None:
        del shared["data_dir"]
    known = {field.name for field in dataclasses.fields(config)}
    shared = {name: value for name, value in shared.items() if name in known and value is not None}
    # A finished model is of one training, whatever its seed.
    return dataclasses.replace(config, **shared, seeds=config.seeds[:1])


def settle_backbones(config):
    """Return the settings with a size and weights for each of `members`, all within reach.

    Args:
        config: a recipe's `Config`: `members`, `image_size`, `weights`, `regime` and `data_dir`.

    Raises:
        UserError: for an unknown backbone, images too small for one, a number of sizes or weights
            that fits no number of members, or weights that cannot be had.
    """
    from affectkeras.transfer.weight_files import WeightsUnreachable
    from affectkeras.transfer.zoo import find_backbone, weights_path

    backbones = [find_backbone(name) for name in config.members]
    sizes = _one_each("--image-size", config.image_size, config.members)
    sizes = sizes or [backbone.default_size for backbone in backbones]
    given = ("none",) if config.regime == "scratch" else config.weights
    weights = _one_each("--weights", given, config.members)
    for place, (backbone, size) in enumerate(zip(backbones, sizes, strict=True)):
        if size < backbone.min_size:
            raise UserError(
                f"{backbone.name} needs images of at least {backbone.min_size} pixels. Received: "
                f"--image-size {size}. Give one size per member, or leave the member out."
            )
        try:
            weights_path(backbone, weights[place], (size, size))
        except WeightsUnreachable:
            if config.data_dir is not None:
                raise
            weights[place] = "none"  # said in the banner
    config = dataclasses.replace(config, image_size=tuple(sizes), weights=tuple(weights))
    member_names(config)
    return config


def backbone_members(config) -> list[BackboneMember]:
    """Return the members that are trained; of one backbone in two sizes the size tells which."""
    names = [
        name if config.members.count(name) == 1 else f"{name}-{size}"
        for name, size in zip(config.members, config.image_size, strict=True)
    ]
    settings = zip(names, config.members, config.image_size, config.weights, strict=True)
    return [BackboneMember(*one) for one in settings]


def member_names(config) -> list[str]:
    """Return the names of all members, trained or finished, in order.

    Raises:
        UserError: where two are called alike, or one as a rule.
    """
    names = [one.name for one in backbone_members(config)]
    names += [one.name for one in read_finished(config.from_runs)]
    for name in names:
        if names.count(name) > 1 or name in RULES:
            raise UserError(
                f"two members of the ensemble would be called {name}. Give different backbones, or "
                "different sizes of one; rename the run folder of a member from a finished run."
            )
    return names


def _one_each(option: str, given: Sequence, members: Sequence[str]) -> list:
    """Return one value per member: the only one for all, or theirs; nothing of nothing."""
    if len(given) == 1:
        return list(given) * len(members)
    if given and members and len(given) != len(members):
        raise UserError(
            f"{option} must be one for all members or one for each of the {len(members)}. "
            f"Received: {len(given)}"
        )
    return list(given) if members else []
