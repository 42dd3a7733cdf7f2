"""Identities of channels, and which of them are one and the same."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Maps:
    """What is known of a tensor: whose channel each place on its last axis is.

    Args:
        labels: an identity per place, `(channels,)` integers. One identity may stand at several
            places: after Flatten a channel has one at every position.
    """

    labels: np.ndarray


class ChannelSpace:
    """The identities of all channels of a model: made, joined and frozen (a union-find)."""

    def __init__(self):
        self._parents: list[int] = []
        self._reasons: dict[int, str] = {}
        self._outputs: dict[str, np.ndarray] = {}

    def fresh(self, count: int) -> np.ndarray:
        """Return that many new identities."""
        first = len(self._parents)
        self._parents.extend(range(first, first + count))
        return np.arange(first, first + count)

    def outputs_of(self, path: str, count: int) -> np.ndarray:
        """Return the identities that a layer makes: the same each time the layer is called."""
        if path not in self._outputs:
            self._outputs[path] = self.fresh(count)
        return self._outputs[path]

    def root(self, label: int) -> int:
        """Return the one identity that stands for all that it was joined with."""
        while self._parents[label] != label:
            self._parents[label] = self._parents[self._parents[label]]
            label = self._parents[label]
        return label

    def roots(self, labels: np.ndarray) -> np.ndarray:
        """Return the root of every label."""
        return np.array([self.root(label) for label in labels.tolist()], dtype=np.int64)

    def join(self, first: np.ndarray, second: np.ndarray) -> None:
        """Couple two lists of channels, index by index: what goes of one goes of the other."""
        for one, other in zip(first.tolist(), second.tolist(), strict=True):
            kept, gone = self.root(one), self.root(other)
            if kept != gone:
                self._parents[gone] = kept
                if gone in self._reasons:
                    self._reasons.setdefault(kept, self._reasons[gone])

    def fold(self, labels: np.ndarray, period: int) -> np.ndarray:
        """Couple every `period`-th channel, and return the identities of one period."""
        self.join(np.resize(labels[:period], len(labels)), labels)
        return labels[:period]

    def freeze(self, labels: np.ndarray, reason: str) -> None:
        """Keep channels from ever being pruned."""
        for label in labels.tolist():
            self._reasons.setdefault(self.root(label), reason)

    def frozen(self, count: int, reason: str) -> np.ndarray:
        """Return new identities that cannot be pruned."""
        labels = self.fresh(count)
        self.freeze(labels, reason)
        return labels

    def reason(self, root: int) -> str:
        """Return why an identity cannot be pruned; empty when it can."""
        return self._reasons.get(root, "")
