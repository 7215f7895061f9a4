"""Files: what comes back is what was saved; a file is whole or absent; damage is noticed."""

import os
import stat

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import graphc as gc
from graphc.errors import CheckpointError
from train.line import Line


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.safetensors"


def assert_equal(a, b):
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_equal(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_equal(x, y)
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    else:
        assert a == b or (a != a and b != b)


@pytest.mark.parametrize("dtype", [d.name for d in gc.DTYPES.values()])
def test_every_dtype_comes_back(path, dtype):
    numpy_dtype = gc.DTYPES[dtype].numpy
    arrays = {"matrix": np.arange(6).reshape(2, 3).astype(numpy_dtype), "scalar": np.ones((), numpy_dtype)}
    arrays |= {"empty": np.zeros((0, 3), numpy_dtype), "transposed": arrays["matrix"].T}
    gc.save(path, arrays)
    loaded = gc.load(path)
    for name, array in arrays.items():
        assert loaded[name].dtype == array.dtype
        np.testing.assert_array_equal(loaded[name], array)
        assert loaded[name].flags.writeable


def test_special_numbers_and_foreign_byte_order(path):
    bits = np.array([0x7FC00001, 0xFF800000, 0x80000000, 1], np.uint32)  # a NaN with payload, −inf, −0, a subnormal
    gc.save(path, {"f": bits.view(np.float32), "big": np.arange(4, dtype=">i4")})
    loaded = gc.load(path)
    np.testing.assert_array_equal(loaded["f"].view(np.uint32), bits)
    np.testing.assert_array_equal(loaded["big"], np.arange(4))


def test_nested_state_keeps_its_shape(path):
    state = {
        "model": {"fc.weight": np.ones((2, 3), ml_dtypes.bfloat16), "fc": {"weight": np.zeros(3)}},
        "list": [1, 2.5, float("nan"), float("inf"), None, True, "text", (np.arange(3), "π")],
        "empty": {},
    }
    gc.save(path, state)
    assert_equal(gc.load(path), state)
    assert_equal(gc.load(path), state)


def test_a_models_file_has_torchs_keys_and_nothing_else(path):
    model = Line()
    gc.save(path, model, metadata={"epoch": "3"})
    assert set(load_file(path)) == {"w", "b"}
    other = Line()
    other.w[...] = 0.0
    assert gc.load(path, other) is other
    np.testing.assert_array_equal(other.w, model.w)


def test_files_of_other_programs_load(path):
    save_file({"w": np.zeros(3), "b": np.ones(1)}, path)
    np.testing.assert_array_equal(gc.load(path, Line()).b, [1.0])


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"a": object()}, "a: a object cannot be stored"),
        ({"a": {1: np.zeros(3)}}, "a: keys are text in a file, but one is 1"),
        ({"a": np.zeros(2, complex)}, "a: .*is not a graphc dtype"),
        (3, "save takes what has a state_dict, or a dict, not int"),
    ],
)
def test_what_cannot_be_stored(path, state, message):
    with pytest.raises(CheckpointError, match=message):
        gc.save(path, state)
    assert not path.exists()


def test_damage_anywhere_is_noticed(path):
    state = {"a": np.arange(4.0), "nested": {"b": np.arange(3), "n": 7}}
    gc.save(path, state, metadata={"epoch": "3"})
    data = path.read_bytes()
    model = Line()
    for size in (0, 4, 8, 100, len(data) - 1):
        path.write_bytes(data[:size])
        with pytest.raises(CheckpointError, match="damaged"):
            gc.load(path, model)
    np.testing.assert_array_equal(model.w, Line().w)
    noticed = 0
    for position in range(len(data)):
        flipped = bytearray(data)
        flipped[position] ^= 0x10
        path.write_bytes(flipped)
        try:
            assert_equal(gc.load(path), state)  # the name of the checksum itself may change, to no harm
        except CheckpointError:
            noticed += 1
    assert noticed > len(data) - 32


def test_a_missing_file_is_a_missing_file(path):
    with pytest.raises(FileNotFoundError):
        gc.load(path)


def test_a_failed_write_leaves_the_old_file_and_no_other(path, monkeypatch):
    gc.save(path, {"a": np.zeros(3)})
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        gc.save(path, {"a": np.ones(3)})
    monkeypatch.undo()
    np.testing.assert_array_equal(gc.load(path)["a"], np.zeros(3))
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_permissions_and_links_stay(path, tmp_path):
    mask = os.umask(0o027)
    try:
        gc.save(path, {"a": np.zeros(3)})
    finally:
        os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    link = tmp_path / "latest"
    link.symlink_to(path)
    gc.save(link, {"a": np.ones(3)})
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
    np.testing.assert_array_equal(gc.load(path)["a"], np.ones(3))
