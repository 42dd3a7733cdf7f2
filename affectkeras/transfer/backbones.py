"""Every backbone of `keras.applications`: its name, preprocessing, sizes and ImageNet file."""

import dataclasses
import difflib
from typing import Literal

from affectkeras.errors import UserError

Preprocessing = Literal["caffe", "tf", "torch", "none"]

STORAGE = "https://storage.googleapis.com/tensorflow/keras-applications/"
STORAGE_OF_EFFICIENTNET = "https://storage.googleapis.com/keras-applications/"


@dataclasses.dataclass(frozen=True)
class Backbone:
    """One network of `keras.applications` without its classification top.

    Args:
        name: our name, as in `--backbone resnet50`.
        build: the constructor's name in `keras.applications`.
        preprocessing: what the pixels need before the network: `"caffe"` (BGR, mean subtracted),
            `"tf"` ([-1, 1]), `"torch"` (ImageNet mean and deviation) or `"none"` (it is inside).
        default_size: height and width it was trained at, in pixels.
        min_size: the smallest height and width it can be built for, in pixels.
        weights_url: the URL of its ImageNet weights; `{size}` stands for the image size.
        weights_file: the name that Keras gives the file on disk.
        weights_sizes: the square image sizes with an ImageNet file of their own.
        arguments: further arguments of the constructor.
        deviation_as_variance: whether the ImageNet file keeps standard deviations where Keras's
            `Normalization` layer expects variances (EfficientNet).
    """

    name: str
    build: str
    preprocessing: Preprocessing
    default_size: int
    weights_url: str
    weights_file: str
    min_size: int = 32
    weights_sizes: tuple[int, ...] = ()
    arguments: dict[str, float] = dataclasses.field(default_factory=dict)
    deviation_as_variance: bool = False


def _backbone(name, build, preprocessing, size, folder, file, **options) -> Backbone:
    """Return a backbone whose weights have the same name in Keras's storage and on disk."""
    return Backbone(name, build, preprocessing, size, f"{STORAGE}{folder}/{file}", file, **options)


def _classic(name, build, preprocessing, size, folder, file, **options) -> Backbone:
    """Return a backbone whose weights follow the oldest naming of Keras's weights files."""
    file = f"{file}_weights_tf_dim_ordering_tf_kernels_notop.h5"
    return _backbone(name, build, preprocessing, size, folder, file, **options)


def _alpha(alpha: float) -> dict[str, float]:
    # The width 1.0 is the constructor's default, so that entry is also found by its name alone.
    return {} if alpha == 1.0 else {"alpha": alpha}


def _all_resnets() -> list[Backbone]:
    found = []
    for depth in (50, 101, 152):
        name = f"resnet{depth}"
        found.append(_classic(name, f"ResNet{depth}", "caffe", 224, "resnet", name))
        name = f"resnet{depth}v2"
        found.append(_classic(name, f"ResNet{depth}V2", "tf", 224, "resnet", name))
    return found


def _all_mobilenets() -> list[Backbone]:
    found = []
    for alpha, text in ((0.25, "2_5"), (0.5, "5_0"), (0.75, "7_5"), (1.0, "1_0")):
        file = f"mobilenet_{text}_{{size}}_tf_no_top.h5"
        options = {"weights_sizes": (128, 160, 192, 224), "arguments": _alpha(alpha)}
        found.append(
            _backbone(f"mobilenet_{alpha}", "MobileNet", "tf", 224, "mobilenet", file, **options)
        )
    for alpha in (0.35, 0.5, 0.75, 1.0, 1.3, 1.4):
        file = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_{{size}}_no_top.h5"
        options = {"weights_sizes": (96, 128, 160, 192, 224), "arguments": _alpha(alpha)}
        name = f"mobilenet_v2_{alpha}"
        found.append(_backbone(name, "MobileNetV2", "tf", 224, "mobilenet_v2", file, **options))
    for size in ("small", "large"):
        for alpha in (0.75, 1.0):
            file = f"weights_mobilenet_v3_{size}_224_{alpha}_float_no_top_v2.h5"
            name = f"mobilenet_v3_{size}" + ("" if alpha == 1.0 else f"_{alpha}")
            build = f"MobileNetV3{size.title()}"
            options = {"arguments": _alpha(alpha)}
            found.append(_backbone(name, build, "none", 224, "mobilenet_v3", file, **options))
    return found


def _all_efficientnets() -> list[Backbone]:
    found = []
    for index, size in enumerate((224, 240, 260, 300, 380, 456, 528, 600)):
        file = f"efficientnetb{index}_notop.h5"
        url = STORAGE_OF_EFFICIENTNET + file
        name, build = f"efficientnet_b{index}", f"EfficientNetB{index}"
        found.append(Backbone(name, build, "none", size, url, file, deviation_as_variance=True))
    sizes = {"b0": 224, "b1": 240, "b2": 260, "b3": 300, "s": 384, "m": 480, "l": 480}
    for variant, size in sizes.items():
        name, build = f"efficientnet_v2_{variant}", f"EfficientNetV2{variant.upper()}"
        file = f"efficientnetv2-{variant}_notop.h5"
        found.append(_backbone(name, build, "none", size, "efficientnet_v2", file))
    return found


def _all_others() -> list[Backbone]:
    inception = {"file": "inception_v3", "min_size": 75}
    inception_resnet = {"file": "inception_resnet_v2", "min_size": 75}
    found = [
        _classic("vgg16", "VGG16", "caffe", 224, "vgg16", "vgg16"),
        _classic("vgg19", "VGG19", "caffe", 224, "vgg19", "vgg19"),
        _classic("inception_v3", "InceptionV3", "tf", 299, "inception_v3", **inception),
        _classic(
            "inception_resnet_v2",
            "InceptionResNetV2",
            "tf",
            299,
            "inception_resnet_v2",
            **inception_resnet,
        ),
        _classic("xception", "Xception", "tf", 299, "xception", "xception", min_size=71),
    ]
    for depth in (121, 169, 201):
        name = f"densenet{depth}"
        found.append(_classic(name, f"DenseNet{depth}", "torch", 224, "densenet", name))
    for variant, size in (("mobile", 224), ("large", 331)):
        # The only files that are called otherwise on disk than in the storage.
        url = f"{STORAGE}nasnet/NASNet-{variant}-no-top.h5"
        name, build = f"nasnet_{variant}", f"NASNet{variant.title()}"
        found.append(Backbone(name, build, "tf", size, url, f"nasnet_{variant}_no_top.h5"))
    for variant in ("Tiny", "Small", "Base", "Large", "XLarge"):
        name = f"convnext_{variant.lower()}"
        file = f"{name}_notop.h5"
        found.append(_backbone(name, f"ConvNeXt{variant}", "none", 224, "convnext", file))
    return found


BACKBONES: tuple[Backbone, ...] = (
    *_all_resnets(),
    *_all_mobilenets(),
    *_all_efficientnets(),
    *_all_others(),
)


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def find_backbone(name: str) -> Backbone:
    """Return the backbone of that name: ours (`resnet50`) or Keras's constructor (`ResNet50`).

    Raises:
        UserError: when there is none, naming those there are.
    """
    for backbone in BACKBONES:
        if _plain(name) == _plain(backbone.name):
            return backbone
        if _plain(name) == _plain(backbone.build) and not backbone.arguments:
            return backbone
    known = [backbone.name for backbone in BACKBONES]
    close = difflib.get_close_matches(name.lower(), known, n=3)
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    raise UserError(f"There is no backbone {name!r}.{hint} There are: {', '.join(known)}.")
