"""A case is a call with its result, written down: every `.npz` file in this folder is a list of them.

    for case in read("nn_activations"):
        case.function, case.arguments        # "leaky_relu", {"negative_slope": 0.1}
        case["inputs"]["input"]              # the arrays of the call, by parameter name, in its order
        case["outputs"]["output"]            # what torch gave
        case["cotangents"]["output"]         # what torch's backward was fed with
        case["gradients"]["input"]           # what it gave back

Groups are free: a file may have others (`parameters`, `step0` …), which its maker's docstring explains.

On disk, arrays of one dtype lie in one flat pool, and equal arrays lie there once; `index` is JSON that says
which part of which pool is which array. Hundreds of small arrays then cost their bytes and no headers.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent

Group = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """`function(**inputs, **arguments)`; `facts` holds what is not an array: an error, a repr, a bound."""

    name: str
    function: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, group: str) -> Group:
        return self.groups[group]

    def __contains__(self, group: str) -> bool:
        return group in self.groups


def write(file: str, cases: Iterable[Case]) -> None:
    """Writes `file`.npz beside this module; two cases of one name are an error."""
    pools: dict[str, list[np.ndarray]] = {}
    lengths: dict[str, int] = {}
    places: dict[tuple[str, bytes], int] = {}
    index: dict[str, Any] = {}
    for case in cases:
        if case.name in index:
            raise ValueError(f"{file}: two cases are named {case.name!r}")
        groups: dict[str, dict[str, Any]] = {}
        for group, arrays in case.groups.items():
            groups[group] = {}
            for name, array in arrays.items():
                dtype, flat = array.dtype.name, np.ascontiguousarray(array).ravel()
                key = dtype, flat.tobytes()
                if key not in places:
                    places[key] = lengths.get(dtype, 0)
                    lengths[dtype] = places[key] + flat.size
                    pools.setdefault(dtype, []).append(flat)
                groups[group][name] = [dtype, places[key], list(array.shape)]
        index[case.name] = [case.function, dict(case.arguments), groups, dict(case.facts)]
    text = np.frombuffer(json.dumps(index, separators=(",", ":")).encode(), np.uint8)
    stored = {dtype: np.concatenate(pool) for dtype, pool in pools.items()}
    np.savez_compressed(FOLDER / f"{file}.npz", index=text, **stored)


def read(file: str) -> list[Case]:
    """The cases of `file`.npz, in the order they were written in; arrays are read-only."""
    with np.load(FOLDER / f"{file}.npz") as stored:
        pools = {name: stored[name] for name in stored.files}
    index = json.loads(pools.pop("index").tobytes())
    for pool in pools.values():
        pool.setflags(write=False)

    def array(dtype: str, start: int, shape: list[int]) -> np.ndarray:
        return pools[dtype][start : start + int(np.prod(shape))].reshape(shape)

    return [
        Case(
            name,
            function,
            arguments,
            {group: {key: array(*place) for key, place in places.items()} for group, places in groups.items()},
            facts,
        )
        for name, (function, arguments, groups, facts) in index.items()
    ]
