"""Kernels that do not compile say why and where; and where nothing is compiled, the Python functions run."""

import pytest

from graphc.backends import cache
from graphc.backends.cpu.kernels import Source, load
from graphc.errors import BackendError
from kernel_sources import IDENTITY, OF_FLOATS, counts, empty_cache, run, source


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    return empty_cache(monkeypatch, tmp_path)


# -- what does not compile ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("def kernel(x:\n", "SyntaxError: '(' was never closed"),
        ("import nothing_of_this_name\n", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("x = 1\n", "no attribute 'kernel'"),
        ("def kernel(x):\n    return x.nothing\n", "Unknown attribute 'nothing' of type float64"),
        ("def kernel(x, y):\n    return x\n", "Signature mismatch"),
        ("def kernel(x):\n    if x > 3:\n        raise ValueError\n    return x\n", "can raise an exception"),
        ("def kernel(x):\n    assert x > 3\n    return x\n", "can raise an exception"),
        ("def kernel(x):\n    print(x)\n    return x\n", "needs the run time of Numba or Python: numba_gil_ensure"),
        (
            "import numpy as np\n\n\ndef kernel(x):\n    return np.zeros(int(x)).sum()\n",
            "needs the run time of Numba or Python: NRT_",
        ),
    ],
    ids=["syntax", "import", "missing", "attribute", "signature", "raise", "assert", "print", "allocation"],
)
def test_what_does_not_compile(folder, text, complaint):
    with pytest.raises(BackendError) as error:
        load([Source("wrong", text, signature=OF_FLOATS)])
    (path,) = folder.iterdir()  # the source, which the message names; no object
    assert str(error.value).startswith(f"{path}: kernel ")
    assert complaint in str(error.value)
    with pytest.raises(BackendError, match="kernel"):  # and once more, as if it were the first time
        load([Source("wrong", text, signature=OF_FLOATS)])


def test_a_signature_that_is_none():
    with pytest.raises(BackendError, match=r"kernel does not compile\n.*float65"):
        load([Source("wrong", IDENTITY, signature="float65(float64)")])


def test_a_symbol_that_nobody_has_is_an_error():
    text = (
        "from numba import types\n\nmissing = types.ExternalFunction("
        '"graphc_nobody_has_this", types.float64(types.float64))\n\n\ndef kernel(x):\n    return missing(x)\n'
    )
    with pytest.raises(BackendError, match="cannot be linked"):
        load([Source("missing", text, signature=OF_FLOATS)])


def test_one_that_fails_leaves_the_others_usable():
    with pytest.raises(BackendError):
        load([source(2), Source("wrong", "def kernel(", signature=OF_FLOATS)])
    (loaded,), _ = load([source(2)])
    assert run(loaded, 4) == 8


# -- without compiling --------------------------------------------------------------------------------------------


def test_python_functions_instead(monkeypatch, folder):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    (kernel, half), report = load([source(11), Source("m", source(11).text, "half", OF_FLOATS)])
    assert counts(report) == (0, 0, 0)
    assert (kernel.address, half.address) == (0, 0)
    assert (run(kernel, 3, part=2), half.function(3.0)) == (35, 1.5)
    assert kernel.function.__code__.co_filename == str(kernel.path)
    assert list(folder.glob("*.o")) == []


def test_a_file_that_somebody_edited_runs_as_it_is(monkeypatch, folder):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    edited = folder / f"times_{cache.digest(source(12).text)[:12]}.py"
    cache.folder("cpu")
    edited.write_text(source(12).text.replace("FACTOR = 12", "FACTOR = 100"), encoding="utf-8")
    (loaded,), _ = load([source(12)])
    assert (loaded.path, run(loaded, 3)) == (edited, 300)


def test_a_file_that_cannot_be_imported(monkeypatch):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    with pytest.raises(BackendError, match=r"wrong_\w+\.py: kernel cannot be imported: ZeroDivisionError"):
        load([Source("wrong", "x = 1 / 0\n")])
