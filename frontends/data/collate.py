"""Collating: a list of items becomes one batch of the same structure.

>>> collate([(np.zeros(3, "f4"), 7), (np.ones(3, "f4"), 1)])     # f32[2,3], i64[2]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import DTypeError, ShapeError
from graphc.types import bool_, f32, i64


def collate(items: Sequence[Any]) -> Any:
    """The items of a batch, stacked along a new first axis.

    Arrays are stacked; numbers become an array, of the default dtype where they are Python's (f32, i64); tuples, lists
    and dicts are collated part by part; text stays a list. Raises ShapeError where the items' shapes or structures
    differ, DTypeError for what no array can hold.
    """
    if not items:
        raise ShapeError("a batch needs one item or more")
    first = items[0]
    if isinstance(first, str | bytes):
        return list(items)
    if isinstance(first, Mapping):
        _check_same("keys", [sorted(map(str, item)) if isinstance(item, Mapping) else None for item in items])
        return {key: collate([item[key] for item in items]) for key in first}
    if isinstance(first, tuple | list):
        _check_same("lengths", [len(item) if isinstance(item, tuple | list) else None for item in items])
        return tuple(collate(parts) for parts in zip(*items, strict=True))
    _check_same("shapes", [np.shape(item) for item in items])
    if all(isinstance(item, bool | int | float) for item in items):
        numbers = np.array(items)
        return numbers.astype(_DEFAULTS.get(numbers.dtype.kind, numbers.dtype))
    arrays = [np.asarray(item) for item in items]
    dtypes = {array.dtype for array in arrays}
    if arrays[0].dtype.kind not in "biufV":
        raise DTypeError(f"items of a batch are arrays, numbers, text, tuples or dicts, not {type(first).__name__}")
    if len(dtypes) > 1:
        raise DTypeError(f"the items of a batch have different dtypes: {', '.join(sorted(map(str, dtypes)))}")
    return np.stack(arrays)


_DEFAULTS = {"b": bool_.numpy, "i": i64.numpy, "f": f32.numpy}  # the dtypes of Python's numbers


def _check_same(what: str, given: Sequence[Any]) -> None:
    """Raise ShapeError unless all are equal to the first."""
    for index, each in enumerate(given):
        if each != given[0]:
            raise ShapeError(f"the items of a batch have different {what}: item 0 has {given[0]}, item {index} {each}")
