"""Every op of the registry on the cpu backend gives what the interpreter gives, on its own samples and dtypes.

f32 to 1e-5, f64 to 1e-12 of the largest number of a result; integers, booleans and what is not finite exactly.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.op import REGISTRY, Op, find_op
from graphc.samples import Sample
from graphc.types import DType, bf16, f16, f32, f64, type_of

sys.path.insert(0, str(Path(__file__).parent))
from on_cpu import agree, one_node

find_op("add")
OPS = [op for op in REGISTRY.values() if (op.body_function or op.infer_rule).__module__.startswith("graphc.")]
REGIONS = {"fused", "map", "scan"}  # they have no samples; tests of fusion, of jacobians and of loops run them


def cases() -> list[Any]:
    """Each op on each of its samples in f32 and f64; in 16 bits on its first one."""
    found = []
    for op in OPS:
        for index, sample in enumerate(op.samples):
            free = any(draw.dtype is None for draw in sample.operands)
            dtypes = (f32, f64) if free else (f64,)
            if free and index == 0 and op.accepts in ("any", "float", "numeric"):
                dtypes += (f16, bf16)
            found += [pytest.param(op, sample, dtype, id=f"{op.name}-{index}-{dtype}") for dtype in dtypes]
    return found


def test_every_op_has_samples():
    assert {op.name for op in OPS if not op.samples} == REGIONS


@pytest.mark.parametrize(("op", "sample", "dtype"), cases())
def test_op(op: Op, sample: Sample, dtype: DType):
    arrays = sample.arrays(dtype)
    try:
        graph = one_node(op, [type_of(a) for a in arrays], op.complete(sample.attributes))
        expected = gc.evaluate(graph, *arrays)
    except gc.errors.DTypeError:
        pytest.skip(f"{op.name} does not take {dtype}")
    executable = gc.compile(graph, backend="cpu")
    given = executable(*arrays)
    for got, want in zip(_tuple(given), _tuple(expected), strict=True):
        agree(got, want)


def _tuple(results: Any) -> tuple[np.ndarray[Any, Any], ...]:
    return results if isinstance(results, tuple) else (results,)
