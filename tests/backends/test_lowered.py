"""Regions of one structure are lowered and printed once, and their steps share nothing that they write."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.backends.cpu import lowered
from graphc.backends.cpu.lowered import structure_of
from graphc.ir import Graph
from graphc.passes.fuse import fuse
from graphc.text.parser import parse

REGION = """graph @r(%x: f32[N,40], %s: f32[]) {
  %a: f32[N,40] = mul(%x, 0.5)
  %b: f32[N,40] = add(%a, %s)
  %c: f32[40] = sum(%b, axis=(0,))
  return %b, %c
}"""


def region() -> Graph:
    return parse(REGION)


def test_names_are_no_structure() -> None:
    renamed = parse(REGION.replace("%a", "%q").replace("%x", "%0.weight").replace("@r", "@other"))
    assert structure_of(renamed) == structure_of(region())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.5", "0.25"),
        ("0.5", "-0.5"),
        ("N,40", "N,48"),
        ("N,40", "M,40"),
        ("f32", "f64"),
        ("= add", "= sub"),
        ("add(%a, %s)", "add(%s, %a)"),
        ("add(%a, %s)", "add(%x, %s)"),
        ("return %b, %c", "return %c, %b"),
        ("return %b, %c", "return %c"),
        ("sum(", "max("),
    ],
)
def test_all_else_is(old: str, new: str) -> None:
    text = REGION.replace(old, new).replace("f32[40]", "f32[48]" if "48" in new else "f32[40]")
    assert structure_of(parse(text)) != structure_of(region())


def test_zeros_of_both_signs_differ() -> None:
    one, other = (fuse(parse(REGION.replace("0.5", zero))) for zero in ("0.0", "-0.0"))
    assert structure_of(one.nodes[0].regions[0]) != structure_of(other.nodes[0].regions[0])


def test_equal_layers_are_lowered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    regions: list[Any] = []
    lower = lowered.lower

    def counting(region: Graph, **options: Any) -> Any:
        regions.append(region)
        return lower(region, **options)

    monkeypatch.setattr(lowered, "lower", counting)

    def network(x: Any, w: Any) -> Any:
        for _ in range(6):
            x = x @ w
            x = gc.sin(x - gc.max(x, axis=0))
        return x

    executable = gc.compile(network, (gc.f32["N", 64], gc.f32[64, 64]))
    assert len(executable.program.steps) == 6
    assert len(regions) == 1
    scratch = [buffer for step in executable.program.steps for buffer in step.source.temporaries]
    assert len(set(scratch)) == len(scratch) > 0
    x = np.random.default_rng(0).standard_normal((7, 64)).astype(np.float32)
    w = np.eye(64, dtype=np.float32)
    np.testing.assert_allclose(executable(x, w), gc.evaluate(executable.stages["trace"].graph, x, w), rtol=1e-5)


def test_a_key_has_no_names_but_those_that_are_called() -> None:
    text = (
        "from math import inf\nfrom graphc.backends.cpu.functions import exp\n"
        "from graphc.backends.cpu.pointer import f32\n\n\ndef kernel(row, slice, slices):\n"
        '    """%y over (N), cut by rows."""\n    x_in = f32(row, 1)  # %x: f32[N]\n'
        "    for i in range(3):\n        # %y: f32[N] = exp(%x)\n        y = exp(x_in[i]) if i < 1e5 else inf\n"
    )
    body = lowered.canonical(text).partition("def kernel")[2]
    assert body == (
        "(v0, v1, v2):\n\n    v3 = f32(v0, 1)\n    for v4 in range(3):\n\n"
        "        v5 = exp(v3[v4]) if v4 < 1e5 else inf\n"
    )
    assert lowered.canonical(text.replace("x_in", "weight").replace("y =", "z =")) == lowered.canonical(text)
    for other in (text.replace("exp", "log"), text.replace("inf", "nan"), text.replace("range(3)", "range(4)")):
        assert lowered.canonical(other) != lowered.canonical(text)
    assert lowered.canonical(text.replace("x_in[i]", "row[i]")) != lowered.canonical(text)
