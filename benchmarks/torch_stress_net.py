"""StressNet in PyTorch, layer for layer as `build_stress_net` has it: for its training step."""

import torch
from torch import nn


class DynamicDropout(nn.Module):
    """Equation 3 of the paper, its two convolutions one after the other."""

    def __init__(self, given: int, made: int):
        super().__init__()
        self.maps = nn.Conv2d(given, made, 3, padding=1, bias=False)
        self.normalization = nn.BatchNorm2d(made, eps=1e-3)
        self.mask = nn.Conv2d(given, made, 3, padding=1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return `(batch, made, height, width)`."""
        mask = torch.relu(self.mask(maps))
        return nn.functional.gelu(self.normalization(self.maps(maps)) * mask)


class Rescaling(nn.Module):
    """Pixels in [0, 255] to numbers in [-1, 1]."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return what came in, rescaled."""
        return pixels * (1 / 127.5) - 1.0


def stress_net(
    channels: int = 3,
    shallow_widths: tuple[int, ...] = (16, 32, 32),
    shallow_strides: tuple[int, ...] = (2, 2, 1),
    deep_widths: tuple[int, ...] = (64, 64),
    last_rate: float = 0.5,
) -> nn.Module:
    """Return StressNet as `build_stress_net` builds it, `(batch, channels, …)` to one logit."""
    modules, given = [Rescaling()], channels

    def add(width: int, stride: int):
        nonlocal given
        modules.append(nn.Conv2d(given, width, 3, stride, padding=1, bias=False))
        modules.extend([nn.BatchNorm2d(width, eps=1e-3), nn.GELU()])
        given = width

    for width, stride in zip(shallow_widths, shallow_strides, strict=True):
        add(width, stride)
    for width in deep_widths:
        add(width, 2)
        modules.append(DynamicDropout(given, width))
    top = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(last_rate), nn.Linear(given, 1)
    return nn.Sequential(*modules, *top)
