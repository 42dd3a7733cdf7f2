"""ResNet50 and VGG16 in PyTorch, layer for layer as in `keras.applications`: for Torch-Pruning."""

import torch
from torch import nn


class Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 and the sum with what came in, the stride in the first convolution."""

    def __init__(self, given: int, width: int, stride: int):
        super().__init__()
        made = 4 * width
        self.branch = nn.Sequential(
            *(nn.Conv2d(given, width, 1, stride), nn.BatchNorm2d(width), nn.ReLU()),
            *(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()),
            *(nn.Conv2d(width, made, 1), nn.BatchNorm2d(made)),
        )
        self.shortcut = nn.Identity()
        if given != made:
            self.shortcut = nn.Sequential(nn.Conv2d(given, made, 1, stride), nn.BatchNorm2d(made))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return `(batch, 4 · width, height / stride, width / stride)`."""
        return torch.relu(self.branch(maps) + self.shortcut(maps))


def resnet50(classes: int = 1000) -> nn.Module:
    """Return ResNet50 as Keras has it."""
    blocks, given = [], 64
    for stage, (width, count) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for index in range(count):
            blocks.append(Bottleneck(given, width, 2 if stage and not index else 1))
            given = 4 * width
    stem = nn.Conv2d(3, 64, 7, 2, 3), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
    top = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(given, classes)
    return nn.Sequential(*stem, *blocks, *top)


def vgg16(classes: int = 1000) -> nn.Module:
    """Return VGG16 as Keras has it, its dense layers for images of any size divisible by 32."""
    modules, given = [], 3
    for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            modules += [nn.Conv2d(given, width, 3, padding=1), nn.ReLU()]
            given = width
        modules.append(nn.MaxPool2d(2))
    top = nn.AdaptiveAvgPool2d(7), nn.Flatten(), nn.Linear(7 * 7 * 512, 4096), nn.ReLU()
    return nn.Sequential(*modules, *top, nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, classes))


NETWORKS = {"ResNet50": resnet50, "VGG16": vgg16}
