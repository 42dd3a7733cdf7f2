"""A piece of a signal."""

import numpy as np

from affectkeras.datasets.recordings import Signal

# Sample numbers made of seconds since 1970 are right to about 1e-5 of a sample.
_NUMBER_ERROR = 1e-3


def slice_signal(signal: Signal, start_s: float, end_s: float) -> Signal:
    """Return the samples taken from `start_s` on and before `end_s`, without copying them.

    Args:
        signal: the whole.
        start_s, end_s: on the signal's clock.

    Returns:
        a signal of the same rate whose `start_s` is that of its first sample; where no sample lies
        in that time it has none, and starts at `start_s`.
    """
    if not start_s <= end_s:
        raise ValueError(
            f"`end_s` must not lie before `start_s`. Received: start_s={start_s}, end_s={end_s}"
        )
    ends = ((time - signal.start_s) * signal.rate_hz for time in (start_s, end_s))
    first, behind = (int(np.ceil(one - _NUMBER_ERROR)) for one in ends)
    first, behind = np.clip([first, behind], 0, len(signal.values)).tolist()
    begins = signal.start_s + first / signal.rate_hz if behind > first else start_s
    return Signal(signal.values[first:behind], begins, signal.rate_hz)
