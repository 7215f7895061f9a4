"""Convolutions and pools by plain loops over places, elements and channels: slow, and with nothing to get wrong.

    conv(x, w, b, stride, low, high, dilation, groups)       x: [N,C,*S], w: [O,C/groups,*K]   ->   [N,O,*P]
    max_pool(x, size, stride, padding, dilation, ceil_mode)  [N,C,*S]   ->   values and positions, [N,C,*P] each

An element that lies outside of the axes is left out of every sum and every comparison.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Numbers = Sequence[int]
Place = tuple[int, ...]


def elements(
    place: Place, size: Numbers, stride: Numbers, low: Numbers, dilation: Numbers, space: Numbers
) -> Iterator[tuple[Place, Place]]:
    """The elements of the window at a place that lie inside: where in the window, and where along the axes."""
    for tap in itertools.product(*map(range, size)):
        at = tuple(p * s + t * d - b for p, s, t, d, b in zip(place, stride, tap, dilation, low, strict=True))
        if all(0 <= a < extent for a, extent in zip(at, space, strict=True)):
            yield tap, at


def counts(
    space: Numbers, size: Numbers, stride: Numbers, low: Numbers, high: Numbers, dilation: Numbers
) -> tuple[int, ...]:
    """How many windows there are along each axis, by trying."""
    found = []
    for extent, k, s, before, after, d in zip(space, size, stride, low, high, dilation, strict=True):
        begins = range(-before, extent + after, s)
        found.append(sum(1 for begin in begins if begin + (k - 1) * d < extent + after))
    return tuple(found)


def conv(
    x: Array, w: Array, b: Array | None, stride: Numbers, low: Numbers, high: Numbers, dilation: Numbers, groups: int
) -> Array:
    """Σ over channels of the group and elements of the window, and the bias."""
    space, size = x.shape[2:], w.shape[2:]
    places = counts(space, size, stride, low, high, dilation)
    y: Array = np.zeros((x.shape[0], w.shape[0], *places), x.dtype)
    out_of_group = w.shape[0] // groups
    for n, o in itertools.product(range(x.shape[0]), range(w.shape[0])):
        first = o // out_of_group * w.shape[1]
        for place in itertools.product(*map(range, places)):
            total = 0.0 if b is None else float(b[o])
            for tap, at in elements(place, size, stride, low, dilation, space):
                for c in range(w.shape[1]):
                    total += float(w[(o, c, *tap)]) * float(x[(n, first + c, *at)])
            y[(n, o, *place)] = total
    return y


def conv_transpose(
    x: Array, w: Array, b: Array | None, stride: Numbers, padding: Numbers, output_padding: Numbers,
    dilation: Numbers, groups: int,
) -> Array:  # fmt: skip
    """Every element of x adds its kernel to the places that it reaches."""
    size = w.shape[2:]
    space = tuple(
        (extent - 1) * s - 2 * p + d * (k - 1) + more + 1
        for extent, s, p, d, k, more in zip(x.shape[2:], stride, padding, dilation, size, output_padding, strict=True)
    )
    into, out = w.shape[0] // groups, w.shape[1]
    y: Array = np.zeros((x.shape[0], out * groups, *space), x.dtype)
    for n, c in itertools.product(range(x.shape[0]), range(x.shape[1])):
        for place in itertools.product(*map(range, x.shape[2:])):
            for tap, at in elements(place, size, stride, padding, dilation, space):
                for o in range(out):
                    y[(n, c // into * out + o, *at)] += w[(c, o, *tap)] * x[(n, c, *place)]
    return y if b is None else y + b.reshape(-1, *(1,) * len(size))


def pooled(extent: int, k: int, s: int, p: int, d: int, ceil_mode: bool) -> int:
    """The windows that fit into the padded axis; in ceil mode one that begins before the last element's margin too."""
    (fitting,) = counts([extent], [k], [s], [p], [p], [d])
    next_begin = fitting * s - p
    covered = (fitting - 1) * s - p + (k - 1) * d + 1 if fitting else -p
    return fitting + 1 if ceil_mode and covered < extent + p and next_begin < extent else fitting


def max_pool(
    x: Array, size: Numbers, stride: Numbers, padding: Numbers, dilation: Numbers, ceil_mode: bool
) -> tuple[Array, Array]:
    """The greatest element and the position where it is first; a NaN is the greatest."""
    space = x.shape[2:]
    places = tuple(pooled(*each, ceil_mode) for each in zip(space, size, stride, padding, dilation, strict=True))
    y: Array = np.zeros((*x.shape[:2], *places), x.dtype)
    indices: Array = np.zeros(y.shape, np.int64)
    for n, c, *rest in itertools.product(*map(range, y.shape)):
        place = tuple(rest)
        best = None
        for _, at in elements(place, size, stride, padding, dilation, space):
            value = x[(n, c, *at)]
            if best is None or (not np.isnan(best) and (value > best or np.isnan(value))):
                best = value
                y[(n, c, *place)], indices[(n, c, *place)] = value, np.ravel_multi_index(at, space)
    return y, indices


def avg_pool(
    x: Array, size: Numbers, stride: Numbers, padding: Numbers, ceil_mode: bool, count_include_pad: bool,
    divisor: int | None,
) -> Array:  # fmt: skip
    """Sums over what they are divided by: the elements, with or without those of the margin."""
    space, ones = x.shape[2:], (1,) * len(size)
    places = tuple(pooled(*each, ceil_mode) for each in zip(space, size, stride, padding, ones, strict=True))
    margin = padding if count_include_pad else (0,) * len(size)
    framed = tuple(extent + 2 * m for extent, m in zip(space, margin, strict=True))
    y: Array = np.zeros((*x.shape[:2], *places), x.dtype)
    for n, c, *rest in itertools.product(*map(range, y.shape)):
        place = tuple(rest)
        total = sum(float(x[(n, c, *at)]) for _, at in elements(place, size, stride, padding, ones, space))
        low = tuple(p - m for p, m in zip(padding, margin, strict=True))
        counted = sum(1 for _ in elements(place, size, stride, low, ones, framed))
        y[(n, c, *place)] = total / (divisor or counted)
    return y


def adaptive(x: Array, output_size: Numbers) -> tuple[Array, Array, Array]:
    """The means, the greatest elements and their first positions of windows from ⌊o·I/O⌋ up to ⌈(o + 1)·I/O⌉."""
    space = x.shape[2:]
    mean: Array = np.zeros((*x.shape[:2], *output_size), x.dtype)
    greatest, indices = mean.copy(), np.zeros(mean.shape, np.int64)
    for n, c, *place in itertools.product(*map(range, mean.shape)):
        ranges = [
            range(o * i // many, -(-(o + 1) * i // many)) for o, i, many in zip(place, space, output_size, strict=True)
        ]
        values = {at: x[(n, c, *at)] for at in itertools.product(*ranges)}
        best = max(values, key=lambda at: values[at])
        mean[(n, c, *place)] = sum(values.values()) / len(values)
        greatest[(n, c, *place)], indices[(n, c, *place)] = values[best], np.ravel_multi_index(best, space)
    return mean, greatest, indices
