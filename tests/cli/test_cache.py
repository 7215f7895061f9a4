"""`graphc cache`: what it shows, and what it removes."""

import os
import time

import pytest

from graphc.backends import cache


@pytest.fixture
def root(monkeypatch, tmp_path):
    monkeypatch.delenv("GRAPHC_CACHE_SIZE", raising=False)
    monkeypatch.delenv("GRAPHC_VECTOR_BITS", raising=False)
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path / "kernels"))
    return tmp_path / "kernels"


@pytest.fixture
def kept(root):
    """Two kernels of a megabyte and the source of one; the first was not used for longest."""
    folder = cache.folder("cpu")
    paths = [folder / "a.o", folder / "b.o", folder / f"relu_{cache.digest('x = 1')[:12]}.py"]
    for path in paths[:2]:
        cache.write(path, bytes(1_000_000), {"key": path.stem})
    cache.write_source(paths[2], "x = 1")
    for hours, path in zip((48, 24, 12), paths, strict=True):
        then = time.time() - hours * 3600
        os.utime(path, (then, then))
    return paths


def test_an_empty_cache(graphc, root):
    lines = graphc("cache").out.splitlines()
    assert lines == [f"directory     {root}", "kernels       0, 0.0 MB", "with sources  0.0 MB of 1,000.0 MB"]
    assert not root.exists()


def test_show(graphc, root, kept, monkeypatch):
    monkeypatch.setenv("GRAPHC_CACHE_SIZE", "512MB")
    assert graphc("cache") == graphc("cache", "show")
    code, out, err = graphc("cache")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0] == f"directory     {root}"
    assert lines[1:3] == ["kernels       2, 2.0 MB", "with sources  2.0 MB of 512.0 MB"]
    used = [time.strftime("%Y-%m-%d %H:%M", time.localtime(path.stat().st_mtime)) for path in kept]
    assert lines[3:] == [f"oldest        last used {used[0]}", f"newest        last used {used[1]}"]


def test_verify(graphc, kept):
    assert graphc("cache", "verify").out == "read 3 files, removed 0\n"
    kept[1].write_bytes(kept[1].read_bytes()[:-1])
    lines = graphc("cache", "verify").out.splitlines()
    assert lines == [f"removed {kept[1]}: damaged or edited", "read 3 files, removed 1"]
    assert [path.exists() for path in kept] == [True, False, True]


def test_prune(graphc, kept, monkeypatch):
    assert graphc("cache", "prune").out == "removed 0 files, 0.0 MB; left 3 files, 2.0 MB\n"
    monkeypatch.setenv("GRAPHC_CACHE_SIZE", "1.5MB")
    assert graphc("cache", "prune").out == "removed 1 file, 1.0 MB; left 2 files, 1.0 MB\n"
    assert [path.exists() for path in kept] == [False, True, True]


def test_clear(graphc, kept):
    assert graphc("cache", "clear").out == "removed 3 files, 2.0 MB; left 0 files, 0.0 MB\n"
    assert not any(path.exists() for path in kept)


def test_machine(graphc, root, monkeypatch):
    monkeypatch.setenv("GRAPHC_VECTOR_BITS", "256")
    code, out, _ = graphc("cache", "--machine")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["CPU", "vectors", "caches", "cores"]
    assert "vectors            32 bytes, " in out


@pytest.mark.parametrize(
    ("variable", "value", "arguments"),
    [
        ("GRAPHC_CACHE_SIZE", "huge", ()),
        ("GRAPHC_CACHE_SIZE", "-5", ("prune",)),
        ("GRAPHC_VECTOR_BITS", "7", ("--machine",)),
    ],
)
def test_variables_that_are_wrong(graphc, root, monkeypatch, variable, value, arguments):
    monkeypatch.setenv(variable, value)
    code, out, err = graphc("cache", *arguments)
    assert (code, out) == (1, "")
    assert err.startswith(f"ArgumentError: {variable} is to be ")


def test_an_action_that_there_is_not(graphc, root):
    code, _, err = graphc("cache", "burn")
    assert code == 2
    assert "burn" in err
