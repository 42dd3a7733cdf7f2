"""Tables of StressNet's runs in the report: what a leak adds, masks, activations."""

from affectkeras.reporting.html_page import paragraph, table
from affectkeras.reporting.run_data import RunData

# Section 2.2 of the paper: "about 40% compared with ReLU and 45% PReLU".
PUBLISHED_SAVING = {"relu": 0.40, "prelu": 0.45}


def inflation(run: RunData) -> str:
    """Say by how much the published split flatters one arm."""
    if run.inflation is None or len(run.inflation) < 2:
        return ""
    honest = run.inflation[~run.inflation["leaks"].astype(bool)].iloc[0]
    leaky = run.inflation[run.inflation["leaks"].astype(bool)].iloc[0]
    low, high = 100 * leaky["difference_low"], 100 * leaky["difference_high"]
    points = f"{100 * leaky['difference']:+.1f} points [{low:+.1f}, {high:+.1f}]"
    found = "it flatters" if low > 0 else "that it flatters is not shown here"
    rows = [
        [
            one.protocol,
            f"{100 * one.accuracy:.1f} %",
            "none" if one.low != one.low else f"[{100 * one.low:.1f}, {100 * one.high:.1f}]",
            one.n,
            one.groups,
        ]
        for one in run.inflation.itertuples()
    ]
    return paragraph(
        "The paper divides single frames at random. On the same frames and with as many to train "
        f"on, that shows {points} against the subjects held out, for the arm {honest['arm']}: "
        f"{found}. Quote the honest figure."
    ) + table(
        ["protocol", "accuracy", "95 % interval", "test frames", "subjects"], rows, range(1, 5)
    )


def masks(run: RunData) -> str:
    """Say where the masks' weight lies, against the paper's claim."""
    if run.masks is None:
        return ""
    found = run.masks.groupby("layer", sort=False)[["sparsity", "weight_on_face", "face"]].mean()
    rows = [
        [
            layer,
            f"{one['sparsity']:.1%}",
            *(
                [f"{one['weight_on_face']:.1%}", f"{one['weight_on_face'] / one['face']:.2f}"]
                if one["face"] == one["face"]
                else ["not known", ""]
            ),
        ]
        for layer, one in found.iterrows()
    ]
    words = paragraph(
        "The paper says (section 4.1) that the masks drop the background and make the network "
        "look at the face, and that the deeper layer's masks are sparser. Measured on test "
        "pictures:"
    )
    heads = ["layer", "zeros", "mask weight on the face", "times the face's share of the picture"]
    return words + table(heads, rows, (1, 2, 3))


def activations(run: RunData) -> str:
    """Say how long each activation takes to one loss, against the paper's claim."""
    if run.activations is None:
        return ""
    quick = (run.result.get("dataset") or {}).get("quick", False)
    found = run.activations.groupby("activation", sort=False)
    means = found[["epochs", "seconds", "seconds_per_epoch"]].mean()
    gelu = means["seconds"].get("gelu")
    rows = []
    for name, one in means.iterrows():
        saved = (
            "" if quick or gelu is None or name == "gelu" else f"{1 - gelu / one['seconds']:+.0%}"
        )
        published = f"{PUBLISHED_SAVING[name]:+.0%}" if name in PUBLISHED_SAVING else ""
        published = "" if quick else published
        rows.append(
            [
                name,
                f"{one['epochs']:.1f}",
                f"{one['seconds']:.1f}",
                f"{one['seconds_per_epoch']:.2f}",
                saved,
                published,
            ]
        )
    aim = run.activations["loss_to_reach"].iloc[0]
    words = paragraph(
        f"Until the training loss is {aim:.3f}, the lowest that all reach, the compiling of the "
        "first epoch included"
        + (", which is most of a quick run: nothing to compare." if quick else ".")
        + f" Seeds: {run.activations['seed'].nunique()}."
    )
    heads = ["activation", "epochs", "seconds", "seconds an epoch", "GELU saves", "published"]
    return words + table(heads, rows, range(1, 6))
