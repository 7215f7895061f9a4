"""Memory plans: live buffers never overlap, dying ones are taken over, and the peak is near what lives at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from graphc.backends.memory_plan import ALIGNMENT, Request, aligned, plan_memory


@st.composite
def requests(draw) -> list[Request]:
    count = draw(st.integers(1, 30))
    made: list[Request] = []
    for number in range(count):
        first = draw(st.integers(0, 12))
        last = draw(st.integers(first, 14))
        size = draw(st.sampled_from([0, 1, 64, 100, 4096, 5000]))
        dying = [r.name for r in made if r.last == first and r.first < first]
        takes = tuple(draw(st.lists(st.sampled_from(dying), max_size=2, unique=True))) if dying else ()
        made.append(Request(f"b{number}", size, first, last, takes))
    return made


@given(requests())
def test_what_lives_at_once_does_not_overlap(asked):
    plan = plan_memory(asked)
    placed = plan.placements
    assert sorted(p.request.name for p in placed) == sorted(r.name for r in asked)
    for i, a in enumerate(placed):
        assert a.offset % ALIGNMENT == 0
        assert a.offset + aligned(a.request.size) <= plan.peak
        for b in placed[i + 1 :]:
            together = a.request.first <= b.request.last and b.request.first <= a.request.last
            apart = a.offset + aligned(a.request.size) <= b.offset or b.offset + aligned(b.request.size) <= a.offset
            heir = b.took_over == a.request.name or a.took_over == b.request.name
            assert not together or apart or (heir and max(a.request.first, b.request.first) == min(
                a.request.last, b.request.last
            ))  # fmt: skip
    assert plan.peak >= plan.lower_bound


@given(requests())
def test_one_dying_buffer_has_one_heir(asked):
    plan = plan_memory(asked)
    taken = [p.took_over for p in plan.placements if p.took_over]
    assert len(taken) == len(set(taken))


def test_a_chain_in_place_needs_one_buffer():
    chain = [Request(f"h{i}", 1000, i, i + 1, (f"h{i - 1}",) if i else ()) for i in range(10)]
    plan = plan_memory(chain)
    assert plan.peak == aligned(1000) == plan.lower_bound
    assert {p.offset for p in plan.placements} == {0}


def test_a_chain_that_cannot_be_in_place_needs_two():
    assert plan_memory([Request(f"h{i}", 1000, i, i + 1) for i in range(10)]).peak == 2 * aligned(1000)


def test_the_plan_is_printed():
    text = str(plan_memory([Request("%x", 100, 0, 1), Request("%y", 100, 1, 2, ("%x",))]))
    assert "arena 128 bytes; at least 128 bytes live at once; 2 buffers" in text
    assert "in place of %x" in text
