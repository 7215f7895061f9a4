"""The persistent cache: what is written is read back or noticed as damaged, and the folder is private and bounded."""

import os
import time
import warnings
from pathlib import Path

import pytest

from graphc.backends import cache
from graphc.errors import ArgumentError

DATA = bytes(range(256)) * 3
METADATA = {"key": "k", "symbol": "s", "versions": {"numba": "1"}}
posix = pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")


@pytest.fixture(autouse=True)
def root(monkeypatch, tmp_path):
    """A cache that is not there yet, in a process that has not warned yet."""
    monkeypatch.setattr(cache, "_warned", set())
    monkeypatch.setattr(cache, "_fallbacks", {})
    monkeypatch.delenv("GRAPHC_CACHE_SIZE", raising=False)
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def kept():
    """A file of the cache."""
    path = cache.folder("cpu") / "kernel.o"
    cache.write(path, DATA, METADATA)
    return path


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


# -- files --------------------------------------------------------------------------------------------------------


def test_what_is_written_is_read(kept):
    assert cache.read(kept) == (DATA, METADATA)


@pytest.mark.parametrize("data", [b"", b"\n", b"graphc cache 1 ", b"\ngraphc cache 1 00000000 " + b"0" * 64 + b"\n"])
def test_data_may_look_like_anything(kept, data):
    cache.write(kept, data, {})
    assert cache.read(kept) == (data, {})


def test_the_data_come_first_for_tools_that_read_native_objects(kept):
    assert kept.read_bytes().startswith(DATA)


def test_a_missing_file_is_none(kept):
    assert cache.read(kept.with_name("other.o")) is None


@pytest.mark.parametrize("length", [0, 1, 90, 256, len(DATA), -91, -90, -1])
def test_a_truncated_file_is_noticed_and_removed(kept, length):
    kept.write_bytes(kept.read_bytes()[:length])
    assert cache.read(kept) is None
    assert not kept.exists()


def test_one_changed_byte_anywhere_is_noticed(kept):
    whole = kept.read_bytes()
    for place in range(0, len(whole), 7):
        kept.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        assert cache.read(kept) is None, place


def test_bytes_after_the_end_are_noticed(kept):
    kept.write_bytes(kept.read_bytes() + b"\0")
    assert cache.read(kept) is None


def test_a_folder_in_the_place_of_a_file_is_none(kept):
    kept.unlink()
    kept.mkdir()
    assert cache.read(kept) is None


def test_writing_replaces_a_file_whole(kept):
    cache.write(kept, b"new", {})
    assert cache.read(kept) == (b"new", {})
    assert [path.name for path in kept.parent.iterdir()] == ["kernel.o"]


def test_a_failed_write_leaves_the_old_file_and_no_other(kept, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    cache.write(kept, b"new", {})
    monkeypatch.undo()
    assert cache.read(kept) == (DATA, METADATA)
    assert [path.name for path in kept.parent.iterdir()] == ["kernel.o"]


def test_what_cannot_be_written_is_said_once(kept):
    missing = kept.parent / "missing" / "kernel.o"
    with pytest.warns(UserWarning, match="cannot be kept for the next process"):
        cache.write(missing, DATA, METADATA)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cache.write(missing, DATA, METADATA)


def test_reading_marks_as_used(kept):
    age(kept, 5 * 3600)
    cache.read(kept)
    assert time.time() - kept.stat().st_mtime < 60


def test_a_mark_younger_than_an_hour_is_left(kept):
    age(kept, 600)
    before = kept.stat().st_mtime_ns
    cache.read(kept)
    assert kept.stat().st_mtime_ns == before


def test_a_digest_depends_on_where_parts_end():
    digests = [cache.digest("ab", "c"), cache.digest("a", "bc"), cache.digest("abc"), cache.digest("abc", "")]
    assert len(set(digests)) == 4
    assert cache.digest("ab", b"c") == digests[0]


# -- where it lies ------------------------------------------------------------------------------------------------


def test_the_directory_is_that_of_the_variable(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for home in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(home, str(tmp_path / "home"))
    monkeypatch.setenv("GRAPHC_CACHE_DIR", "~/kernels")
    assert cache.directory() == tmp_path / "home" / "kernels"
    monkeypatch.setenv("GRAPHC_CACHE_DIR", "kernels")
    assert cache.directory() == tmp_path / "kernels"


@pytest.mark.parametrize("value", [None, ""])
def test_the_directory_is_the_platforms(monkeypatch, tmp_path, value):
    if value is None:
        monkeypatch.delenv("GRAPHC_CACHE_DIR")
    else:
        monkeypatch.setenv("GRAPHC_CACHE_DIR", value)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(cache.sys, "platform", "linux")
    assert cache.directory() == tmp_path / "xdg" / "graphc"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert cache.directory() == tmp_path / ".cache" / "graphc"
    monkeypatch.setattr(cache.sys, "platform", "darwin")
    assert cache.directory() == tmp_path / "Library" / "Caches" / "graphc"
    monkeypatch.setattr(cache.sys, "platform", "win32")
    assert cache.directory() == tmp_path / "local" / "graphc"


@posix
def test_only_the_owner_may_look(root, kept):
    source = kept.with_name("kernel_0.py")
    cache.write_source(source, "x = 1\n")
    assert [path.stat().st_mode & 0o777 for path in (root, kept.parent, kept, source)] == [0o700, 0o700, 0o600, 0o600]


@posix
def test_a_folder_that_others_may_write_is_closed(root):
    (root / "cpu").mkdir(parents=True)
    (root / "cpu").chmod(0o777)
    assert cache.folder("cpu") == root / "cpu"
    assert (root / "cpu").stat().st_mode & 0o777 == 0o700


def check_fallback(root: Path, problem: str) -> None:
    """One warning, and a private folder that works."""
    with pytest.warns(UserWarning, match=f"kernel cache cannot be used .*{problem}"):
        path = cache.folder("cpu")
    assert root not in path.parents
    assert os.name != "posix" or path.parent.stat().st_mode & 0o777 == 0o700
    cache.write(path / "kernel.o", DATA, METADATA)
    assert cache.read(path / "kernel.o") == (DATA, METADATA)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cache.folder("cpu") == path


def test_a_file_in_the_place_of_the_folder(root):
    root.write_text("not a folder")
    check_fallback(root, "cache")


@posix
def test_a_folder_of_another_user(root, monkeypatch):
    cache.folder("cpu")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    check_fallback(root, "belongs to another user")


def test_a_folder_that_cannot_be_written(root, monkeypatch):
    cache.folder("cpu")
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: root not in Path(path).parents and access(path, mode))
    check_fallback(root, "is not writable")


# -- how large it grows -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", 1_000_000_000),
        ("0", 0),
        ("123456", 123_456),
        ("10 B", 10),
        ("512MB", 512_000_000),
        (" 2 GiB ", 2 << 30),
        ("1.5kb", 1_500),
        ("1TB", 10**12),
    ],
)
def test_the_limit(monkeypatch, text, size):
    monkeypatch.setenv("GRAPHC_CACHE_SIZE", text)
    assert cache.limit() == size


@pytest.mark.parametrize("text", ["much", "-1", "1e9", "5 apples", "MB", "1,5GB", "nan", "0x10"])
def test_a_limit_that_is_no_size(monkeypatch, text):
    monkeypatch.setenv("GRAPHC_CACHE_SIZE", text)
    with pytest.raises(ArgumentError, match='GRAPHC_CACHE_SIZE is to be a number of bytes or such as "512MB"') as error:
        cache.limit()
    assert repr(text) in str(error.value)


def fill(count: int) -> list[Path]:
    """Files of about 1000 bytes; the first was not used for longest."""
    paths = [cache.folder("cpu") / f"kernel{i}.o" for i in range(count)]
    for i, path in enumerate(paths):
        cache.write(path, bytes(1000), {})
        age(path, 1000 * (count - i))
    return paths


def test_pruning_removes_what_was_not_used_for_longest(monkeypatch):
    paths = fill(6)
    monkeypatch.setenv("GRAPHC_CACHE_SIZE", "3500")
    removed = cache.prune()
    assert [entry.path for entry in removed] == paths[:3]
    assert [path.exists() for path in paths] == [False] * 3 + [True] * 3
    assert cache.prune() == []


def test_pruning_keeps_what_was_used_lately():
    paths = fill(4)
    assert cache.read(paths[0]) is not None
    cache.prune(2500)
    assert [path.exists() for path in paths] == [True, False, False, True]


def test_pruning_removes_what_a_writer_left_behind_but_not_what_one_writes_now():
    (kept,) = fill(1)
    old, new = kept.with_name(".new-old"), kept.with_name(".new-new")
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    age(old, 2 * 3600)
    assert [entry.path for entry in cache.prune()] == [old]
    assert kept.exists()
    assert new.exists()


@pytest.fixture
def counted(monkeypatch):
    """How often all files were looked at."""
    counts = []
    entries = cache.entries
    monkeypatch.setattr(cache, "entries", lambda: counts.append(1) or entries())
    return counts


def test_files_are_counted_once_and_again_where_they_may_be_too_many(monkeypatch, counted):
    folder = cache.folder("cpu")
    for number in range(5):
        fill(number + 1)
        cache.make_room(folder, 1100)
    assert len(counted) == 1
    monkeypatch.setenv("GRAPHC_CACHE_SIZE", "3500")
    cache.make_room(folder, 0)
    assert len(counted) == 2
    assert len([*folder.glob("*.o")]) == 3
    cache.make_room(folder, 0)
    assert len(counted) == 2


@pytest.mark.parametrize("note", [b"", b"1", b"1 2 3", b"x y", b"-5000 {now}", b"0 0", b"0 {later}", b"9" * 9999])
def test_a_note_that_makes_no_sense_is_made_again(counted, note):
    now = int(time.time())
    folder = fill(2)[0].parent
    note = note.replace(b"{now}", b"%d" % now).replace(b"{later}", b"%d" % (now + 10**6))
    (folder / ".total").write_bytes(note)
    cache.make_room(folder, 1000)
    assert len(counted) == 1
    total, counted_at = map(int, (folder / ".total").read_bytes().split())
    assert 2000 < total < 2400
    assert abs(counted_at - now) < 60


def test_a_note_that_cannot_be_written_costs_only_time(monkeypatch, counted):
    folder = fill(1)[0].parent

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cache.make_room(folder, 1000)
        cache.make_room(folder, 1000)
    assert len(counted) == 2
    assert [path.name for path in folder.iterdir()] == ["kernel0.o"]


def test_verifying_removes_damaged_objects_and_edited_sources():
    good, bad = fill(2)
    bad.write_bytes(bad.read_bytes()[:-3])
    sources = [good.with_name(f"k_{cache.digest(text)[:12]}.py") for text in ("x = 1\n", "x = 2\n")]
    cache.write_source(sources[0], "x = 1\n")
    cache.write_source(sources[1], "x = 2  # or 3\n")
    read, removed = cache.verify()
    assert read == 4
    assert {entry.path for entry in removed} == {bad, sources[1]}
    assert cache.verify() == (2, [])


def test_clearing_leaves_the_files_of_others(root):
    paths = fill(3)
    notes = [root / "notes.txt", root / "cpu" / "notes.txt"]
    for note in notes:
        note.write_text("mine")
    assert {entry.path for entry in cache.clear()} == set(paths)
    assert all(note.exists() for note in notes)
    assert cache.entries() == []


def test_a_cache_that_is_not_there_is_empty(root):
    assert (cache.entries(), cache.prune(), cache.verify(), cache.clear()) == ([], [], (0, []), [])
    assert not root.exists()
