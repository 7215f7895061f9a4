"""Steps that another process has made: found where all that they depend on is the same, and no different to use."""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import nn, optim
from graphc.backends import cache
from graphc.backends.cpu import kept, lower_graph
from graphc.backends.cpu.machine import machine
from graphc.backends.fingerprint import fingerprint
from graphc.errors import BackendError, GraphcError, IndexRangeError, NumericsError, ShapeError
from graphc.ir import Value
from graphc.nn import functional as F
from graphc.op import REGISTRY
from graphc.passes import Pipeline, default_pipeline
from graphc.train.step import TrainingStep

sys.path.insert(0, str(Path(__file__).parent))
from against_interpreter import same_results


@pytest.fixture(autouse=True)
def small_graphs_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(kept, "LEAST_NODES", 0)
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path))
    return tmp_path / "cpu"


@pytest.fixture
def no_pass_runs(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """After it is called, lowering a graph fails."""

    def refuse(*arguments: Any) -> Any:
        raise AssertionError("lowers")

    return lambda: monkeypatch.setattr(lower_graph, "lower", refuse)


def network() -> nn.Module:
    gc.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(),
        nn.Linear(4 * 36, 16), nn.Dropout(0.25), nn.GELU(), nn.Linear(16, 3),
    )  # fmt: skip


def step_of(model: Any, **options: Any) -> Any:
    """The step, always declared on this line."""
    return gc.training_step(
        model, F.cross_entropy, optim.Adam(lr=0.01), gc.f32["N", 3, 6, 6], gc.i64["N"], seed=5, **options
    )


def batch(rows: int) -> tuple[Any, Any]:
    generator = np.random.default_rng(rows)
    return generator.standard_normal((rows, 3, 6, 6)).astype(np.float32), generator.integers(0, 3, rows)


def twice() -> Iterator[tuple[Any, Any]]:
    """A model and its step, made by passes; the same found in the cache."""
    for _ in range(2):
        model = network()
        yield model, step_of(model)


def is_kept(step: Any) -> bool:
    """Whether it was found, and nobody has looked at its stages yet."""
    executable = step._update if isinstance(step, TrainingStep) else step
    return executable._late.lowered is None


# -- what is found is the same --------------------------------------------------------------------------------------


def test_found_steps_compute_the_same_bits() -> None:
    (one, made), (other, found) = twice()
    assert is_kept(found)
    assert not is_kept(made)
    for rows in (7, 32, 7):
        np.testing.assert_array_equal(made(*batch(rows)), found(*batch(rows)), strict=True)
    assert is_kept(found)
    first, second = one.state_dict(), other.state_dict()
    assert list(first) == list(second)
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], strict=True)


def test_no_pass_runs(no_pass_runs: Callable[[], None]) -> None:
    step_of(network())
    no_pass_runs()
    step = step_of(network())
    step(*batch(4))
    assert step.compile_report.compiled == 0


def test_all_that_can_be_looked_at_is_the_same() -> None:
    (_, made), (_, found) = twice()
    assert is_kept(found)
    assert [*made.stages] == [*found.stages]
    for name, stage in made.stages.items():
        assert stage.graph.to_text(provenance=True) == found.stages[name].graph.to_text(provenance=True)
        assert stage.counts == found.stages[name].counts
    assert str(made.graph) == str(found.graph)
    assert str(made.diff("fuse")) == str(found.diff("fuse"))
    assert str(made.ledger) == str(found.ledger)
    assert tuple(made.ledger) == tuple(found.ledger)
    for kernel, same in zip(made.kernels, found.kernels, strict=True):
        assert (kernel.name, kernel.source, kernel.key, kernel.calls, kernel.path, kernel.address) == (
            same.name, same.source, same.key, same.calls, same.path, same.address,
        )  # fmt: skip
        assert str(kernel.nest) == str(same.nest)
    assert str(made.plan_memory(N=9)) == str(found.plan_memory(N=9))


@pytest.mark.parametrize(
    "look",
    [
        lambda step: str(step.ledger),
        lambda step: step.explain("%loss"),
        lambda step: str(step.stages),
        lambda step: step.stages["cse"].graph.count(),
        lambda step: [str(kernel.nest) for kernel in step.kernels],
        lambda step: step.graph.count(),
    ],
)
def test_the_first_look_makes_what_is_missing(look: Callable[[Any], Any]) -> None:
    (_, made), (_, found) = twice()
    if look(made) != look(found):  # but for milliseconds
        assert [*made.stages] == [*found.stages]
    assert not is_kept(found)
    same_results(found, *batch(5))


def test_a_profile_names_the_nodes() -> None:
    (_, made), (_, found) = twice()
    names = [[timing.name for timing in step.profile(*batch(4), repeats=1)] for step in (made, found)]
    assert names[0] == names[1]


def test_numbers_are_looked_after_as_ever() -> None:
    (_, made), (_, found) = twice()
    x, y = batch(4)
    x[1, 2, 3, 4] = np.nan
    errors = []
    for step in (made, found):
        with pytest.raises(NumericsError) as caught:
            step.check_numerics(x, y)
        errors.append(str(caught.value))
    assert errors[0] == errors[1]
    assert found.bisect(*batch(4)) is None


def test_a_failing_step_says_the_same_and_leaves_the_state() -> None:
    errors = []
    for model, step in twice():
        before = {name: np.array(array) for name, array in model.state_dict().items()}
        x, y = batch(4)
        with pytest.raises(GraphcError) as caught:
            step(x, y + 3)
        errors.append(str(caught.value))
        for name, array in model.state_dict().items():
            np.testing.assert_array_equal(array, before[name])
    assert errors[0] == errors[1]


def test_extents_are_refused_in_the_same_words() -> None:
    errors = []
    for _ in range(2):
        gc.manual_seed(3)
        model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
        step = gc.training_step(model, F.cross_entropy, optim.SGD(lr=0.1), gc.f32["N", 4], gc.i64["N"])
        with pytest.raises(ShapeError) as caught:
            step(np.ones((1, 4), np.float32), np.zeros(1, np.int64))
        errors.append(str(caught.value))
        step(np.ones((2, 4), np.float32), np.zeros(2, np.int64))
    assert errors[0] == errors[1]
    assert "training needs more than 1 value" in errors[1]


def test_extents_that_only_later_ops_refuse() -> None:
    def windows(x: Any) -> Any:
        return F.max_pool1d(gc.concat([x, x], axis=2), 6)

    made, found = (gc.compile(windows, gc.f32["N", 2, "T"]) for _ in range(2))
    assert is_kept(found)
    x = np.arange(12, dtype=np.float32).reshape(1, 2, 6)
    np.testing.assert_array_equal(made(x), found(x))
    errors = []
    for exe in (made, found):
        with pytest.raises(ShapeError) as caught:
            exe(x[:, :, :2])
        errors.append(str(caught.value))
    assert errors[0] == errors[1]


def test_constants_and_what_the_state_alone_decides() -> None:
    table = np.arange(12, dtype=np.float64).reshape(3, 4)

    def model() -> Any:
        gc.manual_seed(4)
        return nn.Sequential(nn.Linear(4, 40), nn.BatchNorm1d(40), nn.ReLU()).eval()

    def looked_up(x: Any) -> Any:
        return gc.sum(gc.asarray(table) * x, axis=1)

    made, found = (gc.compile(looked_up, gc.f64[3, 4]) for _ in range(2))
    assert is_kept(found)
    np.testing.assert_array_equal(made(table), found(table), strict=True)
    networks = [model(), model()]
    made, found = (gc.compile(each, inputs=gc.f32["N", 4]) for each in networks)
    assert is_kept(found)
    assert found.program.prepared
    x = np.linspace(-1, 1, 20, dtype=np.float32).reshape(5, 4)
    for scale in (1.0, 2.0):
        for each in networks:
            each[0].weight[...] = np.full((40, 4), scale, np.float32)
        np.testing.assert_array_equal(made(x), found(x), strict=True)


# -- what is not found ------------------------------------------------------------------------------------------------


def of(function: Callable[..., Any], *types: Any, pipeline: Pipeline | None = None) -> str | None:
    return fingerprint(gc.trace(function, *types), pipeline or default_pipeline())


def test_what_changes_a_fingerprint() -> None:
    def scaled(factor: float, name: str = "x") -> Callable[..., Any]:
        def function(x: Any) -> Any:
            return gc.sum(x * factor, axis=0)

        return function

    def elsewhere(x: Any) -> Any:
        return gc.sum(x * 2.0, axis=0)

    prints = [
        of(scaled(2.0), gc.f32["N", 3]),
        of(scaled(-2.0), gc.f32["N", 3]),
        of(scaled(2.0), gc.f64["N", 3]),
        of(scaled(2.0), gc.f32["M", 3]),
        of(scaled(2.0), gc.f32["N", 4]),
        of(elsewhere, gc.f32["N", 3]),  # kernels name the user's line
        of(scaled(2.0), gc.f32["N", 3], pipeline=default_pipeline().without("cse")),
        fingerprint(gc.trace(scaled(2.0), gc.f32["N", 3]), default_pipeline(), "another machine"),
    ]
    assert None not in prints
    assert len(set(prints)) == len(prints)
    assert of(scaled(2.0), gc.f32["N", 3]) == prints[0]


def test_arrays_count_by_their_elements() -> None:
    def plus(array: Any) -> Callable[..., Any]:
        def function(x: Any) -> Any:
            return x + gc.asarray(array)

        return function

    arrays = [np.zeros(4, np.float32), np.array([0, 0, 0, -0.0], np.float32), np.zeros((1, 4), np.float32)]
    assert len({of(plus(array), gc.f32["N", 4]) for array in arrays}) == 3


def test_code_of_users_has_no_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    def doubled(x: Any) -> Any:
        return x + x

    def unchanged(graph: Any) -> Any:
        return graph

    assert of(doubled, gc.f32["N"], pipeline=default_pipeline().after("cse", unchanged)) is None
    rules = gc.passes.algebra_rules
    delivered = [*rules]
    rules.remove("one_over")
    try:
        assert of(doubled, gc.f32["N"]) is None
    finally:
        for each in [*rules]:
            rules.remove(each.name)
        rules.extend(delivered)
    assert of(doubled, gc.f32["N"]) is not None
    monkeypatch.setattr("graphc.op.REGISTRY", REGISTRY.copy())

    @gc.composite("thrice_for_kept")
    def thrice(x: Any) -> Any:
        return x + x + x

    assert of(lambda x: thrice(x), gc.f32["N"]) is None


def test_a_budget_and_passes_of_users_are_not_kept(small_graphs_too: Path) -> None:
    gc.compile(lambda x: gc.exp(x) + 1.0, gc.f32[8], memory_budget="1MB")
    gc.compile(lambda x: gc.exp(x) + 1.0, gc.f32[8], pipeline=["dce"])
    assert len([*small_graphs_too.glob("*.steps")]) == 1  # graphc's own pass, too


def test_small_graphs_are_not_kept(monkeypatch: pytest.MonkeyPatch, small_graphs_too: Path) -> None:
    monkeypatch.setattr(kept, "LEAST_NODES", 200)
    gc.compile(lambda x: gc.exp(x) + 1.0, gc.f32[8])
    assert not [*small_graphs_too.glob("*.steps")]


# -- files ------------------------------------------------------------------------------------------------------------


def small() -> Any:
    return gc.compile(lambda x: gc.sum(gc.exp(x), axis=1), gc.f32["N", 8])


@pytest.mark.parametrize("damage", [b"", b"{}", None])
def test_damage_is_noticed_and_repaired(damage: bytes | None, small_graphs_too: Path) -> None:
    small()
    (path,) = small_graphs_too.glob("*.steps")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    exe = small()
    assert not is_kept(exe)
    assert path.read_bytes() == whole
    assert is_kept(small())
    same_results(exe, np.ones((3, 8), np.float32))


def test_content_of_another_graph_is_not_taken(small_graphs_too: Path) -> None:
    small()
    (path,) = small_graphs_too.glob("*.steps")
    data, content = cache.read(path) or (b"", {})
    cache.write(path, data, content | {"key": "another"})
    assert not is_kept(small())


def test_missing_objects_are_compiled_again(small_graphs_too: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from graphc.backends.cpu import kernels

    small()
    for path in [*small_graphs_too.glob("*.o"), *small_graphs_too.glob("*.py")]:
        path.unlink()
    monkeypatch.setattr(kernels, "_addresses", {})
    exe = small()
    assert is_kept(exe)
    assert exe.compile_report.compiled > 0
    same_results(exe, np.ones((3, 8), np.float32))


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_files_belong_to_their_owner_and_to_the_cache(small_graphs_too: Path) -> None:
    small()
    (path,) = small_graphs_too.glob("*.steps")
    assert path.stat().st_mode & 0o077 == 0
    assert path in {entry.path for entry in cache.entries()}
    assert cache.verify()[1] == []
    path.write_bytes(path.read_bytes()[:-1])
    assert [entry.path for entry in cache.verify()[1]] == [path]
    small()
    cache.clear()
    assert not path.exists()


# -- what is found is given back, and says what it cannot show ------------------------------------------------------


def test_nothing_holds_what_nobody_has_any_more() -> None:
    """Reference counts alone free an executable with its arena: no cycle leads through stages that wait."""
    predict = [gc.compile(network().eval(), inputs=gc.f32["N", 3, 6, 6]) for _ in range(2)][1]
    assert is_kept(predict)
    predict(batch(3)[0])
    executable = weakref.ref(predict)
    del predict
    assert executable() is None


def test_state_whose_name_in_memory_is_taken_is_not_kept(small_graphs_too: Path) -> None:
    """%w lies in memory as %w.stored, unless something else has that name."""
    w = gc.Cell(np.ones((2, 3), np.float32), "parameter", "w", order=(1, 0))
    graph = gc.trace(lambda x: gc.tanh(x * w), gc.f32[2, 3])
    first, *others = graph.nodes
    taken = Value("w.stored", first.result.type)
    renamed = graph.with_(
        nodes=(
            replace(first, results=(taken,)),
            *(each.with_operands(taken if o is first.result else o for o in each.operands) for each in others),
        )
    )
    x = np.full((2, 3), 0.5, np.float32)
    for each in (renamed, renamed):
        np.testing.assert_allclose(gc.compile(each)(x), np.tanh(x), rtol=1e-6)
    assert not list(small_graphs_too.glob("*.steps"))
    gc.compile(graph)
    assert list(small_graphs_too.glob("*.steps"))


def test_to_print_it_runs_no_pass(no_pass_runs: Callable[[], None]) -> None:
    step_of(network())
    no_pass_runs()
    step = step_of(network())
    assert "kept steps" in repr(step)
    assert "kept steps" in repr(step._update)


@pytest.mark.parametrize("classes", [3, 10])
def test_vectors_of_another_width_by_now(classes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> Any:
        gc.manual_seed(1)
        model = nn.Sequential(nn.Embedding(50, 300), nn.Linear(300, classes)).eval()
        return [gc.compile(model, inputs=gc.i64["N"]) for _ in range(2)][1]

    first, second = found(), found()
    bits = 256 if machine().vector_bytes == 16 else 128
    monkeypatch.setenv("GRAPHC_VECTOR_BITS", str(bits))
    with pytest.raises(BackendError, match=rf"vectors of \d+ bits, but the graph is lowered for .* with {bits}"):
        first.kernels  # noqa: B018
    assert len(first.ledger) > 0
    assert list(first.stages)[-1] == "fuse"
    with pytest.raises(IndexRangeError):
        second(np.arange(100))


def test_a_file_that_is_gone_at_once_costs_time_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    write = cache.write

    def write_and_lose(path: Path, *content: Any) -> int:
        size = write(path, *content)
        path.unlink()
        return size

    monkeypatch.setattr(cache, "write", write_and_lose)
    x = batch(2)[0]
    assert gc.compile(network().eval(), inputs=gc.f32["N", 3, 6, 6])(x).shape == (2, 3)


def test_the_graph_gives_other_kernels_by_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when who looks has changed a pass since: what was found still runs, and says why it cannot be looked at."""
    (_, made), (_, found) = twice()
    assert is_kept(found)
    expected = made(*batch(4))
    monkeypatch.setattr(import_module("graphc.passes.fuse.group"), "MOST_STATEMENTS", 3)
    with pytest.raises(BackendError, match="other kernels by now than those that were found for it: compile again"):
        _ = found.kernels
    assert found.ledger
    np.testing.assert_array_equal(found(*batch(4)), expected)
