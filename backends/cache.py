"""The persistent cache: files of generated kernels, owned by one user, checked when read, pruned by age of last use.

    path = folder("cpu") / "affine_relu.o"
    write(path, data, {"symbol": "affine_relu"})
    read(path)                          # (data, metadata); None where it is missing, cut short or damaged

It lies in GRAPHC_CACHE_DIR, by default the platform's cache folder for graphc, with one folder a backend, and holds
GRAPHC_CACHE_SIZE bytes at most. Losing any file of it costs only time: a reader that finds a file damaged removes it, a
writer that cannot write goes on without, and a folder that cannot be used is replaced by a temporary one. Processes
share it without locks, because files are renamed into place whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphc.sizes import parse_bytes

DIRECTORY = "GRAPHC_CACHE_DIR"
SIZE = "GRAPHC_CACHE_SIZE"
DEFAULT_SIZE = 1_000_000_000
STEPS = ".steps"  # files of `graphc.backends.cpu.kept`

_HOUR = 3600.0
_DAY = 24 * _HOUR
_TOTAL = ".total"  # a file beside the kernels: the bytes of the whole cache, and when they were counted
_FOOTER = re.compile(rb"\ngraphc cache 1 ([0-9a-f]{8}) ([0-9a-f]{64})\n\Z")
_FOOTER_LENGTH = len("\ngraphc cache 1 ") + 8 + 1 + 64 + 1

_fallbacks: dict[int, Path] = {}  # by process: a forked child makes its own
_warned: set[str] = set()


# -- where it lies, and how large it may grow ---------------------------------------------------------------------


def directory() -> Path:
    """The folder that the environment asks for; it need not exist."""
    chosen = os.environ.get(DIRECTORY)
    if chosen:
        return Path(os.path.abspath(os.path.expanduser(chosen)))
    if sys.platform == "win32":
        home = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~/AppData/Local")
    elif sys.platform == "darwin":
        home = os.path.expanduser("~/Library/Caches")
    else:
        home = os.environ.get("XDG_CACHE_HOME", "")
        home = home if os.path.isabs(home) else os.path.expanduser("~/.cache")  # the standard has it absolute
    return Path(os.path.abspath(home)) / "graphc"


def folder(backend: str) -> Path:
    """The folder of a backend's files, made where it is missing, for its owner alone.

    Where it cannot be made, written or trusted, a temporary one of this process, and a UserWarning that says why.
    """
    path = directory() / backend
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        problem = _make_private(path)
    except OSError as error:
        problem = f"{error.strerror or error}: {error.filename or path}"
    if problem is None:
        return path
    root = _fallback()
    _warn_once("fallback", f"the kernel cache cannot be used ({problem}); kernels are kept in {root} until the end")
    path = root / backend
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def limit() -> int:
    """How many bytes the cache may hold: GRAPHC_CACHE_SIZE as a number of bytes, or such as `512MB` or `2 GiB`."""
    text = os.environ.get(SIZE, "").strip()
    if not text:
        return DEFAULT_SIZE
    return parse_bytes(text, SIZE)


def _make_private(path: Path) -> str | None:
    """Keep a folder of native code from other users; says what is wrong where that, or writing, is not possible."""
    if os.name == "posix":
        status = path.stat()
        if status.st_uid != os.geteuid():
            return f"{path} belongs to another user"
        if status.st_mode & 0o077:
            path.chmod(0o700)
    return None if os.access(path, os.W_OK | os.X_OK) else f"{path} is not writable"


def _fallback() -> Path:
    """A temporary folder, which goes with the process that made it."""
    import atexit
    import shutil

    process = os.getpid()
    if process not in _fallbacks:
        made = _fallbacks[process] = Path(tempfile.mkdtemp(prefix="graphc-"))

        def remove() -> None:
            if os.getpid() == process:
                shutil.rmtree(made, ignore_errors=True)

        atexit.register(remove)
    return _fallbacks[process]


def _warn_once(kind: str, message: str) -> None:
    if kind not in _warned:
        _warned.add(kind)
        warnings.warn(message, UserWarning, stacklevel=3)


# -- files --------------------------------------------------------------------------------------------------------


def write(path: Path, data: bytes, metadata: Mapping[str, Any]) -> int:
    """Keep bytes with their metadata and a checksum over both; gives the size of the file.

    The metadata stand after the data, where readers of native objects (objdump, nm) do not look.
    """
    body = data + json.dumps(metadata, sort_keys=True).encode()
    length = len(body) - len(data)
    content = body + f"\ngraphc cache 1 {length:08x} {hashlib.sha256(body).hexdigest()}\n".encode()
    _replace(path, content)
    return len(content)


def read(path: Path) -> tuple[bytes, dict[str, Any]] | None:
    """What `write` kept, marked as used now; None where it is missing, or was damaged, which removes it."""
    try:
        with open(path, "rb") as file:
            content = file.read()
            used = os.fstat(file.fileno()).st_mtime
    except OSError:
        return None
    found = _parse(content)
    if found is None:
        with contextlib.suppress(OSError):
            path.unlink()
    else:
        touch(path, used)
    return found


def write_source(path: Path, text: str) -> None:
    """Keep text for people to read, under a name that is a hash of it."""
    _replace(path, text.encode())


def touch(path: Path, used: float) -> None:
    """Mark a file as used now, if the mark it has is older than an hour: pruning needs no finer order."""
    if time.time() - used > _HOUR:
        with contextlib.suppress(OSError):
            os.utime(path)


def digest(*parts: str | bytes) -> str:
    """32 hexadecimal digits that stand for these parts, in this order."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "little") + data)
    return total.hexdigest()[:32]


def _parse(content: bytes) -> tuple[bytes, dict[str, Any]] | None:
    footer = _FOOTER.match(content, len(content) - _FOOTER_LENGTH) if len(content) >= _FOOTER_LENGTH else None
    if footer is None:
        return None
    body, length = content[: footer.start()], int(footer[1], 16)
    if length > len(body) or hashlib.sha256(body).hexdigest().encode() != footer[2]:
        return None
    return body[: len(body) - length], json.loads(body[len(body) - length :])


def _replace(path: Path, data: bytes) -> None:
    """Rename a new file into place; a warning where that is not possible."""
    try:
        _rename_into_place(path, data)
    except OSError as error:
        if not path.exists():  # Windows does not replace a file that another process reads: theirs is as good
            _warn_once("write", f"a kernel cannot be kept for the next process: {error}")


def _rename_into_place(path: Path, data: bytes) -> None:
    """Make a file whole, readable by its owner alone.

    Not flushed to disk: what a crash leaves is noticed by its checksum, and made again.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")  # with permissions 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


# -- the whole of it ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """A file of the cache: how many bytes it takes, and when it was last used, in seconds since 1970."""

    path: Path
    size: int
    used: float

    @property
    def is_kernel(self) -> bool:
        """Whether it is native code, rather than a source, steps, or what a writer left behind."""
        return self.path.suffix == ".o"

    @property
    def is_whole(self) -> bool:
        """Whether its content is what was written: its checksum, or the hash in the name of a source."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return True  # gone since; nothing is wrong with it
        if self.is_kernel or self.path.suffix == STEPS:
            return _parse(content) is not None
        return self.path.suffix != ".py" or digest(content)[:12] == self.path.stem.rpartition("_")[2]


def entries() -> list[Entry]:
    """All files of the cache, those that were not used for longest first."""
    return sorted(_entries(directory()), key=lambda entry: (entry.used, entry.path))


def _entries(root: Path) -> Iterator[Entry]:
    try:
        folders = [Path(each.path) for each in os.scandir(root) if each.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for each in folders:
        with contextlib.suppress(OSError), os.scandir(each) as files:
            for file in files:
                if file.name.endswith((".o", ".py", STEPS)) or file.name.startswith(".new-"):
                    with contextlib.suppress(FileNotFoundError):
                        status = file.stat(follow_symlinks=False)
                        yield Entry(Path(file.path), status.st_size, status.st_mtime)


def prune(size: int | None = None) -> list[Entry]:
    """Remove what was not used for longest until the rest fits the limit, and what writers that died left behind."""
    return _prune(limit() if size is None else size)[0]


def _prune(allowed: int) -> tuple[list[Entry], int]:
    """What was removed, and the bytes that are left."""
    found = entries()
    total = sum(entry.size for entry in found)
    now = time.time()
    removed = []
    for entry in found:
        abandoned = entry.path.name.startswith(".new-") and now - entry.used > _HOUR
        if (total > allowed or abandoned) and _remove(entry):
            removed.append(entry)
            total -= entry.size
    return removed, total


def make_room(path: Path, added: int) -> None:
    """Prune where so many bytes, just added to a folder of the cache, may have taken it over its limit.

    A note says what the cache holds, so that not every file is looked at whenever one is added. It misses some of what
    processes add at the same moment; after a day, or where it makes no sense, all is counted again.
    """
    note = path / _TOTAL
    try:
        total, counted = map(int, note.read_bytes().split())
    except (OSError, ValueError):
        total, counted = 0, 0
    total += added
    if not (0 <= time.time() - counted < _DAY and added <= total <= limit()):
        total, counted = _prune(limit())[1], int(time.time())
    with contextlib.suppress(OSError):
        _rename_into_place(note, f"{total} {counted}\n".encode())


def verify() -> tuple[int, list[Entry]]:
    """Read every file, and remove those that are damaged (or edited): how many were read, and which were removed."""
    found = [entry for entry in entries() if not entry.path.name.startswith(".new-")]
    return len(found), [entry for entry in found if not entry.is_whole and _remove(entry)]


def clear() -> list[Entry]:
    """Remove every file of the cache."""
    return [entry for entry in entries() if _remove(entry)]


def _remove(entry: Entry) -> bool:
    with contextlib.suppress(OSError):
        entry.path.unlink()
        return True
    return False
