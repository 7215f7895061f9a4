"""Taking turns: executables over the same cells run one after another, others at the same time.

    turn = turn_over(cells)
    with turn:                  # nobody else runs over these cells, reads them half written, or writes them
        ...

The first executable over some cells gives them its lock, and later ones take the locks that they find. Who needs
several takes them in one order everywhere, so that two never wait for each other; and nobody reads a cell of others
while it has its own. Two predictions of one model wait for each other, too. A forked child finds all locks free: the
threads that held them stayed with the parent.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Any

from graphc.state import NO_TURN
from graphc.stored import AnyCell

_giving = threading.Lock()
_known: weakref.WeakSet[Any] = weakref.WeakSet()


def turn_over(cells: Iterable[AnyCell]) -> AbstractContextManager[Any]:
    """What to hold while running over these cells; a thread may take it again while it has it."""
    turns: dict[int, AbstractContextManager[Any]] = {}
    own = threading.RLock()
    with _giving:
        _known.add(own)
        for cell in cells:
            if cell.turn is NO_TURN:
                cell.turn = own
            turns[id(cell.turn)] = cell.turn
    if not turns:
        return own
    return next(iter(turns.values())) if len(turns) == 1 else _Several([turns[key] for key in sorted(turns)])


def locks_of(turn: Any) -> list[Any]:
    """The locks of a turn, for who takes all of them, or none where one is taken."""
    return list(turn.turns) if isinstance(turn, _Several) else [turn]


class _Several:
    """Several locks, taken in the order that all agree on."""

    def __init__(self, turns: list[AbstractContextManager[Any]]) -> None:
        self.turns = turns

    def __enter__(self) -> None:
        with ExitStack() as taken:  # gives back what it has where taking the next one is interrupted
            for turn in self.turns:
                taken.enter_context(turn)
            taken.pop_all()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for turn in reversed(self.turns):
            turn.__exit__(kind, error, trace)


def _after_fork() -> None:
    for lock in (_giving, *_known):
        lock._at_fork_reinit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
