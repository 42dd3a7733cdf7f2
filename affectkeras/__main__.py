"""Commands: `python -m affectkeras doctor | predict | compare | ledger`."""

from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional, arg

from affectkeras.command_line import run_command
from affectkeras.errors import UserError

# What a command needs is imported when it runs: asking for help must not wait for TensorFlow.


def doctor(
    name: Annotated[Positional[str | None], arg(metavar="[NAME]")] = None,
    folder: Annotated[Positional[Path | None], arg(metavar="[DIR]")] = None,
    /,
    images: Literal["aligned", "original"] = "aligned",
    group_pattern: Annotated[str | None, arg(metavar="REGEX")] = None,
) -> int:
    """Look through a data set and say what is there, what is missing and what to mend.

    Nothing is changed. The exit status is 0 where all is well, 1 where problems were found, 2 where
    the folder cannot be read as that data set.

    Args:
        name: the data set; left out: list those there are.
        folder: the folder or .zip as its owner gave it; left out: show the expected layout.
        images: which images of sfew to look at.
        group_pattern: for image_folder: what its one group captures in a path is the image's group.
    """
    from affectkeras.doctor import doctor_command

    # Aligned faces are the reader's own default; the other readers know no such option.
    chosen = None if images == "aligned" else images
    return doctor_command(name, folder, images=chosen, group_pattern=group_pattern)


def predict(
    run: Annotated[Positional[Path], arg(metavar="RUN")],
    inputs: Annotated[Positional[tuple[Path, ...]], arg(metavar="IMAGE [IMAGE ...]")],
    /,
    csv: Annotated[Path | None, arg(metavar="FILE")] = None,
    batch_size: int = 32,
) -> None:
    """Classify images with a trained model and print file, class and probability of each.

    Args:
        run: a run folder (its saved_model/ is used), or a SavedModel folder itself.
        inputs: images, and folders in which JPEG and PNG files are looked for at any depth.
        csv: also write the table, with the probability of every class, to this file.
        batch_size: images given to the model at once.
    """
    if not inputs:
        raise UserError("predict needs at least one image or folder after the run. Found none.")
    from affectkeras.predict import predict_command

    predict_command(run, list(inputs), csv=csv, batch_size=batch_size)


def ledger(
    runs_dir: Annotated[Positional[Path], arg(metavar="RUNS_DIR")],
    /,
    out: Annotated[Path | None, arg(metavar="FILE")] = None,
) -> None:
    """Set every published figure beside ours: what its n allows, same protocol, honest protocol.

    Only complete runs on real data and at full size count; the others are named with the reason.

    Args:
        runs_dir: the folder in which result.json files are looked for, at any depth.
        out: also write the table to this file, .md or .csv.
    """
    from affectkeras.ledger_table import ledger_command

    # The library knows no recipe: the published figures are those of whichever are installed.
    ledger_command(runs_dir, "recipes", out)


def compare(
    arms: Annotated[Positional[tuple[str, ...]], arg(metavar="RUN_OR_ARM [RUN_OR_ARM ...]")],
    /,
    out: Annotated[Path | None, arg(metavar="DIR")] = None,
    worth: Annotated[float, arg(metavar="POINTS")] = 3.0,
) -> None:
    """Say whether arms of runs differ on the same test rows: interval, test and plain verdict.

    Args:
        arms: run folders, and RUN:ARM for one arm. A run stands for all its arms, "none" or else
            its first in front. The first of all is the reference.
        out: also write comparison.md, comparison.csv and comparison.png into this folder.
        worth: the difference worth finding; how many test rows it would need is said.
    """
    if not arms:
        raise UserError("compare needs at least one run folder or RUN:ARM. Found none.")
    from affectkeras.compare import compare_command

    compare_command(list(arms), out=out, worth_points=worth)


def main() -> object:
    """Run the command that the command line names."""
    return tyro.extras.subcommand_cli_from_dict(
        {"doctor": doctor, "predict": predict, "compare": compare, "ledger": ledger},
        prog="python -m affectkeras",
        description=(
            "Transfer learning for affect recognition. Recipes are commands of their own, such as "
            "python -m recipes.sfew_resnet --help."
        ),
    )


if __name__ == "__main__":
    run_command(main)
