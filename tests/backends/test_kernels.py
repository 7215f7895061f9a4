"""Kernels are compiled once: for the process, for the next one, for equal texts; what is damaged is made again."""

import ctypes
import json
import math
import os
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest

from graphc.backends import cache
from graphc.backends.cpu import kernels
from graphc.backends.cpu.kernels import Source, load
from kernel_sources import IDENTITY, OF_FLOATS, counts, empty_cache, forget, of_floats, run, source


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    return empty_cache(monkeypatch, tmp_path)


PROCESS = """
import json, sys
from graphc.backends.cpu.kernels import Source, load
loaded, report = load([Source(*each) for each in json.loads(sys.argv[1])])
loaded_modules = {name.partition(".")[0] for name in sys.modules}
import ctypes
words = (ctypes.c_int64 * 2)(21, 0)
at = ctypes.addressof(words)
row = (ctypes.c_int64 * 3)(0, at, at + 8)
results = []
for each in loaded:
    ctypes.CFUNCTYPE(None, ctypes.c_size_t, ctypes.c_int64, ctypes.c_int64)(each.address)(ctypes.addressof(row), 0, 1)
    results.append(words[1])
print(json.dumps([report.compiled, report.loaded, report.reused, results, "numba" in loaded_modules]))
"""


def start_process(sources) -> subprocess.Popen:
    texts = json.dumps([[each.title, each.text] for each in sources])
    command = [sys.executable, "-c", PROCESS, texts]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen):
    """The counts, the results for x = 21, and whether Numba was imported."""
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    compiled, found, reused, results, numba = json.loads(out)
    return (compiled, found, reused), results, numba


# -- one process --------------------------------------------------------------------------------------------------


def test_a_kernel_is_compiled_and_runs(folder):
    (loaded,), report = load([source(3)])
    assert run(loaded, 14, part=2) == 44
    assert counts(report) == (1, 0, 0)
    assert report.seconds > 0
    assert loaded.function is None


def test_its_source_is_a_file_to_read(folder):
    (loaded,), _ = load([source(3, "affine·relu / 2")])
    assert loaded.path.parent == folder
    assert loaded.path.name == f"affine_relu_2_{cache.digest(source(3).text)[:12]}.py"
    assert loaded.path.read_text(encoding="utf-8") == source(3).text
    assert sorted(path.suffix for path in folder.iterdir() if path.suffix) == [".o", ".py"]


def test_a_kernel_of_this_process_is_reused():
    (first,), _ = load([source(3)])
    (second,), report = load([source(3)])
    assert counts(report) == (0, 0, 1)
    assert second == first


def test_equal_texts_are_compiled_once_whatever_their_titles(folder, monkeypatch):
    loaded, report = load([source(3, "one"), source(4), source(3, "two"), source(3, "one")])
    assert counts(report) == (2, 0, 2)
    assert [run(each, 10) for each in loaded] == [30, 40, 30, 30]
    assert [each.path.name.partition("_")[0] for each in loaded] == ["one", "times", "two", "one"]
    assert all(each.path.exists() for each in loaded)
    forget(monkeypatch)
    assert counts(load([source(3, "three")])[1]) == (0, 1, 0)


def test_nothing_to_load():
    loaded, report = load([])
    assert (loaded, counts(report)) == ([], (0, 0, 0))


def test_several_functions_of_a_text():
    text = source(7).text
    (kernel, half, count), report = load(
        [Source("m", text), Source("m", text, "half", OF_FLOATS), Source("m", text, "count", "int64(uintp)")]
    )
    assert counts(report) == (3, 0, 0)
    assert run(kernel, 2) == 14
    assert of_floats(half)(3.0) == 1.5
    assert ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_size_t)(count.address)(0) == 7
    assert kernel.path == half.path == count.path


def test_functions_of_the_c_library_are_found():
    text = "import math\n\n\ndef kernel(x):\n    return math.lgamma(x) + math.exp(x) + math.tan(x)\n"
    (loaded,), _ = load([Source("libm", text, signature=OF_FLOATS)])
    for x in (0.5, 1.75, 10.0):
        assert of_floats(loaded)(x) == pytest.approx(math.lgamma(x) + math.exp(x) + math.tan(x), rel=1e-14)


def test_nan_and_infinity_are_not_assumed_away():
    text = "def kernel(x):\n    return 1.0 if x != x else 2.0 if x - x != x - x else 3.0\n"
    (loaded,), _ = load([Source("classify", text, signature=OF_FLOATS)])
    assert [of_floats(loaded)(x) for x in (math.nan, math.inf, -math.inf, 0.0, 1e308)] == [1, 2, 2, 3, 3]


def test_division_by_zero_is_what_numpy_makes_of_it():
    (loaded,), _ = load([Source("inverse", "def kernel(x):\n    return 1.0 / x\n", signature=OF_FLOATS)])
    assert [of_floats(loaded)(x) for x in (0.0, -2.0)] == [math.inf, -0.5]


def test_a_function_that_is_called_and_not_inlined():
    text = (
        "from numba import njit\n\n\n@njit\ndef fibonacci(n):\n"
        "    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)\n\n\n"
        "def kernel(n):\n    return fibonacci(n)\n"
    )
    (loaded,), _ = load([Source("fibonacci", text.replace("@njit", '@njit("int64(int64)")'), signature="int64(int64)")])
    assert ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(loaded.address)(20) == 6765


def test_threads_that_ask_at_once_compile_once():
    reports = []
    threads = [threading.Thread(target=lambda: reports.append(load([source(5)])[1])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(counts, reports)) == [(0, 0, 1)] * 3 + [(1, 0, 0)]


# -- other processes ----------------------------------------------------------------------------------------------


def test_another_process_loads_without_importing_numba():
    sources = [source(factor) for factor in range(2, 6)]
    load(sources)
    assert finish(start_process(sources)) == ((0, 4, 0), [42, 63, 84, 105], False)


def test_two_processes_may_compile_the_same_at_once(folder):
    sources = [source(factor) for factor in (2, 3)]
    for (compiled, found, reused), results, _ in map(finish, [start_process(sources), start_process(sources)]):
        assert (compiled + found, reused) == (2, 0)
        assert results == [42, 63]
    assert sorted(path.suffix for path in folder.iterdir() if path.suffix) == [".o", ".o", ".py", ".py"]
    assert cache.verify() == (4, [])


# -- what is in the cache may be anything -------------------------------------------------------------------------


def make_again(monkeypatch, damage) -> None:
    """Do something to the object of a kernel, then load it as another process would: it is compiled, and is good."""
    (loaded,), _ = load([source(3)])
    (path,) = loaded.path.parent.glob("*.o")
    damage(path)
    forget(monkeypatch)
    (again,), report = load([source(3)])
    assert counts(report) == (1, 0, 0)
    assert run(again, 5) == 15
    forget(monkeypatch)
    assert counts(load([source(3)])[1]) == (0, 1, 0)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:100]),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes().replace(b"times", b"timez", 1)),
        lambda path: path.write_bytes(os.urandom(5000)),
    ],
    ids=["missing", "empty", "truncated", "one byte short", "changed", "noise"],
)
def test_a_damaged_object_is_compiled_again(monkeypatch, damage):
    make_again(monkeypatch, damage)


@pytest.mark.parametrize(
    "metadata",
    [{}, {"key": "0" * 32, "symbol": "kernel"}, {"key": 3}, {"versions": {"numba": "0.1"}}],
    ids=["empty", "another key", "no key", "another version"],
)
def test_a_whole_object_that_is_not_the_right_one_is_compiled_again(monkeypatch, metadata):
    make_again(monkeypatch, lambda path: cache.write(path, cache.read(path)[0], metadata))


def test_an_object_that_cannot_be_linked_is_compiled_again(monkeypatch):
    def damage(path: Path) -> None:
        data, metadata = cache.read(path)
        cache.write(path, data, {**metadata, "symbol": "another_function"})

    make_again(monkeypatch, damage)


def test_an_object_for_another_kind_of_machine_is_compiled_again(monkeypatch):
    make_again(monkeypatch, lambda path: cache.write(path, b"\x7fELF" + bytes(60), cache.read(path)[1]))


def test_a_source_that_is_gone_or_damaged_is_written_again(monkeypatch):
    (loaded,), _ = load([source(3)])
    loaded.path.unlink()
    assert counts(load([source(3)])[1]) == (0, 0, 1)
    assert loaded.path.read_text(encoding="utf-8") == source(3).text
    loaded.path.write_text("half of it")
    cache.clear()
    loaded.path.write_text("half of it")
    forget(monkeypatch)
    assert counts(load([source(3)])[1]) == (1, 0, 0)
    assert loaded.path.read_text(encoding="utf-8") == source(3).text


def test_a_cache_that_cannot_be_used_costs_a_warning_and_no_more(monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "_warned", set())
    monkeypatch.setattr(cache, "_fallbacks", {})
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="kernel cache cannot be used") as caught:
        (loaded,), report = load([source(3)])
    assert (len(caught), counts(report), run(loaded, 2)) == (1, (1, 0, 0), 6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        forget(monkeypatch)
        assert counts(load([source(3)])[1]) == (0, 1, 0)


def test_a_full_disk_costs_a_warning_and_no_more(monkeypatch):
    def fail(**_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "_warned", set())
    monkeypatch.setattr(cache.tempfile, "mkstemp", fail)
    with pytest.warns(UserWarning, match="cannot be kept for the next process.*No space left"):
        (loaded,), _ = load([source(3)])
    assert run(loaded, 2) == 6


def test_the_size_limit_holds_after_compiling(monkeypatch, folder):
    load([source(factor) for factor in (2, 3)])
    for path in folder.iterdir():
        os.utime(path, (1e9, 1e9))
    monkeypatch.setenv("GRAPHC_CACHE_SIZE", str(sum(path.stat().st_size for path in folder.iterdir())))
    (loaded,), _ = load([source(4)])
    sizes = [entry.size for entry in cache.entries()]
    assert sum(sizes) <= cache.limit()
    assert len(sizes) >= 2
    assert loaded.path.exists()


# -- what an object depends on ------------------------------------------------------------------------------------


def test_text_function_signature_and_vectors_make_another_object(monkeypatch):
    text = "def kernel(x):\n    return x\n\n\ndef other(x):\n    return x\n"
    first = Source("k", text, signature=OF_FLOATS)
    load([first])
    assert counts(load([Source("k", text + "\n", signature=OF_FLOATS)])[1]) == (1, 0, 0)
    assert counts(load([Source("k", text, "other", OF_FLOATS)])[1]) == (1, 0, 0)
    assert counts(load([Source("k", text, signature="float32(float32)")])[1]) == (1, 0, 0)
    monkeypatch.setenv("GRAPHC_VECTOR_BITS", "128")
    assert counts(load([first])[1]) == (1, 0, 0)
    assert counts(load([first])[1]) == (0, 0, 1)


def test_a_changed_support_module_makes_another_object(monkeypatch):
    identity = Source("identity", IDENTITY, signature=OF_FLOATS)
    load([identity])
    monkeypatch.setattr(kernels, "source_hash", lambda folder: "changed")
    kernels._surroundings.cache_clear()
    try:
        assert counts(load([identity])[1]) == (1, 0, 0)
    finally:
        kernels._surroundings.cache_clear()


def test_support_modules_are_all_files_by_name_and_content(tmp_path):
    (tmp_path / "functions").mkdir()
    (tmp_path / "pointer.py").write_text("x = 1\n")
    hashes = [kernels.source_hash(tmp_path)]
    for name, text in [("pointer.py", "x = 2\n"), ("functions/log.py", ""), ("functions/log.py", "y = 1\n")]:
        (tmp_path / name).write_text(text)
        hashes.append(kernels.source_hash(tmp_path))
    (tmp_path / "functions" / "log.py").rename(tmp_path / "functions" / "exp.py")
    hashes.append(kernels.source_hash(tmp_path))
    assert len(set(hashes)) == 5
    (tmp_path / "notes.txt").write_text("nothing to do with it")
    assert kernels.source_hash(tmp_path) == hashes[-1]


def test_the_version_of_numba_is_found_without_importing_it():
    import numba

    assert numba.__version__ in kernels._numba_version()


def test_time_is_no_part_of_a_key(monkeypatch):
    load([source(3)])
    forget(monkeypatch)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert counts(load([source(3)])[1]) == (0, 1, 0)
