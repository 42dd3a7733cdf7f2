"""Plot of frames of videos with the box of the face, and of what was cut out."""

import math

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from affectkeras.reporting.plot_style import INK
from affectkeras.reporting.run_data import RunData

_COLUMNS = 3  # frames with their faces in a row


def draw_face_sheet(run: RunData) -> Figure | None:
    """Draw each frame of `face_sheet.npz` with its box beside the face [Figures 3 and 4]."""
    path = run.folder / "face_sheet.npz"
    if not path.exists():
        return None
    with np.load(path) as content:
        frames, boxes, faces = (content[name] for name in ("frames", "boxes", "faces"))
        names = content["names"].tolist()
    if not names:
        return None
    rows = math.ceil(len(names) / _COLUMNS)
    figure = Figure(figsize=(10.4, 1.95 * rows), layout="none")
    figure.subplots_adjust(0.01, 0.02, 0.99, 1 - 0.16 / rows, 0.04, 0.2)
    panels = figure.subplots(rows, 2 * _COLUMNS, squeeze=False).reshape(-1, 2)
    for axes in panels.ravel():
        axes.axis("off")
    for frame, box, face, name, (left, right) in zip(
        frames, boxes, faces, names, panels, strict=False
    ):
        left.imshow(frame)
        x, y, width, height = box
        left.add_patch(Rectangle((x, y), width, height, fill=False, edgecolor="#E69F00", lw=1.5))
        left.set_title(name[-44:], fontsize=7, fontweight="normal", loc="left", pad=3, color=INK)
        right.imshow(face)
    return figure
