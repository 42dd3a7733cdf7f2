"""Plots of StressNet's runs: kinds of dropout, masks, what a leak adds, activations."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from affectkeras.reporting.plot_style import FAINT, INK, arm_color, draw_seeds
from affectkeras.reporting.run_data import RunData, has_accuracy

_PROTOCOLS = {"subject": "subjects held out", "paper": "as published, leaking"}


def draw_arms_together(run: RunData) -> Figure | None:
    """Draw loss and accuracy of all arms over the epochs in one picture [Figure 7]."""
    if not has_accuracy(run.history):
        return None
    arms = run.chief_arms(run.history["arm"])
    if len(arms) < 2:
        return None
    validated = run.history[["val_loss", "val_accuracy"]].notna().any(axis=None)
    columns = [("loss", "training loss"), ("accuracy", "training accuracy")]
    if validated:
        columns = [columns[0], ("val_loss", "validation loss"), columns[1]]
        columns += [("val_accuracy", "validation accuracy")]
    figure = Figure(figsize=(10.5, 5.6 if validated else 3.0))
    panels = figure.subplots(len(columns) // 2, 2, sharex=True, squeeze=False)
    for axes, (column, title) in zip(panels.ravel(), columns, strict=True):
        for arm in arms:
            history = run.history[run.history["arm"] == arm]
            draw_seeds(axes, history, "epoch", column, arm_color(arm, run.arms), arm)
        axes.set_title(title)
    for axes in panels[-1]:
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[0, 1].legend(loc="best", fontsize=9)
    return figure


def draw_masks(run: RunData) -> Figure | None:
    """Draw the masks of each layer for one picture [Figure 8]: bright is kept, black dropped."""
    path = run.folder / "masks.npz"
    if not path.exists():
        return None
    with np.load(path) as content:
        image, layers = content["image"], content["layers"].tolist()
        masks = [content[f"mask{number:02d}"] for number in range(len(layers))]
    figure = Figure(figsize=(4 * (len(layers) + 1), 4.6), layout="none")
    panels = figure.subplots(1, len(layers) + 1, squeeze=False)[0]
    figure.subplots_adjust(left=0.01, right=0.99, top=0.88, bottom=0.02, wspace=0.05)
    panels[0].imshow(image)
    panels[0].set_title("the picture")
    for axes, layer, mask in zip(panels[1:], layers, masks, strict=True):
        height, width, count = mask.shape
        axes.imshow(_tile(mask), cmap="magma", interpolation="nearest")
        zeros = np.mean(mask == 0)
        axes.set_title(f"{layer}: {count} masks of {height}×{width}, {zeros:.0%} zeros", fontsize=9)
    for axes in panels:
        axes.axis("off")
    return figure


def _tile(masks: np.ndarray) -> np.ndarray:
    """Return masks `(height, width, count)` side by side, each scaled to its own brightest."""
    height, width, count = masks.shape
    across = int(np.ceil(np.sqrt(count)))
    down = -(-count // across)
    tiles = np.full((down * (height + 1) + 1, across * (width + 1) + 1), np.nan)
    for number in range(count):
        row, column = divmod(number, across)
        top, left = row * (height + 1) + 1, column * (width + 1) + 1
        highest = masks[..., number].max()
        scaled = masks[..., number] / (highest if highest > 0 else 1)
        tiles[top : top + height, left : left + width] = scaled
    return tiles


def draw_mask_weight(run: RunData) -> Figure | None:
    """Draw how much of the masks lies on the face, beside the face's share of the picture."""
    if run.masks is None:
        return None
    layers = list(dict.fromkeys(run.masks["layer"]))
    known = run.masks["weight_on_face"].notna().any()
    figure = Figure(figsize=(9.5 if known else 5, 3.4))
    panels = figure.subplots(1, 2 if known else 1, squeeze=False)[0]
    by_layer = run.masks.groupby("layer", sort=False)
    for number, layer in enumerate(layers):
        found = by_layer.get_group(layer)
        color = ("#0072B2", "#D55E00", "#009E73")[number % 3]
        panels[-1].hist(
            found["sparsity"], np.linspace(0, 1, 41), color=color, alpha=0.6, label=layer
        )
        if known:
            share = found["weight_on_face"]
            panels[0].hist(share, np.linspace(0, 1, 41), color=color, alpha=0.6, label=layer)
    panels[-1].set_title("zeros of a picture's masks")
    panels[-1].set_xlabel("share of zeros")
    panels[-1].legend(fontsize=8)
    if known:
        face = run.masks["face"].mean()
        panels[0].axvline(face, color=INK, linestyle="--")
        height = panels[0].get_ylim()[1]
        panels[0].text(face, height, " face's share of the picture", va="top", fontsize=8)
        panels[0].set_title("mask weight on the face")
        panels[0].set_xlabel("share of the masks' sum")
    panels[0].set_ylabel("test pictures")
    for axes in panels:
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    return figure


def draw_inflation(run: RunData) -> Figure | None:
    """Draw the accuracy of one network with subjects held out and on the published split."""
    if run.inflation is None:
        return None
    figure = Figure(figsize=(7.5, 2.4))
    axes = figure.subplots()
    for row, one in enumerate(run.inflation.itertuples()):
        color = "#D55E00" if one.leaks else "#0072B2"
        axes.plot([one.low, one.high], [row, row], color=color, linewidth=3)
        axes.plot(one.accuracy, row, "o", color=color, markersize=10, markeredgecolor="white")
        axes.text(one.accuracy, row - 0.22, f"{one.accuracy:.1%}", ha="center", va="bottom")
    names = [_PROTOCOLS.get(name, name) for name in run.inflation["protocol"]]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.7)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_xlabel(f"accuracy of the arm {run.inflation['arm'].iloc[0]} on its test frames")
    axes.grid(visible=False, axis="y")
    return figure


def draw_activations(run: RunData) -> Figure | None:
    """Draw the training loss of each activation over epochs and over time."""
    if run.activations is None or run.activation_history is None:
        return None
    history = run.activation_history.copy()
    history["time"] = history.groupby(["arm", "seed"])["seconds"].cumsum()
    names = history["arm"].unique().tolist()
    figure = Figure(figsize=(9.5, 3.4))
    panels = figure.subplots(1, 2, sharey=True)
    aim = run.activations["loss_to_reach"].iloc[0]
    for axes, column, label in zip(panels, ("epoch", "time"), ("epoch", "seconds"), strict=True):
        for name in names:
            found = history[history["arm"] == name]
            draw_seeds(axes, found, column, "loss", arm_color(name, names), name)
        axes.axhline(aim, color=FAINT, linestyle="--")
        axes.set_xlabel(label)
    panels[0].xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[0].set_title("training loss (dashed: the loss that all reach)")
    panels[0].legend(fontsize=9)
    return figure
