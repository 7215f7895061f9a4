"""Kernels of convolutions that lie in memory as products read them: nothing is turned, an update follows its gradient.

Every network trains as the interpreter does, whose graphs know nothing of how state lies.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import nn, optim
from graphc.nn import functional as F

Array = np.ndarray[Any, Any]


def head(channels: int, axes: int) -> list[nn.Module]:
    pool = {1: nn.AdaptiveAvgPool1d, 2: nn.AdaptiveAvgPool2d, 3: nn.AdaptiveAvgPool3d}[axes]
    return [pool(1), nn.Flatten(), nn.Linear(channels, 5)]


def plain() -> list[nn.Module]:
    return [
        nn.Conv2d(4, 12, 3, padding=1, bias=False),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.Conv2d(12, 20, 5),
        *head(20, 2),
    ]


def pointwise() -> list[nn.Module]:
    return [nn.Conv2d(4, 24, 1), nn.ReLU(), nn.Conv2d(24, 17, 1, stride=2), *head(17, 2)]


def groups() -> list[nn.Module]:
    return [nn.Conv2d(4, 8, 3, padding=1, groups=2), nn.Tanh(), nn.Conv2d(8, 16, 3, groups=8), nn.ReLU(),
            nn.Conv2d(16, 16, 3, groups=16, padding=1), *head(16, 2)]  # fmt: skip


def transposed() -> list[nn.Module]:
    return [
        nn.ConvTranspose2d(4, 8, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 6, 3, groups=2),
        *head(6, 2),
    ]


def line() -> list[nn.Module]:
    return [nn.Conv1d(4, 8, 5, padding=2), nn.ReLU(), nn.Conv1d(8, 9, 3, stride=2, dilation=2), *head(9, 1)]


def volume() -> list[nn.Module]:
    return [nn.Conv3d(4, 8, 3, padding=1), nn.ReLU(), nn.Conv3d(8, 16, 3, stride=2), *head(16, 3)]


def small_images() -> list[nn.Module]:
    """Of fewer places than the kernels have."""
    return [nn.Conv2d(4, 16, 3, stride=4, padding=1), nn.ReLU(), nn.Conv2d(16, 24, 3, padding=1), *head(24, 2)]


NETWORKS: dict[str, tuple[Callable[[], list[nn.Module]], tuple[int, ...]]] = {
    "plain": (plain, (4, 10, 9)),
    "pointwise": (pointwise, (4, 7, 7)),
    "groups": (groups, (4, 8, 8)),
    "transposed": (transposed, (4, 5, 5)),
    "line": (line, (4, 23)),
    "volume": (volume, (4, 6, 7, 8)),
    "small images": (small_images, (4, 8, 8)),
}
OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "adam": lambda: optim.Adam(lr=1e-2, eps=1e-3),  # far above the rounding of gradients that are zero
    "adamw": lambda: optim.AdamW(lr=1e-2, eps=1e-3),
    "amsgrad": lambda: optim.Adam(lr=1e-2, eps=1e-3, amsgrad=True),
    "momentum": lambda: optim.SGD(lr=1e-2, momentum=0.9, weight_decay=1e-3),
}


def training(model: nn.Module, shape: tuple[int, ...], optimizer: Any, batch: Any = "N", **options: Any) -> Any:
    return gc.training_step(
        model, loss=F.cross_entropy, optimizer=optimizer, inputs=gc.f32[batch, *shape], targets=gc.i64[batch], **options
    )


def examples(shape: tuple[int, ...], count: int = 4) -> tuple[Array, Array]:
    generator = np.random.default_rng(len(shape))
    return generator.standard_normal((count, *shape)).astype(np.float32), generator.integers(0, 5, count)


def agree(a: nn.Module, b: nn.Module) -> None:
    first, second = a.state_dict(), b.state_dict()
    for key, value in first.items():
        np.testing.assert_allclose(value, second[key], rtol=1e-4, atol=1e-5, err_msg=key)


def both_train(make: Any, shape: tuple[int, ...], optimizer: Any, steps: int = 3, **options: Any) -> Any:
    model = nn.Sequential(*make())
    other = copy.deepcopy(model)
    step = training(model, shape, optimizer(), **options)
    reference = training(other, shape, optimizer(), backend="interpreter", **options)
    batch = examples(shape)
    for _ in range(steps):
        np.testing.assert_allclose(step(*batch), reference(*batch), rtol=1e-5)
    agree(model, other)
    return step, batch


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_train_as_the_interpreter_does(name: str) -> None:
    step, batch = both_train(*NETWORKS[name], OPTIMIZERS["adam"])
    assert step.bisect(*batch) is None


@pytest.mark.parametrize(
    ("name", "options"),
    [("adamw", {"clip_norm": 0.5}), ("amsgrad", {"accumulate": 2}), ("amsgrad", {}), ("momentum", {"batch": 4})],
)
def test_every_way_to_update(name: str, options: dict[str, Any]) -> None:
    both_train(*NETWORKS["plain"], OPTIMIZERS[name], **options)


def test_nothing_is_turned_for_what_follows() -> None:
    """The kernel of a gradient updates the weight; a convolution reads it where it lies."""
    step = training(nn.Sequential(*plain()), (4, 10, 9), optim.Adam())
    reads = [node for node in step.graph.nodes if any(o.name == "0.weight.stored" for o in node.operands)]
    assert [node.op.name for node in reads] == ["fused", "fused"]
    ops = [{each.op.name for each in node.regions[0].nodes} for node in reads]
    assert all("dot_general" in each for each in ops)
    assert "sqrt" in ops[1]
    turned = [
        n
        for n in step.graph.nodes
        if n.op.name == "fused" and {e.op.name for e in n.regions[0].nodes} <= {"reshape", "flip", "permute_dims"}
    ]
    assert {operand.name for node in turned for operand in node.operands} == {"3.weight.stored", "conv_1", "input"}


def test_large_gradients_that_slices_add_up_are_updated_by_threads() -> None:
    """The finish of a kernel runs on one thread: what follows 10,000 sums is a kernel of its own."""
    layers = [nn.Conv2d(32, 36, 3, padding=1), nn.ReLU(), *head(36, 2)]
    step = training(nn.Sequential(*layers), (32, 40, 40), optim.SGD(lr=0.1))
    gradient, updated = (n for n in step.graph.nodes if n.results[-1].type == gc.f32[3, 3, 32, 36])
    assert gradient.result in updated.operands
    (edge,) = [each for each in step.ledger if each.value == gradient.result.name and not each.fused]
    assert edge.reason == "the finish of a kernel that is cut along its depth runs on one thread"


def test_a_model_is_one_however_it_is_used() -> None:
    """Predictions, saved files and values that a user holds see what a step writes."""
    make, shape = NETWORKS["plain"]
    model = nn.Sequential(*make())
    predict = gc.compile(copy.deepcopy(model).eval(), inputs=gc.f32["N", *shape])
    step = training(model, shape, optim.Adam(lr=1e-2))
    evaluate = gc.compile(model.eval(), inputs=gc.f32["N", *shape])
    x, y = examples(shape)
    before = evaluate(x)
    np.testing.assert_allclose(before, predict(x), rtol=1e-5)
    held = model[0].weight.array
    kept = held.copy()
    step(x, y)
    np.testing.assert_array_equal(held, kept)
    assert np.abs(np.asarray(model[0].weight) - kept).max() > 1e-3
    after = evaluate(x)
    assert np.abs(after - before).max() > 1e-4
    model[0].weight[...] = kept
    model[0].weight[2] = 0.0
    expected = gc.evaluate(gc.trace(model.eval(), gc.f32["N", *shape]), x)
    np.testing.assert_allclose(evaluate(x), expected, rtol=1e-4, atol=1e-6)


def test_weights_of_no_order_train_too() -> None:
    """A parameter that the user has put in place of a layer's."""
    model = nn.Sequential(*plain())
    model[3].weight = nn.Parameter(np.asarray(model[3].weight))
    other = copy.deepcopy(model)
    step = training(model, (4, 10, 9), optim.Adam(eps=1e-3))
    reference = training(other, (4, 10, 9), optim.Adam(eps=1e-3), backend="interpreter")
    batch = examples((4, 10, 9))
    for _ in range(3):
        step(*batch), reference(*batch)
    assert model[3].weight.order is None
    agree(model, other)


def test_training_goes_on_from_a_file(tmp_path: Path) -> None:
    make, shape = NETWORKS["small images"]
    model = nn.Sequential(*make())
    twin = copy.deepcopy(model)
    step, batch = training(model, shape, optim.Adam()), examples(shape)
    step(*batch)
    gc.save(tmp_path / "run.safetensors", step)
    again = training(twin, shape, optim.Adam())
    gc.load(tmp_path / "run.safetensors", again)
    assert step(*batch).tobytes() == again(*batch).tobytes()
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value, twin.state_dict()[key], key)


def test_every_number_of_threads_gives_the_same_bits() -> None:
    make, shape = NETWORKS["groups"]
    model = nn.Sequential(*make())
    batch, found = examples(shape), []
    for threads in (1, 2, 3, 8):
        twin = copy.deepcopy(model)
        step = training(twin, shape, optim.Adam(), threads=threads)
        losses = [step(*batch).tobytes() for _ in range(3)]
        found.append((losses, [np.asarray(v).tobytes() for v in twin.state_dict().values()]))
    assert all(each == found[0] for each in found)
