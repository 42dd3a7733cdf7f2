"""The video report's network in PyTorch, run as the report runs it: for its training step."""

import torch
from torch import nn


class CnnGru(nn.Module):
    """Figures 5 and 6: each time's pictures through the convolutions, then cell by cell.

    Args:
        features: units of the dense layer that reads a frame's maps.
        hidden_size: units of the cell.
        image_size: height and width in pixels.
    """

    def __init__(self, features: int, hidden_size: int, image_size: int = 224):
        super().__init__()
        self.hidden_size = hidden_size
        self.conv2d_1 = nn.Conv2d(3, 16, 3, padding=1)
        self.conv2d_2 = nn.Conv2d(16, 32, 3, padding=1)
        self.conv2d_3 = nn.Conv2d(32, 64, 3, padding=1)
        self.fc1 = nn.Linear(64 * (image_size // 8) ** 2, features)
        self.grucell = nn.GRUCell(features, hidden_size)
        self.fc2 = nn.Linear(hidden_size, 1)

    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return features `(batch, features)` of pictures `(batch, 3, height, width)`."""
        maps = pictures
        for convolution in (self.conv2d_1, self.conv2d_2, self.conv2d_3):
            maps = nn.functional.max_pool2d(torch.relu(convolution(maps)), 2)
        return torch.relu(self.fc1(maps.flatten(1)))

    def forward(self, videos: torch.Tensor) -> torch.Tensor:
        """Return `(batch, time)` of pixels in [0, 1], `(batch, time, 3, height, width)`."""
        features = [self.encode(videos[:, time]) for time in range(videos.shape[1])]
        state = videos.new_zeros(len(videos), self.hidden_size)
        outputs = []
        for one in features:
            state = self.grucell(one, state)
            outputs.append(self.fc2(state))
        return torch.cat(outputs, dim=1)
