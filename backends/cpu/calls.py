"""Where the names that kernels call come from."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache

from graphc.op import REGISTRY
from graphc.types import DTYPES

POINTERS = frozenset(
    {
        "address", "bf16", "bool_", "extent", "f16", "f32", "f64", "fail", "fetch", "i8", "i16", "i32", "i64", "share",
        "u8", "u16", "u32", "u64",
    }
)  # fmt: skip
CONTRACTIONS = frozenset(
    f"{name}_{dtype}"
    for name in ("dot", "gemm", "gemm_lanes", "gemm_lanes_within", "gemm_segments", "pack")
    for dtype in ("f32", "f64")
)
LEFT_PANELS = frozenset(f"{name}_{dtype}" for name in ("gemm_panels", "pack_rows") for dtype in ("f32", "f64"))
FETCHING = frozenset(
    f"{name}_{dtype}" for name in ("gemm_fetching", "gemm_panels_fetching") for dtype in ("f32", "f64")
)
GATHERED = frozenset(f"{name}_{dtype}" for name in ("gemm_gathered", "pack_run") for dtype in ("f32", "f64"))
WINOGRAD = frozenset(
    f"{name}_{dtype}"
    for name in ("winograd", "winograd_weights", "winograd_gradient", "winograd_kernel")
    for dtype in ("f32", "f64")
)
NUMPY = frozenset({"float32", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32"})
CONVERSIONS = frozenset(f"to_{name}" for name in DTYPES)
BITS = frozenset(f"{verb}_{name}_bits" for verb in ("load", "store") for name in ("f16", "bf16"))
FOLDS = frozenset({"add_reassociated", "mul_reassociated", "maximum", "minimum", "random_bits"}) | frozenset(
    {"add_wrapping", "sub_wrapping", "mul_wrapping"}
)
BUILTIN = frozenset({"max", "min", "range", "kernel"})


@cache
def reserved() -> frozenset[str]:
    """Names that values of kernels may not take."""
    scalars = " ".join(op.scalar for op in REGISTRY.values() if op.scalar)
    called = frozenset(re.findall(r"\b([a-z_]\w*)\(", scalars))
    products = CONTRACTIONS | FETCHING | LEFT_PANELS | GATHERED | WINOGRAD
    return called | POINTERS | products | NUMPY | CONVERSIONS | BITS | FOLDS | BUILTIN


def imports(called: Collection[str], body: str) -> list[str]:
    """The import lines for the functions that a kernel calls."""
    words = set(re.findall(r"\b[a-z_]\w*\b", body))
    numpy = sorted(NUMPY & words)
    pointers = sorted(POINTERS & set(called))
    contractions = sorted(CONTRACTIONS & set(called))
    products = CONTRACTIONS | FETCHING | LEFT_PANELS | GATHERED | WINOGRAD
    functions = sorted(set(called) - POINTERS - products - NUMPY - BUILTIN)
    lines = [f"from math import {name}" for name in ("inf", "nan") if name in words]
    for module, names in (
        ("numpy", numpy),
        ("graphc.backends.cpu.contraction", contractions),
        ("graphc.backends.cpu.fetching", sorted(FETCHING & set(called))),
        ("graphc.backends.cpu.functions", functions),
        ("graphc.backends.cpu.gathered", sorted(GATHERED & set(called))),
        ("graphc.backends.cpu.left_panels", sorted(LEFT_PANELS & set(called))),
        ("graphc.backends.cpu.pointer", pointers),
        ("graphc.backends.cpu.winograd_calls", sorted(WINOGRAD & set(called))),
    ):
        if names:
            lines.append(f"from {module} import {', '.join(names)}")
    return lines
