"""What was made of uploads: kept in one folder, each under a name that cannot be guessed.

A page's later upload replaces its earlier one; what is older than an hour goes, and everything goes
when the server ends.
"""

import dataclasses
import secrets
import shutil
import threading
import time
from pathlib import Path

VIDEO, ROWS, TABLE = "video.mp4", "frames.json", "frames.csv"


class Replaced(Exception):
    """Raised inside an analysis that nobody waits for any more."""


@dataclasses.dataclass(frozen=True)
class Job:
    """One upload on its way.

    Args:
        token: the part of its address that cannot be guessed.
        folder: for all that is made of it.
        upload: the path of the uploaded file, as its page told it.
        name: what the person called it.
        taken: set when its analysis begins.
        replaced: set when a later upload took its place, or its page was closed.
    """

    token: str
    folder: Path
    upload: str
    name: str
    taken: threading.Event = dataclasses.field(default_factory=threading.Event)
    replaced: threading.Event = dataclasses.field(default_factory=threading.Event)

    def check(self) -> None:
        """Raise `Replaced` when nobody waits for it any more."""
        if self.replaced.is_set():
            raise Replaced


class Results:
    """The jobs of all open pages.

    Args:
        folder: what is made is kept in its `results`, what is uploaded waits in its `uploads`, and
            `cache` is for what an analysis keeps. The caller makes it and removes it.
    """

    def __init__(self, folder: Path):
        self.folder, self.cache = folder / "results", folder / "cache"
        self.uploads = (folder / "uploads").resolve()
        self.uploads.mkdir()
        self._jobs: dict[str, Job] = {}  # by page
        self._lock = threading.Lock()

    def begin(self, page: str, upload: str, name: str) -> Job:
        """Return a new job of a page; an earlier one is stopped and its files are deleted."""
        token = secrets.token_urlsafe(24)
        job = Job(token, self.folder / token, upload, name)
        job.folder.mkdir(parents=True)
        with self._lock:
            earlier = self._jobs.pop(page, None)
            self._jobs[page] = job
        _drop(earlier)
        return job

    def take(self, page: str) -> Job | None:
        """Return the latest job of a page, once: afterwards None until the next begins."""
        with self._lock:
            job = self._jobs.get(page)
            if job is None or job.taken.is_set():
                return None
            job.taken.set()
            return job

    def end(self, page: str) -> None:
        """Stop and delete what a page had."""
        with self._lock:
            job = self._jobs.pop(page, None)
        _drop(job)

    def end_all(self) -> None:
        """Stop and delete everything."""
        for page in list(self._jobs):
            self.end(page)

    def find(self, token: str, name: str) -> Path | None:
        """Return a finished file of a job, or None."""
        if name not in (VIDEO, ROWS, TABLE):
            return None
        with self._lock:
            found = next((job for job in self._jobs.values() if job.token == token), None)
        return found.folder / name if found and (found.folder / name).is_file() else None

    def delete_old(self, age_s: float) -> None:
        """Delete results, caches and uploads never analysed that are older than `age_s` seconds."""
        oldest = time.time() - age_s
        with self._lock:
            pages = [
                page for page, job in self._jobs.items() if _is_older(job.folder / ROWS, oldest)
            ]
        for page in pages:
            self.end(page)
        for file in [*self.uploads.rglob("*"), *self.cache.rglob("*")]:
            if file.is_file() and _is_older(file, oldest):
                file.unlink(missing_ok=True)


def _is_older(path: Path, than: float) -> bool:
    try:
        return path.stat().st_mtime < than
    except FileNotFoundError:
        return False  # not yet, or no more


def _drop(job: Job | None) -> None:
    if job is not None:
        job.replaced.set()
        shutil.rmtree(job.folder, ignore_errors=True)
