"""One page that tells what a run found: `report.html`, whole in itself, made from the run folder.

The page needs no network: the plots are inside it. Every word that came from data is escaped.
"""

import base64
import html
import shlex
from pathlib import Path

from affectkeras.files import atomic_file
from affectkeras.reporting import number_tables, stress_tables, subject_tables
from affectkeras.reporting import report_tables as tables
from affectkeras.reporting.claims_table import claims
from affectkeras.reporting.classifier_table import classifiers
from affectkeras.reporting.ensemble_table import ensemble
from affectkeras.reporting.html_page import page, preformatted, section
from affectkeras.reporting.plots import plot_run
from affectkeras.reporting.published_comparison import comparison
from affectkeras.reporting.regime_table import transfer
from affectkeras.reporting.report_metrics import further_metrics
from affectkeras.reporting.run_data import RunData, read_run
from affectkeras.signal_facts import recordings_arguments

FACE_VIDEOS = ("aff_wild", "aff_wild2")  # models trained on them read videos
CAPTIONS = {
    "accuracy": "Accuracy on the test part. A figure whose interval reaches the majority line has "
    "shown nothing. Arms are compared by their difference on the same rows, above.",
    "comparison": "The methods that the paper compares (Figure 12). Bars: as published, each on "
    "its own division of the data; points: ours, on the test part of the run.",
    "subject-scores": "Macro F1 of every subject, predicted by a model that never saw this person, "
    "mean over seeds. Lines: means over subjects; band: one standard deviation (divisor n) of the "
    "served arm. A subject with one class only cannot reach 100 %.",
    "label-skew": "Windows by class. Dashed: of two classes the share of the first. Class weights "
    "in training make up for the skew over all, not for that of single subjects.",
    "signals": "A piece of one recording. Grey (black points where samples are rare): as recorded; "
    "colour: at the rate that the model is given. Shaded: the labels.",
    "smoothing": "A rolling mean is a low-pass filter: the wider, the less is left of the pulse. "
    "The mean of a slot is what the common rate keeps.",
    "leaking-pairs": "Pictures on two sides of the split that the leakage check holds against each "
    "other, at most a dozen of each kind.",
    "face-sheet": "Frames of some videos with the box of the face, and beside each what is cut out "
    "of it (the paper's Figures 3 and 4).",
    "learning-curves": "Mean over seeds (thick) and each seed (thin). Training figures are taken "
    "while the epoch runs, with dropout on (and augmentation, where there is any), so they may lie "
    "below validation.",
    "arms-together": "All arms over the epochs, mean over seeds and folds (thick) and each (thin).",
    "inflation": "The same network, settings, tested frames and number of training frames: only "
    "what is held out differs. With subjects held out is what a new person may expect.",
    "masks": "What each layer of learned dropout multiplies its maps with, for one test picture "
    "(the paper's Figure 8): black is dropped, each mask scaled to its own brightest.",
    "mask-weight": "Test pictures by how much of their masks is zero and, where the face is known, "
    "by how much of their weight lies on it: a mask that does not look for the face lies on the "
    "dashed line.",
    "activations": "One network, one fold, three activations: mean over seeds (thick) and each.",
    "class-f1": "F1 of every class, of at most six arms: the best on validation rows, or, where "
    "none validates, the served one and the first. The grey bar "
    "is a model that always names the commonest "
    "training class.",
    "confusion": "Each row adds up to 100 %; the counts stand below.",
    "reliability": "Rows of the test part by the probability of the class they were given: on the "
    "dashed line the model is right as often as it says, below it claims too much. All seeds "
    "together; hollow: fewer than 10 rows. ECE: expected calibration error, mean over seeds.",
    "sweep": "Validation rows, mean over seeds: what each threshold angle removes and what is left "
    "without any further training (the paper's Figure 2). A Pareto point is beaten by no other in "
    "both size and accuracy.",
    "feature-maps": "What every module of the whole network makes of one face, its most varied "
    "maps first (the paper's Figure 1).",
    "backbone-maps": "What the layers where the first, the middle and the last block of the served "
    "model's backbone end make of one validation face, their most varied maps first (the lecture's "
    "Figure 3-3).",
    "loss-variance": "Variance of the losses of all training rows, scored without augmentation "
    "and dropout after each epoch (the paper's Figure 7).",
    "loss-histogram": "Losses of the training rows before and after the first removal, counts on "
    "a logarithmic axis (the paper's Figures 8 and 9).",
    "ccc": "Concordance on the test part. An arm whose interval reaches the dashed line has not "
    "been shown to know more than the mean of training. Arms are compared by their difference on "
    "the same rows, above.",
    "loss-curves": "Training and validation loss, mean over seeds (thick) and each seed (thin), as "
    "in the paper's Figures 8 and 9. Training figures are taken while the epoch runs.",
    "per-video": "Bars: the arm that stands for the target, by which the videos are sorted. A "
    "cross: no figure, as truth and prediction are one constant.",
    "prediction-curves": "The best, middle and worst test videos by their CCC, mean over targets. "
    "Predictions are means over seeds; the CCC in a title is the mean of the seeds' own.",
    "circumplex": "Test rows in the plane of valence and arousal, predictions as mean over seeds, "
    "with Russell's eight concepts, each at the middle of its sector, and the share of rows in it.",
    "removed-faces": "What was taken out: class, loss and file. Look at them: a wrong label is "
    "noise, a rare but right one is not.",
}


def write_report(run_dir: Path) -> Path:
    """Draw the plots of a run and write its `report.html`.

    Args:
        run_dir: a run folder; what it lacks is left out of the page.

    Returns:
        The page's path.

    Raises:
        UserError: when there is no such folder.
    """
    plots = plot_run(run_dir)
    run = read_run(run_dir)
    path = run.folder / "report.html"
    with atomic_file(path) as file:
        file.write(render_report(run, plots).encode("utf-8", "backslashreplace"))
    return path


def render_report(run: RunData, plots: dict[str, Path]) -> str:
    """Return the page as HTML.

    Args:
        run: what the run folder holds.
        plots: name → PNG file, as `plots.plot_run` returns it.
    """
    result = run.result
    dataset = result.get("dataset") or {}
    recipe = result.get("recipe") or run.config.get("recipe") or "run"
    compared = number_tables.compare_arms_of(run)
    found = [
        section(
            "Verdict",
            tables.verdict(run),
            _figure("accuracy", plots),
            number_tables.number_verdict(run, compared),
            _figure("ccc", plots),
        ),
        section("Subjects", subject_tables.by_subject(run), _figure("subject-scores", plots)),
        section("Classifiers", classifiers(run)),
        section("Ensemble", ensemble(run)),
        section("Ablation", number_tables.ablation(run, compared)),
        section(
            "Pruning",
            tables.pruning(run),
            _figure("sweep", plots),
            _figure("feature-maps", plots),
        ),
        section(
            "Published figures beside ours",
            claims(result),
            comparison(run),
            _figure("comparison", plots),
        ),
        section(
            "Data",
            tables.data_counts(run),
            _figure("face-sheet", plots),
            subject_tables.label_words(run),
            _figure("label-skew", plots),
        ),
        section(
            "Signals",
            _figure("signals", plots),
            _figure("smoothing", plots),
            subject_tables.irregularities(run),
        ),
        section(
            "Protocol and leakage",
            tables.protocol(result),
            tables.leakage(result),
            _figure("leaking-pairs", plots),
        ),
        section("When to transfer what", transfer(result)),
        section("What the leak adds", _figure("inflation", plots), stress_tables.inflation(run)),
        section(
            "Training",
            _figure("learning-curves", plots),
            _figure("arms-together", plots),
            _figure("loss-curves", plots),
        ),
        section(
            "Videos",
            _figure("per-video", plots),
            number_tables.per_video(run),
            _figure("prediction-curves", plots),
        ),
        section("Circumplex", _figure("circumplex", plots)),
        section(
            "Masks",
            stress_tables.masks(run),
            _figure("mask-weight", plots),
            _figure("masks", plots),
        ),
        section("Activations", stress_tables.activations(run), _figure("activations", plots)),
        section(
            "Classes",
            _figure("class-f1", plots),
            tables.per_class(run),
            _figure("confusion", plots),
        ),
        section("What the backbone sees", _figure("backbone-maps", plots)),
        section("Balance and calibration", further_metrics(result), _figure("reliability", plots)),
        section(
            "Removed rows",
            _figure("loss-variance", plots),
            _figure("loss-histogram", plots),
            _figure("removed-faces", plots),
            tables.removals(run),
        ),
        section("Models and exports", tables.exports(result), _serve(run)),
        section("Repeat this run", _repeat(result)),
        section("Settings, environment, time", tables.settings(run)),
    ]
    subtitle = " · ".join(
        str(part)
        for part in (
            dataset.get("name"),
            dataset.get("rating"),
            (result.get("protocol") or {}).get("name"),
            run.folder.resolve().name,
            f"status: {result.get('status', 'unfinished')}",
        )
        if part
    )
    return page(recipe, subtitle, find_banners(run), [part for part in found if part])


def find_banners(run: RunData) -> list[str]:
    """Return the warnings that must stand on top: the run's own, and any that its facts demand."""
    result = run.result
    dataset = result.get("dataset") or {}
    found = list(result.get("banners") or [])
    config = run.config.get("config") or {}
    # A run that does not say so itself is still shown with the warning.
    for word, holds, text in (
        ("sample", dataset.get("sample"), "Sample data: the figures say nothing about people."),
        ("quick", dataset.get("quick"), "Quick run of reduced size."),
        (
            "leak",
            (result.get("protocol") or {}).get("name") == "paper",
            "Protocol paper: the split leaks, as published. Do not quote it as generalisation.",
        ),
        ("weights", config.get("weights") == "none", "Random initial weights, not ImageNet's."),
    ):
        if holds and not any(word in banner.lower() for banner in found):
            found.append(text)
    if result.get("status", "unfinished") != "complete":
        found.append("This run is not complete.")
    if (result.get("leakage") or {}).get("passed") is False:
        found.append("The leakage check found rows, groups or images on two sides of the split.")
    return found


def _figure(name: str, plots: dict[str, Path]) -> str:
    if name not in plots:
        return ""
    encoded = base64.b64encode(plots[name].read_bytes()).decode("ascii")
    caption = html.escape(CAPTIONS[name])
    label = html.escape(name.replace("-", " "))
    return (
        f'<figure><img alt="{label}" src="data:image/png;base64,{encoded}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _repeat(result: dict) -> str:
    command = result.get("command")
    if not command:
        return ""
    commit = (result.get("environment") or {}).get("commit")
    words = f"At commit {commit}:" if commit else "The command:"
    return f"<p>{html.escape(words)}</p>{preformatted(command)}"


def _serve(run: RunData) -> str:
    if not (run.folder / "saved_model").is_dir():
        return ""
    folder = shlex.quote(str(run.folder))
    served = run.result.get("served")
    words = f"Served: {served}, chosen on validation rows. " if served else ""
    if served and run.result.get("by_subject"):
        words = f"Served: {served}, trained on all subjects after every fold was scored. "
    dataset = (run.result.get("dataset") or {}).get("name")
    what = ("Classify image files", "IMAGE_OR_FOLDER")
    if dataset in FACE_VIDEOS:
        what = ("Read videos", "VIDEO")
    alone = "preprocessing is inside."
    recordings = recordings_arguments(run.folder, dataset)
    if recordings is not None:
        what = ("Classify windows of recordings", recordings)
        alone = (
            "it takes windows of signals; <code>assets.extra/signal_model.json</code> in it tells "
            "which, at what rate and how they are scaled."
        )
    return (
        f"<p>{html.escape(words)}{what[0]} with it:</p>"
        + preformatted(f"python -m affectkeras predict {folder} {what[1]}")
        + f"<p>Or load <code>saved_model/</code> with TensorFlow alone: {alone}</p>"
    )
