"""The benchmark's contestants say the same, and it notices when they do not."""

import numpy as np
import pytest

from benchmarks.pandas_windows import cut_at_once, cut_with_pandas, read_with_pandas
from benchmarks.readme_rows import benchmark_table
from benchmarks.signal_windows import (
    Config,
    check_same,
    cut_ours,
    measure_folder,
    write_recording,
)


@pytest.mark.parametrize(("seconds", "step_s", "max_gap"), [(60, 20, 0.9), (5, 7, 0.6)])
def test_ours_says_what_pandas_says_window_by_window(tmp_path, seconds, step_s, max_gap):
    folder = write_recording(tmp_path / "E4", 2.5, seed=seconds)
    config = Config(seconds=seconds, step_s=step_s, max_gap=max_gap)
    ours = cut_ours(folder, config)
    options = {"seconds": seconds, "step_s": step_s, "max_gap": max_gap}
    read = read_with_pandas(folder)
    assert ours.shape[1:] == (4 * seconds, 8)
    assert 1 < len(ours) <= (150 - seconds) // step_s + 1
    check_same(ours, cut_with_pandas(read, **options))
    check_same(ours, cut_at_once(read, **options))


def test_other_values_or_windows_are_noticed():
    ours = np.ones((2, 4, 1), np.float32)
    check_same(ours, ours * np.float32(1 + 5e-6))
    other = ours.copy()
    other[1, 2] += np.float32(2e-5)
    with pytest.raises(ValueError, match="differ by up to 2e-05: window 1, value 2, channel 0 of"):
        check_same(ours, other)
    with pytest.raises(ValueError, match="2, 4, 1.* of ours, .*1, 4, 1.* of the peer's"):
        check_same(ours, ours[:1])
    with pytest.raises(ValueError, match="the windows differ"):
        check_same(np.full_like(ours, np.nan), np.full_like(ours, np.nan))


def test_cases_go_into_the_readme_as_they_are(tmp_path):
    folder = write_recording(tmp_path / "E4", 2.0)
    cases = measure_folder(folder, Config(step_s=30, repetitions=1), "2 min")
    table = benchmark_table([{"benchmark": "signal_windows", "cases": cases}])
    assert "| 2 min, against pandas, window by window, windows/s |" in table
    assert cases[0]["bar"] == 20
    assert cases[0]["passed"] is (cases[0]["ratio"] >= 20)
    assert cases[1]["passed"] is None
