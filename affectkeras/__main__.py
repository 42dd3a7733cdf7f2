"""Commands: `python -m affectkeras doctor | predict | prune | demo | …`."""

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
    modality: Annotated[str | None, arg(metavar="NAME")] = None,
    labels: Annotated[int | None, arg(metavar="6|20")] = None,
    alignment: Literal["auto", "frame", "box"] = "auto",
    rater: Literal["self", "partner", "external"] | None = None,
    align: Literal["start", "cut"] | None = None,
    subjects: Literal["complete", "all"] | None = None,
    chest: bool = False,
    optional: bool = False,
) -> int:
    """Look through a data set and say what is there, what is missing and what to mend.

    Nothing is changed. The exit status is 0 where all is well, 1 where problems were found, 2 where
    the folder cannot be read as that data set.

    Args:
        name: the data set; left out: list those there are.
        folder: the folder or .zip as its owner gave it; left out: show the expected layout.
        images: which images of sfew to look at.
        group_pattern: for image_folder: what its one group captures in a path is the image's group.
        modality: for anu_stress: thermal (where nothing is said) or what else the manifest names.
        labels: for anu_stress: only the first so many clips of each video.
        alignment: for aff_wild: whether labels belong to frames by number, or only frames with a
            box have labels; auto finds it out for each video.
        rater: for k_emocon: whose ratings; left out: the person's own.
        align: for k_emocon: ratings begin with the debate, or longer ones lose their beginning;
            left out: start.
        subjects: for k_emocon: the authors' 21, or all with signals and ratings; left out: all.
        chest: for wesad: the signals of the chest too.
        optional: for pamap2: the folder Optional too.
    """
    from affectkeras.doctor import doctor_command

    options = {"group_pattern": group_pattern, "modality": modality, "labels": labels}
    options |= {"rater": rater, "align": align, "subjects": subjects}
    options |= {"chest": chest or None, "optional": optional or None}
    # These are the reader's own defaults; the other readers know no such options.
    options["images"] = None if images == "aligned" else images
    options["alignment"] = None if alignment == "auto" else alignment
    return doctor_command(name, folder, **options)


def crop_faces(
    paths: Annotated[Positional[tuple[Path, ...]], arg(metavar="SRC [SRC ...] DST")],
    /,
    size: Annotated[int | None, arg(metavar="PIXELS|None")] = 224,
    margin: float = 0.2,
    all_faces: bool = False,
    keep_whole: bool = False,
    min_confidence: float = 0.9,
    longest_side: Annotated[int, arg(metavar="PIXELS")] = 640,
) -> None:
    """Cut faces out of whole photographs into square PNG files, below DST as they lie below SRC.

    Faces are found by MTCNN, or by a Haar cascade where it finds none, and kept in the cache:
    another margin or size needs no new search. Photographs are turned as their EXIF orientation
    says. A crop that reaches beyond the photograph repeats its outermost pixels; nothing is
    distorted. DST/faces.csv tells the outcome of every file (mtcnn, haar, no_face, whole or
    damaged), box and landmarks in pixels of the upright photograph, and what was written. Run again
    to go on where it was broken off.

    Args:
        paths: a folder of JPEG and PNG files at any depth, or files; last the folder for the crops.
        size: side of the crops; None: as they are in the photograph.
        margin: added at each side of a face, as a share of the longer side of its box.
        all_faces: cut out every face, not only the one that is large, central and certain.
        keep_whole: write a photograph without a face whole.
        min_confidence: below it, a face of MTCNN does not count.
        longest_side: larger photographs are reduced to this for the search, in which faces of less
            than 20 pixels are not found.
    """
    if len(paths) < 2:
        raise UserError(
            "crop-faces needs a folder or files, and last a folder for the crops. Found "
            f"{' '.join(map(str, paths)) or 'none'}."
        )
    from affectkeras.cropping.crop_faces import CropSettings, crop_faces_command
    from affectkeras.media.faces import DetectionSettings

    detection = DetectionSettings(longest_side=longest_side, min_confidence=min_confidence)
    settings = CropSettings(size, margin, all_faces, keep_whole, detection)
    crop_faces_command(paths[:-1], paths[-1], settings)


def predict(
    run: Annotated[Positional[Path], arg(metavar="RUN")],
    inputs: Annotated[Positional[tuple[Path, ...]], arg(metavar="FILE [FILE ...]")],
    /,
    csv: Annotated[Path | None, arg(metavar="FILE", aliases=("--output",))] = None,
    annotate: Annotated[Path | None, arg(metavar="DIR")] = None,
    plot: Annotated[Path | None, arg(metavar="DIR")] = None,
    dataset: Literal["empatica_e4", "k_emocon", "stress_predict", "wesad", "pamap2"] | None = None,
    step: Annotated[float | None, arg(metavar="SECONDS")] = None,
    batch_size: int = 32,
) -> None:
    """Read images, videos or recordings of wearables with a trained model.

    Of images, file, class and probability are printed. Of videos the face of the largest and most
    persistent person is followed and read, whether the model was trained on videos or on single
    pictures: a CSV row per frame with time, box, confidence, and valence, arousal and sector, or
    class. A frame without the face has empty fields. Of recordings (for a run of a recipe on
    wearables) a CSV row per window: recording, subject, times, class and the probability of every
    class; a window with too many gaps has the reason in its place. Where the model was trained on
    signals scaled by subject, the mean and standard deviation are those of all that is given of the
    subject: give whole recordings.

    Args:
        run: a run folder (its saved_model/ is used), or a SavedModel folder itself.
        inputs: images or videos, and folders in which they are looked for at any depth. Both at
            once for a model of videos only, which looks for the face in photos too. Of wearables:
            folders of recordings.
        csv: write the table to this file: of images also with the probability of every class, of
            videos and recordings instead of printing it.
        annotate: of videos: write them to this folder with box and word drawn in, H.264 in MP4.
        plot: of videos and recordings: write the curves over time to this folder, as PNG.
        dataset: of recordings: whose layout the folders have; left out: empatica_e4, a person's own
            folders of an Empatica E4.
        step: of recordings: from one window's beginning to the next; left out: as long as a window.
        batch_size: images given to the model at once.
    """
    if not inputs:
        raise UserError("predict needs at least one file or folder after the run. Found none.")
    from affectkeras.predict import predict_command

    predict_command(run, list(inputs), csv, batch_size, annotate, plot, dataset, step)


def prune(
    model: Annotated[Positional[Path], arg(metavar="MODEL_OR_RUN")],
    out: Annotated[Positional[Path], arg(metavar="OUT")],
    /,
    threshold: Annotated[float | None, arg(metavar="DEGREES")] = None,
    fraction: Annotated[float | None, arg(metavar="SHARE")] = None,
    plan: Annotated[Path | None, arg(metavar="FILE")] = None,
    images: Annotated[tuple[Path, ...], arg(metavar="IMAGE_OR_FOLDER ...")] = (),
    layers: tuple[str, ...] = (),
    importance: Literal["l1", "random"] = "l1",
    multiple_of: int | None = None,
    recalibrate: bool = False,
) -> None:
    """Make any functional Keras model physically smaller, and prove that nothing else changed.

    Maps go by --threshold (those that do the work of others on the --images), by --fraction (the
    least important of every group) or by an earlier --plan. The smaller model equals the old one
    with those maps masked where they are read; nothing is trained. With --recalibrate the
    statistics of BatchNormalization are then measured anew on the --images.

    Args:
        model: a .keras file, or a run folder.
        out: a new folder, for model.keras, plan.json and, of a run, saved_model/.
        threshold: maps whose activations lie at a smaller angle, or as close to 180, go.
        fraction: the share of every group of maps that goes, in [0, 1).
        plan: replay a plan.json.
        images: with --threshold or --recalibrate: what the maps are measured on, best training
            images.
        layers: with --threshold: only the maps of these layers.
        importance: with --fraction: which maps count least.
        multiple_of: with --fraction: what stays is a multiple of this, such as 8.
        recalibrate: set the means and variances of BatchNormalization to those of what the smaller
            model reads of the --images; frozen layers keep theirs.
    """
    from affectkeras.prune import PruneSettings, prune_command

    settings = PruneSettings(
        threshold, fraction, plan, importance, layers, multiple_of, images, recalibrate
    )
    prune_command(model, out, settings)


def sweep(
    model: Annotated[Positional[Path], arg(metavar="MODEL_OR_RUN")],
    out: Annotated[Positional[Path], arg(metavar="OUT")],
    /,
    images: Annotated[tuple[Path, ...], arg(metavar="IMAGE_OR_FOLDER ...")],
    labelled: Annotated[Path, arg(metavar="FOLDER")],
    thresholds: Annotated[tuple[float, ...] | None, arg(metavar="DEGREES ...")] = None,
    layers: tuple[str, ...] = (),
) -> None:
    """Tell what pruning by distinctiveness would remove and cost at every threshold angle.

    The maps are measured in one pass; nothing is trained and no model is written. Choose an angle,
    then use prune.

    Args:
        model: a .keras file, or a run folder.
        out: a new folder, for sweep.csv and plots/sweep.png.
        images: what the maps are measured on, best training images.
        labelled: a folder with one folder of images per class, best validation images.
        thresholds: left out: 2, 4 … 40.
        layers: only the maps of these layers.
    """
    from affectkeras.sweep import THRESHOLDS, sweep_command

    chosen = THRESHOLDS if thresholds is None else thresholds
    sweep_command(model, out, images=images, labelled=labelled, thresholds=chosen, layers=layers)


def zoo(
    only: Annotated[tuple[str, ...], arg(metavar="NAME_OR_PATTERN ...")] = (),
    format: Literal["markdown", "csv", "json"] = "markdown",
    measure: bool = False,
    image_size: Annotated[int | None, arg(metavar="PIXELS")] = None,
    activations: Annotated[str | None, arg(metavar="BACKBONE")] = None,
    image: Annotated[Path | None, arg(metavar="FILE")] = None,
    weights: str = "imagenet",
    out: Annotated[Path | None, arg(metavar="FILE")] = None,
) -> None:
    """List the backbones there are: size, parameters, depth, accuracy, preprocessing, input sizes.

    With --measure also how fast each is on this machine, from pixels to pooled features; what was
    measured is kept, so that only new models take time. With --activations a picture instead: what
    the early, middle and late layers of a backbone make of a face.

    Args:
        only: these, such as resnet50 or 'mobilenet*'; left out: all.
        format: of the table.
        measure: time each network on this machine.
        image_size: for --measure and --activations; left out: what each was trained at.
        activations: write a picture of this backbone's maps of --image.
        image: for --activations: a JPEG or PNG, best a face cut out.
        weights: for --activations: imagenet, none or the path of a weights file.
        out: write to this file; left out: the table is printed, the picture is
            BACKBONE-activations.png.
    """
    if image_size is not None and image_size < 1:
        raise UserError(f"--image-size must be above 0. Received: {image_size}")
    if activations is not None:
        from affectkeras.zoo_activations import activations_command

        activations_command(activations, image, weights=weights, image_size=image_size, out=out)
        return
    if image is not None:
        raise UserError("--image is for --activations: name the backbone whose maps to draw.")
    from affectkeras.zoo_table import zoo_command

    zoo_command(only, format=format, measure=measure, image_size=image_size, out=out)


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
    from affectkeras.comparing.ledger_table import ledger_command

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
    from affectkeras.comparing.compare import compare_command

    compare_command(list(arms), out=out, worth_points=worth)


def demo(
    run: Annotated[Positional[Path | None], arg(metavar="[RUN]")] = None,
    /,
    port: int = 0,
    open: bool = False,
    max_minutes: float = 10,
    max_megabytes: float = 500,
) -> None:
    """Show on a page of this machine what a model reads in a video, frame by frame.

    Drop a video or photo, or use the webcam: it plays with face and reading drawn in, beside curves
    over time; the keys k and j go a frame on and back. Only this machine reaches the page, nothing
    is sent elsewhere, and all that was uploaded is deleted. Ctrl-C ends it.

    Args:
        run: a run folder; left out: a sample model on rendered faces, trained once in about two
            minutes.
        port: 0: any that is free.
        open: open the page in the browser.
        max_minutes: length of a video that is accepted.
        max_megabytes: size of a file that is accepted.
    """
    from affectkeras.demo.serve import demo_command
    from affectkeras.demo.uploads import Limits

    limits = Limits(megabytes=max_megabytes, minutes=max_minutes)
    demo_command(run, port=port, open_browser=open, limits=limits)


def main() -> object:
    """Run the command that the command line names."""
    return tyro.extras.subcommand_cli_from_dict(
        {
            "doctor": doctor,
            "crop-faces": crop_faces,
            "predict": predict,
            "prune": prune,
            "sweep": sweep,
            "zoo": zoo,
            "compare": compare,
            "ledger": ledger,
            "demo": demo,
        },
        prog="python -m affectkeras",
        description=(
            "Transfer learning for affect recognition. Recipes are commands of their own, such as "
            "python -m recipes.sfew_resnet --help."
        ),
    )


if __name__ == "__main__":
    run_command(main)
