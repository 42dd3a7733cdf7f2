"""Where files that can be made again are kept between runs."""

import os
from pathlib import Path


def cache_dir(*parts: str) -> Path:
    """Return (and create) a folder below `$AFFECTKERAS_CACHE`, else below `~/.cache/affectkeras`.

    Whatever lies there may be deleted at any time when no run is going on.
    """
    root = os.environ.get("AFFECTKERAS_CACHE")
    folder = Path(root) if root else Path.home() / ".cache" / "affectkeras"
    folder = folder.joinpath(*parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
