from types import SimpleNamespace

import numpy as np
import pytest

from affectkeras.callbacks.slade_gedeon_removal import SladeGedeonRemoval
from affectkeras.pipelines.sampler import RowSampler


def run_epochs(errors_of, epochs, rows=20, **options):
    """End epochs 1 … `epochs` whose rows have the errors `errors_of(epoch)`; stop when asked."""
    sampler = RowSampler(np.arange(rows), seed=0, batch_size=4)
    now = SimpleNamespace(epoch=0)
    callback = SladeGedeonRemoval(
        sampler,
        lambda chosen: -np.log1p(-np.asarray(errors_of(now.epoch))[chosen]),
        np.zeros(rows, dtype=int),
        **options,
    )
    callback.set_model(SimpleNamespace(stop_training=False))
    for epoch in range(1, epochs + 1):
        now.epoch = epoch
        callback.on_epoch_end(epoch - 1)
        if callback.model.stop_training:
            break
    return callback, sampler, now.epoch


def test_removal_waits_until_the_variance_of_the_errors_falls():
    wide = np.where(np.arange(20) < 10, 0.0, 0.9)  # variance 0.2025
    narrow = np.where(np.arange(20) < 19, 0.1, 0.9)  # variance 0.0304
    callback, sampler, _ = run_epochs(lambda epoch: wide if epoch < 4 else narrow, 5, start_epoch=1)
    assert [entry["epoch"] for entry in callback.rounds] == [4]
    assert sampler.rows.tolist() == list(range(19))


def test_rounds_repeat_every_period_and_the_training_stops_at_a_small_variance():
    first = np.where(np.arange(20) < 16, 0.1, np.linspace(0.6, 0.9, 20))
    callback, _, last = run_epochs(
        lambda epoch: first if epoch < 12 else np.full(20, 0.1), 40, start_epoch=2, period=5
    )
    assert [entry["epoch"] for entry in callback.rounds] == [2, 7]
    assert last == 12


def test_the_small_variance_of_an_untrained_model_does_not_stop_the_training():
    callback, sampler, last = run_epochs(lambda epoch: np.full(20, 0.86), 3, start_epoch=1)
    assert last == 3
    assert len(sampler.rows) == 20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": -0.1}, r"`alpha` must be in \[0, 1\]. Received: alpha=-0.1"),
        ({"period": 0}, "`start_epoch` and `period` must be at least 1. .* period=0"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        run_epochs(np.zeros, 0, **options)
