"""Working on many files at once, with a progress bar; reading ahead of what is worked on."""

import os
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Full, Queue

from tqdm import tqdm

_CHUNK = 32


def map_in_threads(
    function: Callable, items: Sequence, *, description: str, progress: bool, workers: int | None
) -> list:
    """Return `[function(item) for item in items]`, computed by threads, in order.

    Threads suffice because reading files and decoding images both let go of Python's lock.

    Args:
        description: stands before the progress bar.
        progress: show a bar on standard error, where that is a terminal.
        workers: number of threads; by default one per processor this process may use.

    Raises:
        Whatever `function` raises first; the items not yet begun are dropped.
    """
    chunks = [items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK)]
    results = []
    executor = ThreadPoolExecutor(workers or count_processors())
    try:
        # `disable=None` is tqdm's way to say: only where standard error is a terminal.
        with (
            warnings.catch_warnings(),
            tqdm(
                total=len(items), desc=description, unit="file", disable=None if progress else True
            ) as bar,
        ):
            # Pillow warns of odd metadata, once per file; silenced here, as the threads could not.
            warnings.filterwarnings("ignore", module=r"PIL\.")
            for done in executor.map(lambda chunk: [function(item) for item in chunk], chunks):
                results.extend(done)
                bar.update(len(done))
    finally:
        executor.shutdown(cancel_futures=True)
    return results


def count_processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux: a container may own fewer than the machine has
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def read_ahead(items: Iterable, depth: int = 8) -> Iterator:
    """Yield the items of an iterable that a thread works through, so many ahead.

    Decoding a video lets go of Python's lock, and goes on while the last frames are worked on.

    Raises:
        Whatever the iterable raises, where its item would have come.
    """
    queue: Queue = Queue(depth)
    stop = threading.Event()

    def work():
        try:
            for item in items:
                if not _put(queue, (item, None), stop):
                    return
            _put(queue, (None, StopIteration()), stop)
        except BaseException as error:  # handed over to whoever reads
            _put(queue, (None, error), stop)
        finally:
            if hasattr(items, "close"):  # a generator left half-way lets go of its file
                items.close()

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        while True:
            item, error = queue.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item
    finally:
        stop.set()
        worker.join()


def _put(queue: Queue, entry: tuple, stop: threading.Event) -> bool:
    """Put an entry into a queue as soon as there is room; False where nobody reads any more."""
    while not stop.is_set():
        try:
            queue.put(entry, timeout=0.1)
            return True
        except Full:
            continue
    return False
