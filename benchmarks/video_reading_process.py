"""One run of `benchmarks.video_reading` in a process of its own; prints its peak memory (Linux).

python -m benchmarks.video_reading_process SAVED_MODEL VIDEO TARGET
"""

import re
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    from affectkeras.quiet import start_tensorflow
    from benchmarks.video_reading import read_once

    start_tensorflow()
    began = time.perf_counter()
    frames = read_once(*map(Path, sys.argv[1:4]))
    seconds = time.perf_counter() - began
    # Not getrusage: there a process begins with the peak of the one that started it.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024
    print(peak, frames, f"{seconds:.1f}")
