"""A picture of what a backbone's layers see: `python -m affectkeras zoo --activations NAME`."""

from pathlib import Path

from affectkeras.errors import UserError
from affectkeras.media.image_check import ImageDamaged, check_image
from affectkeras.transfer.backbones import find_backbone


def activations_command(
    name: str,
    image: Path | None,
    *,
    weights: str = "imagenet",
    image_size: int | None = None,
    out: Path | None = None,
) -> None:
    """Write a picture of the early, middle and late maps of a backbone for one image.

    Args:
        name: of the backbone.
        image: a JPEG or PNG file, best a face cut out.
        weights: `imagenet`, `none` or the path of a weights file.
        image_size: height and width in pixels; None: what the backbone was trained at.
        out: the PNG file; None: `<name>-activations.png` in the working folder.

    Raises:
        UserError: when there is no such backbone, image or weights file.
    """
    backbone = find_backbone(name)
    if image is None:
        raise UserError("--activations needs a picture: give --image FILE, best a face cut out.")
    if not image.is_file():
        raise UserError(f"--image {image}: there is no such file. Give a JPEG or PNG file.")
    try:
        check_image(image)
    except ImageDamaged as error:
        raise UserError(f"--image {image}: {error}. Give a JPEG or PNG file.") from None
    out = out or Path(f"{backbone.name}-activations.png")
    if out.suffix != ".png":
        raise UserError(f"--out {out}: the picture is a PNG. Give a name that ends in .png.")
    from affectkeras.quiet import start_tensorflow

    start_tensorflow()
    from affectkeras.media.images import decode_and_resize
    from affectkeras.reporting.backbone_plot import write_maps_picture
    from affectkeras.transfer.activation_maps import pack_maps, read_maps
    from affectkeras.transfer.zoo import build_backbone, build_preprocessing

    size = (image_size or backbone.default_size,) * 2
    pixels = decode_and_resize(image.read_bytes(), size).numpy()
    network = build_backbone(backbone, size, weights)
    layers = read_maps(network, build_preprocessing(backbone, size), pixels)
    write_maps_picture(out, pack_maps(pixels, layers))
    if weights == "none":
        print("*** Random weights: nothing was pretrained.")
    for one in layers:
        height, width, _ = one.maps.shape
        print(f"{one.depth:<7} {one.layer}: {one.count} maps of {height}×{width}")
    print(out)
