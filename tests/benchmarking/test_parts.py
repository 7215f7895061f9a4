"""The micro-benchmarks and the scaling: single contractions, bytes of kernels, kernels at any depth."""

import math

import numpy as np
import pytest


@pytest.mark.parametrize("left", ["mk", "km"])
@pytest.mark.parametrize("right", ["kn", "nk"])
@pytest.mark.parametrize("groups", [1, 3])
def test_single_products(left, right, groups, interpreted):
    from benchmarks.workloads.single import ProductCase, single_witness

    case = ProductCase("forward", 4, 5, 2, left, right, groups, named="groups" if groups > 1 else "k")
    arrays = case.arrays(seed=1)
    a = arrays["a"] if left == "mk" else arrays["a"].swapaxes(-1, -2)
    b = arrays["b"] if right == "kn" else arrays["b"].swapaxes(-1, -2)
    runner = interpreted(case, arrays)
    runner.run(1)
    np.testing.assert_allclose(runner.witness(), single_witness(a @ b), rtol=1e-5, atol=1e-6)
    assert case.flops == 2 * groups * 4 * 5 * 2
    assert case.bytes_moved == 4 * groups * (4 * 5 + 5 * 2 + 4 * 2)


def test_single_convolutions_have_the_gradients_of_one_bilinear_form():
    from benchmarks.contenders.graphc_.single import single
    from benchmarks.workloads.contraction import Convolution
    from benchmarks.workloads.single import KINDS, ConvolutionCase

    import graphc as gc

    convolution = Convolution("", 4, 6, image=7, kernel=3, stride=2, groups=2)
    arrays = ConvolutionCase("forward", convolution, 2).arrays(seed=1)
    found = {}
    for kind in KINDS:
        graph = single(ConvolutionCase(kind, convolution, 2))
        found[kind] = gc.evaluate(graph, *(arrays[value.name] for value in graph.inputs)).astype(np.float64)
    sums = [
        (found["forward"] * arrays["g"]).sum(),
        (found["data gradient"] * arrays["x"]).sum(),
        (found["weight gradient"] * arrays["w"]).sum(),
    ]
    assert sums == pytest.approx([sums[0]] * 3, rel=1e-5)


def test_single_contractions_of_the_workloads():
    from benchmarks.workloads import SINGLES, WORKLOADS, find

    assert "forward 128x784x512 mk·nk" in SINGLES
    assert "data gradient 128x784x512 mk·kn" not in SINGLES, "data need no gradient"
    assert "weight gradient 512x128x784 km·kn" in SINGLES
    assert "forward 1x784x512 mk·nk" in SINGLES, "predictions of one example"
    assert "weight gradient 512x1x784 km·kn" not in SINGLES, "predictions have no gradients"
    assert "forward 64x 128x64x128 mk·nk" in SINGLES, "queries and keys"
    assert "forward 64x 128x128x64 mk·kn" in SINGLES, "weights and values"
    assert "data gradient 3x3 16-32 at 64x32x32 stride 2" in SINGLES
    assert "weight gradient 3x3 64-64 at 16x32x32 groups 64" in SINGLES
    assert find("mlp_bn") is WORKLOADS["mlp_bn"]
    with pytest.raises(ValueError, match="there is no workload alexnet"):
        find("alexnet")


def test_a_line_of_contractions():
    from benchmarks.contractions import line
    from benchmarks.workloads import SINGLES

    case = SINGLES["square 512x512x512 mk·kn"]
    seconds = {"graphc": 2e-3, "openblas": 1e-3, "torch": 4e-3}
    good = {"seconds": seconds, "cores": {"graphc": 1.9876, "openblas": 2.0}, "notes": [], "disagreement": 1e-7}
    words = line(case, good).split()
    assert words[:8] == ["square", "512x512x512", "mk·kn", "134.2", "268.4", "67.1", "2.00", "2000.0"]
    assert words[8:] == ["1.99", "2.00", "-"]
    assert "ERROR: results differ by 1.0e-03" in line(case, good | {"disagreement": 1e-3})
    assert line(case, good | {"notes": ["NOTE: torch waited"]}).endswith("-\n  NOTE: torch waited")
    missing = good | {"seconds": {"graphc": 2e-3}, "disagreement": 0.0, "errors": {"torch": "gone"}}
    assert "FAILED: torch: gone" in line(case, missing)


def test_bytes_of_kernels():
    from benchmarks.fused_kernels import kernels_of

    import graphc as gc

    def fn(x, y):
        return gc.exp(x) * y + x, gc.concat([y[:2], y[:2]])

    executable = gc.compile(gc.trace(fn, gc.f32["N", 8], gc.f32["N", 8]), threads=1)
    arrays = [np.ones((16, 8), np.float32)] * 2
    executable(*arrays)
    kernels = list(kernels_of(executable, arrays, {"N": 16}, repeats=1))
    (chain,) = [kernel for kernel in kernels if "exp" in kernel.ops]
    assert chain.bytes == 4 * 8 * (16 + 16 + 16)
    assert chain.seconds > 0
    slices = [kernel for kernel in kernels if set(kernel.ops) == {"slice"}]
    assert all(kernel.bytes == 4 * 8 * (2 + 2) for kernel in slices)


def test_fused_kernels_of_a_step_are_shown():
    from benchmarks.fused_kernels import measure, show

    found = measure("mlp_small", repeats=1)
    text = show("mlp_small", found, lines=1)
    assert text.startswith("mlp_small: ")
    assert found["products"]["count"] >= 4
    assert all(row["bytes"] > 0 and row["seconds"] > 0 for row in found["rows"])


def test_scaling_finds_the_same_kernels_at_any_depth():
    from benchmarks.scaling import step_of

    found = []
    for depth in (2, 4):
        step, report = step_of((8, *[8] * depth, 3), batch=4, threads=1)
        assert math.isfinite(float(step()))
        found.append(report)
    assert found[0]["kernels"] == found[1]["kernels"]
    assert found[0]["flops"] < found[1]["flops"]


def test_parts_have_command_lines():
    import importlib

    from benchmarks.__main__ import PARTS

    for module in PARTS.values():
        assert callable(importlib.import_module(f"benchmarks.{module}").main)
