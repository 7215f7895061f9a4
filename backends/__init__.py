"""Backends: from a graph to something that runs. `cpu` compiles native kernels; `interpreter` is the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphc.backends.executable import Executable
from graphc.errors import BackendError

if TYPE_CHECKING:
    from graphc.passes.pipeline import Stages

__all__ = ["BACKENDS", "Executable", "build", "find_backend"]

BACKENDS: tuple[str, ...] = ("cpu", "interpreter")


def find_backend(name: str) -> type[Executable]:
    """The backend of this name; BackendError names those that there are."""
    if name not in BACKENDS:
        coming = " yet" if name == "cuda" else ""
        raise BackendError(f"there is no backend {name!r}{coming}; there are {', '.join(BACKENDS)}")
    if name == "interpreter":
        return Executable
    from graphc.backends.cpu.executable import CpuExecutable

    return CpuExecutable


def build(stages: Stages, backend: str, threads: int | None = None, memory_budget: Any = None) -> Executable:
    """An executable of the last stage's graph; BackendError for a budget where the backend plans no memory."""
    found = find_backend(backend)
    if memory_budget is None:
        return found(stages, threads)
    if backend == "interpreter":
        raise BackendError("memory_budget is for the backend 'cpu': the interpreter plans no memory")
    from graphc.backends.cpu.executable import CpuExecutable

    return CpuExecutable(stages, threads, memory_budget)
