"""Files written whole or not at all: a reader, or a crash in between, finds the old file or the new one.

write_atomically("summary.json", b"{}")
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file, or put a new one in its place, keeping its permissions.

    Writes beside the file, flushes to disk, then renames. Raises OSError, and leaves things as they were, where the
    folder is missing or cannot be written.
    """
    path = Path(os.path.realpath(path))  # a link keeps pointing where it does
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.chmod(temporary, _permissions(path))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _flush_folder(path.parent)


def _permissions(path: Path) -> int:
    """Those of the file that is replaced; for a new one, what the process gives new files."""
    if path.exists():
        return path.stat().st_mode & 0o7777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _flush_folder(folder: Path) -> None:
    """Make the new name last through a crash, on systems where a folder can be flushed."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
