"""Python's garbage collector is held back while graphs are made, and only then."""

import gc as python_gc
import weakref

import pytest

import graphc as gc
from graphc.collector import BLOCKS, collection_held_back


@pytest.fixture(autouse=True)
def as_it_was():
    yield
    python_gc.enable()


def test_in_the_block_alone():
    with collection_held_back():
        assert not python_gc.isenabled()
        with collection_held_back():
            pass
        assert not python_gc.isenabled()
    assert python_gc.isenabled()
    with pytest.raises(KeyError), collection_held_back():
        raise KeyError
    assert python_gc.isenabled()


def test_whoever_has_switched_it_off_keeps_it_off():
    python_gc.disable()
    with collection_held_back():
        pass
    assert not python_gc.isenabled()


def test_compiling_holds_it_back():
    seen = []

    def function(x):
        seen.append(python_gc.isenabled())
        return x + 1

    gc.compile(function, gc.f32["N"], backend="interpreter")
    assert seen == [False]
    assert python_gc.isenabled()


def test_what_was_made_is_old_afterwards():
    python_gc.collect()
    with collection_held_back():
        made = [[] for _ in range(1000)]
    young = {id(each) for generation in (0, 1) for each in python_gc.get_objects(generation)}
    assert not young & {id(each) for each in made}
    assert python_gc.get_freeze_count() == 0


def test_what_was_set_apart_stays_apart():
    python_gc.freeze()
    try:
        with collection_held_back():
            pass
        assert python_gc.get_freeze_count() > 0
    finally:
        python_gc.unfreeze()


def test_garbage_of_a_loop_that_compiles_is_collected():
    class Circle:
        def __init__(self):
            self.own = self

    alive = []
    for _ in range(5 * BLOCKS):
        with collection_held_back():
            alive += [weakref.ref(Circle()) for _ in range(10_000)]
    assert sum(each() is not None for each in alive) < len(alive) / 2
