"""What a recipe with a pretrained backbone refuses among its settings of training."""

from affectkeras.errors import UserError
from affectkeras.settling import check_lists, check_positive


def check_transfer_settings(config) -> None:
    """Refuse settings that make no sense.

    Args:
        config: a recipe's `Config`: `image_size`, `weights`, `regime`, `last_blocks`, `plan`,
            `hidden`, `epochs`, `batch_size`, `learning_rate`, `block_rate`, `weight_decay`,
            `removal`, `seeds` and `devices` are read from it.

    Raises:
        UserError: naming the option and what it must be.
    """
    sizes = ("epochs", "batch_size", "image_size", "learning_rate", "hidden", "last_blocks")
    check_positive(config, *sizes, "devices")
    check_lists(config, "removal", "seeds")
    if not 0 < config.block_rate <= 1:
        raise UserError(f"--block-rate must be in (0, 1]. Received: {config.block_rate}")
    if config.weight_decay < 0:
        raise UserError(f"--weight-decay must be at least 0. Received: {config.weight_decay}")
    if config.regime == "scratch":
        _check_scratch(config)


def _check_scratch(config) -> None:
    for option, given, mend in (
        ("--weights", config.weights not in ("imagenet", "none"), "Leave --weights out"),
        ("--plan staged", config.plan == "staged", "Choose another plan"),
    ):
        if given:
            raise UserError(
                f"--regime scratch starts from random weights, so {option} has nothing to build "
                f"on. {mend}, or choose another regime."
            )
