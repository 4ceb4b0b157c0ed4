"""Write files so that a crash leaves the old or the new, never something between."""

import os
from pathlib import Path


def write_durably(path: Path, data: bytes) -> None:
    """Put *data* at *path*, whole and on the disk, or not at all."""
    draft = path.with_name(path.name + ".tmp")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Make the content of *path* survive a power cut."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Make the names in *path* survive a power cut."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
