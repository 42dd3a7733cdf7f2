"""Faces found once and kept on disk, so that other margins and sizes need no detection.

A file per picture, under the digest of its bytes and of everything that decides what is found in
it. It appears whole or not at all; two processes may look at the same pictures.
"""

import dataclasses
import hashlib
import json
from pathlib import Path

from affectkeras.cache import cache_dir
from affectkeras.errors import UserError
from affectkeras.files import write_json
from affectkeras.media.faces import DetectionSettings, Face

# Counted up when other faces would be found: detection or decoding changed.
FORMAT = 1


class FaceCache:
    """The faces of pictures, by the digest of their bytes.

    Args:
        settings: how the faces are looked for.
        folder: where the files lie; by default `faces` in the cache of the project.
    """

    def __init__(self, settings: DetectionSettings, folder: Path | None = None):
        described = json.dumps({"format": FORMAT, **settings.describe()}, sort_keys=True)
        key = hashlib.sha256(described.encode()).hexdigest()[:16]
        try:
            self.folder = Path(folder or cache_dir("faces")) / key
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _not_writable(error.filename, error) from error

    def read(self, digest: str) -> list[Face] | None:
        """Return the faces of a picture, or `None` where they are not known (any more)."""
        try:
            stored = json.loads(self._path(digest).read_bytes())
            return [_face(entry) for entry in stored["faces"]]
        except (OSError, ValueError, KeyError, TypeError):
            # Missing, damaged or of somebody else's making: they are looked for again.
            return None

    def write(self, digest: str, faces: list[Face]) -> None:
        """Keep the faces of a picture."""
        path = self._path(digest)
        try:
            path.parent.mkdir(exist_ok=True)
            write_json(path, {"faces": [dataclasses.asdict(face) for face in faces]})
        except (OSError, UserError) as error:
            raise _not_writable(path, error.__cause__ or error) from error

    def _path(self, digest: str) -> Path:
        # Folders of a few hundred files each, however many pictures there are.
        return self.folder / digest[:2] / f"{digest}.json"


def _face(entry: dict) -> Face:
    landmarks = entry["landmarks"]
    return Face(**entry | {"landmarks": landmarks and tuple((x, y) for x, y in landmarks)})


def _not_writable(path: object, error: BaseException) -> UserError:
    return UserError(
        f"{path}: found faces cannot be kept: {getattr(error, 'strerror', None) or error}. Check "
        "the permissions and the free space, or set AFFECTKERAS_CACHE to another folder."
    )
