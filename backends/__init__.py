"""Backends: from a graph to something that runs. `interpreter` is the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphc.backends.executable import Executable
from graphc.errors import BackendError

if TYPE_CHECKING:
    from graphc.passes.pipeline import Stages

__all__ = ["BACKENDS", "Executable", "build", "find_backend"]

BACKENDS: dict[str, type[Executable]] = {"interpreter": Executable}


def find_backend(name: str) -> type[Executable]:
    """The backend of this name; BackendError names those that there are."""
    if name not in BACKENDS:
        coming = " yet" if name in ("cpu", "cuda") else ""
        raise BackendError(f"there is no backend {name!r}{coming}; there is {', '.join(BACKENDS)}")
    return BACKENDS[name]


def build(stages: Stages, backend: str, threads: int | None = None) -> Executable:
    """An executable of the last stage's graph."""
    return find_backend(backend)(stages, threads)
