"""`gc.save` and `gc.load`: state on disk in the safetensors format, written whole or not at all.

    gc.save("model.safetensors", model)           # torch's keys: fc.weight, fc.bias
    gc.load("model.safetensors", model)           # bit for bit
    gc.save("run.safetensors", step)              # model, optimizer, random counter
    gc.load("run.safetensors")["model"]           # {"fc.weight": array, …}

A flat dict of arrays becomes a plain safetensors file that any reader of the format takes. In a nested one, tensors are
named by their path (`model.fc.weight`), and the metadata keep its shape and its plain values as JSON. A checksum tells
a damaged file from a sound one. Format: https://github.com/huggingface/safetensors
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graphc.atomic_file import write_atomically
from graphc.errors import CheckpointError, GraphcError
from graphc.types import as_dtype

Array = np.ndarray[Any, Any]
Tensors = dict[str, Array]

DTYPE_NAMES = {
    "BOOL": "bool", "U8": "u8", "I8": "i8", "U16": "u16", "I16": "i16", "U32": "u32", "I32": "i32", "U64": "u64",
    "I64": "i64", "F16": "f16", "BF16": "bf16", "F32": "f32", "F64": "f64",
}  # fmt: skip
TREE, CHECKSUM = "graphc.tree", "graphc.crc32"


def save(path: str | os.PathLike[str], target: Any, metadata: Mapping[str, str] | None = None) -> None:
    """Write a model, an optimizer, a training step (whatever has `state_dict`) or a dict to a file.

        gc.save("model.safetensors", model, metadata={"epoch": "12"})

    A dict may be nested and hold arrays, numbers, text, lists and tuples. An existing file is replaced at once when
    the new one is complete, and keeps its permissions. Raises CheckpointError for what cannot be stored.
    """
    state = target.state_dict() if hasattr(target, "state_dict") else target
    if not isinstance(state, Mapping):
        raise CheckpointError(f"save takes what has a state_dict, or a dict, not {type(target).__name__}")
    tensors: Tensors = {}
    tree = _encode(state, (), tensors)
    notes = {str(key): str(value) for key, value in (metadata or {}).items()}
    if set(tensors) != set(state):  # more than a flat dict of arrays
        notes[TREE] = json.dumps(tree, separators=(",", ":"))
    notes[CHECKSUM] = str(_checksum(tensors, notes))
    from safetensors.numpy import save as serialize

    write_atomically(Path(path), serialize(tensors, notes))


def load(path: str | os.PathLike[str], model: Any = None) -> Any:
    """Read a file: the dict that was saved, or, with a model (optimizer, training step), that with the values loaded.

        state = gc.load("model.safetensors")            # {"fc.weight": array, …}
        model = gc.load("model.safetensors", model)

    Raises FileNotFoundError, and CheckpointError where the file is damaged or does not belong to the model, which then
    stays as it was.
    """
    tensors, notes = _read(Path(path))
    state: Any = tensors
    if TREE in notes:
        try:
            state = _decode(json.loads(notes[TREE]), tensors)
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{path}: the file is damaged: its tree cannot be read ({error})") from None
    if model is None:
        return state
    try:
        model.load_state_dict(state)
    except GraphcError as error:
        raise CheckpointError(f"{path} does not belong to this {type(model).__name__}: {error.rule}") from error
    return model


# -- the tree of a nested state ---------------------------------------------------------------------------------------


def _encode(value: Any, path: tuple[str, ...], tensors: Tensors) -> Any:
    """JSON for a value, its arrays moved to `tensors` under their path."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise CheckpointError(f"{_place(path)}: keys are text in a file, but one is {key!r}")
        return {"dict": {key: _encode(item, (*path, key), tensors) for key, item in value.items()}}
    if isinstance(value, tuple | list):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [_encode(item, (*path, str(i)), tensors) for i, item in enumerate(value)]}
    if not hasattr(value, "__array__"):
        raise CheckpointError(f"{_place(path)}: a {type(value).__name__} cannot be stored")
    array = np.asarray(value)
    try:
        dtype = as_dtype(array.dtype)
    except GraphcError as error:
        raise CheckpointError(f"{_place(path)}: {error.rule}") from None
    name = ".".join(path)
    while name in tensors:
        name += "_"
    tensors[name] = np.asarray(array, dtype.numpy, order="C")
    return {"tensor": name}


def _decode(tree: Any, tensors: Tensors) -> Any:
    if not isinstance(tree, dict):
        return tree
    ((kind, content),) = tree.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {key: _decode(item, tensors) for key, item in content.items()}
    items = [_decode(item, tensors) for item in content]
    return tuple(items) if kind == "tuple" else items


def _place(path: Iterable[str]) -> str:
    return ".".join(path) or "the state"


# -- the file ---------------------------------------------------------------------------------------------------------


def _checksum(tensors: Mapping[str, Array], notes: Mapping[str, str]) -> int:
    """CRC-32 over the metadata and over names, types and bytes of the tensors, in the order of the names."""
    total = zlib.crc32(json.dumps(sorted(item for item in notes.items() if item[0] != CHECKSUM)).encode())
    for name in sorted(tensors):
        array = tensors[name]
        total = zlib.crc32(f"{name}:{as_dtype(array.dtype)}{array.shape}".encode(), total)
        total = zlib.crc32(array.tobytes(), total)
    return total


def _read(path: Path) -> tuple[Tensors, dict[str, str]]:
    """The tensors and the metadata of a file; CheckpointError where it is damaged."""
    from safetensors import SafetensorError, deserialize

    data = path.read_bytes()
    try:
        entries = deserialize(data)  # type: ignore[no-untyped-call]
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    except (SafetensorError, ValueError) as error:
        raise CheckpointError(f"{path}: the file is damaged or no safetensors file ({error})") from None
    tensors = {}
    for name, entry in entries:
        if entry["dtype"] not in DTYPE_NAMES:
            raise CheckpointError(f"{path}: {name} has dtype {entry['dtype']}, which graphc does not have")
        dtype = as_dtype(DTYPE_NAMES[entry["dtype"]]).numpy
        tensors[name] = np.frombuffer(entry["data"], dtype).reshape(entry["shape"]).copy()
    notes: dict[str, str] = header.get("__metadata__") or {}
    if CHECKSUM in notes and notes[CHECKSUM] != str(_checksum(tensors, notes)):
        raise CheckpointError(f"{path}: the file is damaged: its checksum does not match its contents")
    return tensors, notes
