"""A group of ops that one kernel computes: what may join it, and where in the kernel each value stands.

    group = Group(affine.shape)
    group.admit(node)          # None, or the reason why the node needs a kernel of its own

The rules read kinds and shapes; only ops that read elements at other places (views, pad, concat, take) go by name.
`group_of(region)` in `region.py` gives the same group again from the region of a `fused` op, so that lowering and
fusion cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from graphc.dim import Extent
from graphc.ir import Literal, Node, Value
from graphc.op import Kind
from graphc.ops.contraction import free_axes
from graphc.passes.fuse.cuts import cut_of_product, sums_by_columns
from graphc.passes.fuse.place import Cut, Place, squeezed, whole_axes
from graphc.passes.fuse.product import MatrixProduct, at_least, product_of, product_of_extents, reads_in_place
from graphc.passes.fuse.strided import Producer, strided
from graphc.passes.fuse.views import has_plain_margins, is_floating, is_squeeze
from graphc.types import Shape

MOST_STATEMENTS = 80  # of one kernel: compile time grows faster than its length
MOST_PHASES = 8
MOST_PRODUCTS = 4  # side by side, such as the gates of a recurrent cell: their results share the first-level cache

LEAST_SHARED = 8192  # elements that threads share: from here on the finish of a kernel, on one thread, takes longer

LONGEST_STEP = 2  # between neighbours in a view that is joined with others; those of turned matrices lie further apart

JOINING = ("concat", "pad")

_COMPUTED = (Kind.ELEMENTWISE, Kind.RANDOM)


def is_fusable(node: Node) -> bool:
    """Whether a node can be one of several in a kernel; others have kernels of their own."""
    if node.op.name in ("pad", "concat"):
        return True
    return node.op.kind in (*_COMPUTED, Kind.REDUCTION, Kind.CONTRACTION, Kind.GATHER)


def reads_memory(node: Node) -> range:
    """The operands that a node reads at places of its own, so that they must lie in memory."""
    if node.op.kind is Kind.GATHER:
        return range(1)
    return range(len(node.operands) if node.op.kind is Kind.CONTRACTION or node.op.name in ("pad", "concat") else 0)


def reads_at_places(node: Node, producer: Producer) -> list[int]:
    """The operands that must lie in memory as they are: not the views that a kernel reads where they lie."""
    return [i for i in reads_memory(node) if not _reads_through_views(node, i, producer)]


def _reads_through_views(node: Node, i: int, producer: Producer) -> bool:
    """Whether a node reads an operand from the array that it is a view of: rows of it, if it is joined with others."""
    if node.op.kind is Kind.CONTRACTION:
        return reads_in_place(node, i, producer)
    operand = node.operands[i]
    if node.op.name not in JOINING or isinstance(operand, Literal) or not operand.type.rank:
        return False
    view = strided(operand, producer)
    if view.base is operand or isinstance(view.base, Literal):
        return False
    return isinstance(view.strides[-1], int) and abs(view.strides[-1]) <= LONGEST_STEP


@dataclass(frozen=True)
class Refusal:
    """Why an op cannot be part of a kernel, in words."""

    reason: str


@dataclass(frozen=True)
class Outside:
    """An operand that the kernel loads, at whatever place it is needed."""


Operand = Place | Outside


class Group:
    """The members of a kernel and the places of their values."""

    def __init__(self, domain: Shape, producers: Callable[[Value], Node | None], position: int = 0) -> None:
        self.domain: tuple[Extent, ...] = squeezed(domain)
        self.position = position
        self.cut: Cut | None = None
        self.split: int | None = None  # the number of leading axes of the domain that are rows
        self.contraction: Node | None = None
        self.product: MatrixProduct | None = None  # of the contraction
        self.contractions: list[Node] = []  # with those beside it
        self.members: list[Node] = []
        self.places: dict[Value, Place] = {}
        self.joined: set[Value] = set()  # results of concat and pad: the kernel stores parts in them
        self._producer = producers

    # -- what operands are to this group ------------------------------------------------------------------------------

    def operand(self, value: Value) -> Operand | Refusal:
        """The place of an operand; Outside where it is loaded. Views of the group's own values keep their place."""
        if value in self.joined:
            return Refusal("its parts are stored side by side, and it is complete when the kernel has run")
        if value in self.places:
            return self.places[value]
        node = None if isinstance(value, Literal) else self._producer(value)
        if node is None or not is_floating(node) or not node.operands:
            return Outside()
        source = self.operand(node.operands[0])
        if isinstance(source, Outside | Refusal):
            return source
        if node.op.name == "broadcast_to":
            return self._spread(source, node)
        if is_squeeze(node):
            return source
        return Refusal(f"{node.op.name} moves elements that this kernel computes")

    def _spread(self, source: Place, node: Node) -> Operand | Refusal:
        """A value of the group repeated along other axes."""
        if not source.axes:
            return source
        shape = node.result.type.shape
        if source.finish:
            return source if squeezed(shape) == squeezed(node.operands[0].type.shape) else Refusal(
                "a value that is known at the finish is spread over more elements"
            )  # fmt: skip
        if squeezed(shape) != self.domain:
            same = squeezed(shape) == squeezed(node.operands[0].type.shape)
            return source if same else Refusal("a value is spread over a shape that is not the kernel's")
        lead = len(shape) - node.operands[0].type.rank
        numbers = whole_axes(shape)[lead:]
        spanned = tuple(
            number
            for number, extent in zip(numbers, node.operands[0].type.shape, strict=True)
            if extent != 1 and number is not None
        )
        if spanned != source.axes:
            return Refusal("a value is spread along other axes than the kernel's own")
        return Place(tuple(range(len(self.domain))), source.phase)

    # -- who may join -------------------------------------------------------------------------------------------------

    def admit(self, node: Node) -> Refusal | None:
        """Make a node a member; or say why it cannot be one, and change nothing."""
        if len(self.members) >= MOST_STATEMENTS:
            return Refusal(f"the kernel has {MOST_STATEMENTS} statements already")
        before = (self.cut, self.split)
        place = self._place(node)
        if isinstance(place, Place) and place.phase > MOST_PHASES:
            place = Refusal(f"the kernel passes {MOST_PHASES} times over its rows already")
        if isinstance(place, Refusal):
            self.cut, self.split = before
            return place
        self.members.append(node)
        for result in node.results:
            self.places[result] = place
        if self._joins(node):
            self.joined.add(node.result)
        return None

    def _joins(self, node: Node) -> bool:
        """Whether a node puts values of this kernel to their places in a larger array."""
        return node.op.name in JOINING and all(operand in self.places for operand in node.operands)

    def _place(self, node: Node) -> Place | Refusal:
        kind = node.op.kind
        if kind is Kind.CONTRACTION:
            return self._place_contraction(node)
        if kind is Kind.REDUCTION:
            return self._place_reduction(node)
        if kind is Kind.GATHER or node.op.name in ("pad", "concat"):
            return self._place_reading(node)
        if kind in _COMPUTED:
            return self._place_elementwise(node, [self.operand(operand) for operand in node.operands])
        return Refusal(f"{node.op.name} has a kernel of its own")

    def _place_contraction(self, node: Node) -> Place | Refusal:
        product = product_of(node, self._producer)
        if self.members:
            return self._place_beside(node, product)
        self.contraction, self.product = node, product
        self.contractions.append(node)
        if self.product.is_deep:
            self.cut, self.split = Cut.DEPTH, self._rows_of_product
            return Place(tuple(range(len(self.domain))), 0, True)
        return Place(tuple(range(len(self.domain))))

    def _place_beside(self, node: Node, product: MatrixProduct) -> Place | Refusal:
        """A product of the same left operand as the one that the kernel starts with."""
        if len(self.contractions) < len(self.members) or self.product is None:
            return Refusal("a contraction starts a kernel")
        if len(self.contractions) == MOST_PRODUCTS:
            return Refusal(f"the kernel has {MOST_PRODUCTS} products already")
        if squeezed(node.result.type.shape) != self.domain or not self.product.is_beside(product):
            return Refusal("a kernel has products of one left operand with matrices of one shape")
        self.contractions.append(node)
        return Place(tuple(range(len(self.domain))))

    def take_over(self, other: Group) -> None:
        """Be what another group is, which has the same domain."""
        self.members, self.places, self.joined = other.members, other.places, other.joined
        self.contraction, self.product, self.contractions = other.contraction, other.product, other.contractions
        self.cut, self.split = other.cut, other.split

    def _place_reading(self, node: Node) -> Place | Refusal:
        """Ops that read a whole array at places of their own: it must lie in memory."""
        operands = [self.operand(operand) for operand in node.operands]
        source = operands[0]
        if node.op.name == "take_along_axis" and node.operands[0] in self.places and isinstance(source, Place):
            return self._place_taking(node, source, operands[1])
        if self._joins(node):
            return self._place_joining(node)
        if any(isinstance(operands[i], Place) for i in reads_memory(node)):
            return Refusal(f"{node.op.name} reads elements at other places, so the array must be complete")
        return self._place_elementwise(node, operands)

    def _place_joining(self, node: Node) -> Place | Refusal:
        """Parts that the kernel computes, each stored where it belongs: the kernel's domain is that of one part."""
        if node.op.name == "pad" and not has_plain_margins(node):
            return Refusal("its margins are no rows of zeros before and behind others")
        places = [self.places[operand] for operand in node.operands]
        if any(operand in self.joined for operand in node.operands):
            return Refusal("a part is complete when the kernel has run")
        for operand, place in zip(node.operands, places, strict=True):
            if place.finish or len(place.axes) != len(self.domain) or squeezed(operand.type.shape) != self.domain:
                return Refusal("a part does not span the kernel's domain")
        return Place(tuple(range(len(self.domain))), max(place.phase for place in places))

    def _place_taking(self, node: Node, source: Place, indices: Operand | Refusal) -> Place | Refusal:
        """One element of each row, at a computed index: the row has been stored in an earlier pass."""
        rows = tuple(range(len(self.domain) - 1))
        axis = whole_axes(node.operands[0].type.shape)[node.attributes["axis"]]
        in_row = axis == len(self.domain) - 1 and squeezed(node.result.type.shape) == self.domain[:-1]
        if not in_row or not rows or source.finish or len(source.axes) != len(self.domain):
            return Refusal(f"{node.op.name} reads elements at other places, so the array must be complete")
        if isinstance(indices, Refusal):
            return indices
        if isinstance(indices, Place) and (indices.finish or indices.axes != rows):
            return Refusal("the indices are not known for each row of the kernel")
        phase = max(source.phase + 1, indices.phase if isinstance(indices, Place) else 0)
        return self._settle(Cut.ROWS, len(rows)) or Place(rows, phase)

    def _place_elementwise(self, node: Node, operands: list[Operand | Refusal]) -> Place | Refusal:
        places = []
        for operand in operands:
            if isinstance(operand, Refusal):
                return operand
            if isinstance(operand, Place):
                places.append(operand)
        shape = squeezed(node.result.type.shape)
        finish = any(place.finish for place in places)
        if finish and any(not place.finish for place in places):
            return Refusal("one operand is known at the finish of this kernel, another within its slices")
        spans = {place.axes for place in places if place.axes}
        if len(spans) > 1:
            return Refusal("operands span different axes of the kernel")
        axes = spans.pop() if spans else self._axes_of(shape, finish)
        if axes is None and not places and self._finishes_as(shape):
            return Place(tuple(range(len(self.domain) - len(shape), len(self.domain))), 0, True)
        if axes is None or shape != tuple(self.domain[a] for a in axes):
            return Refusal(f"its shape [{', '.join(map(str, shape))}] is no part of the kernel's domain")
        phase = max((place.phase for place in places), default=0)
        if finish and self.cut is Cut.DEPTH and at_least(product_of_extents(shape)) >= LEAST_SHARED:
            return Refusal("the finish of a kernel that is cut along its depth runs on one thread")
        if finish:
            return Place(axes, phase, True)
        return self._level(Place(axes, phase))

    def _axes_of(self, shape: tuple[Extent, ...], finish: bool) -> tuple[int, ...] | None:
        """The axes that a value spans all of whose operands are loaded."""
        rank = len(self.domain)
        if not shape:
            return ()
        if shape == self.domain and not finish and self.cut is not Cut.DEPTH:
            return tuple(range(rank))
        if self.split is not None and self.cut is Cut.ROWS and not finish and shape == self.domain[: self.split]:
            return tuple(range(self.split))
        if self.split is not None and self.cut is Cut.COLUMNS and not finish and shape == self.domain[self.split :]:
            return tuple(range(self.split, rank))
        return None

    def _finishes_as(self, shape: tuple[Extent, ...]) -> bool:
        """Whether something of this shape is known at the finish, so that what is loaded can be computed with it."""
        last = tuple(range(len(self.domain) - len(shape), len(self.domain)))
        return (
            bool(shape)
            and any(p.finish and p.axes == last for p in self.places.values())
            and (shape == tuple(self.domain[a] for a in last))
        )

    def _level(self, place: Place) -> Place | Refusal:
        """Settle how the kernel is cut where a value spans its rows or its columns only."""
        rank = len(self.domain)
        if not place.axes or len(place.axes) == rank:
            return place
        if place.axes == tuple(range(len(place.axes))):
            refusal = self._settle(Cut.ROWS, len(place.axes))
        elif place.axes == tuple(range(rank - len(place.axes), rank)):
            refusal = self._settle(Cut.COLUMNS, rank - len(place.axes))
        else:
            refusal = Refusal("a value spans neither rows nor columns of the kernel")
        return refusal or place

    def _settle(self, cut: Cut, split: int) -> Refusal | None:
        if self.product is not None and split != self._rows_of_product:
            return Refusal("a product is cut along the rows or the columns of its matrices")
        if self.product is not None and self.product.keeps_columns and cut is Cut.COLUMNS and self.cut is not Cut.DEPTH:
            return Refusal("a product of several lines is cut along them")
        if self.cut is None:
            self.cut, self.split = cut, split
        if self.cut is not cut or self.split != split:
            return Refusal(f"the kernel is cut along its {self.cut}")
        return None

    def _place_reduction(self, node: Node) -> Place | Refusal:
        operand = self.operand(node.operands[0])
        rank = len(self.domain)
        if isinstance(operand, Refusal):
            return operand
        if isinstance(operand, Outside):
            axes = self._axes_of(squeezed(node.operands[0].type.shape), False)
            if axes is None:
                return Refusal("its operand's shape is no part of the kernel's domain")
            operand = Place(axes)
        if operand.finish:
            return Refusal("it folds what is known at the finish of this kernel")
        folded, kept = self._folded(node, operand)
        if not folded:
            return Refusal("it folds no axis of the kernel")
        last = tuple(range(rank - len(folded), rank))
        first = tuple(range(len(folded)))
        full = len(operand.axes) == rank
        if full and kept and folded == last and self._settle(Cut.ROWS, len(kept)) is None:
            return Place(kept, operand.phase + 1)
        if node.op.name in ("argmax", "argmin"):
            return Refusal("the position of an extremum is found along the rows of a kernel only")
        if full and kept and folded == first:
            by_columns = sums_by_columns(self.domain[: len(folded)], self.domain[len(folded) :])
            if by_columns and self._settle(Cut.COLUMNS, len(folded)) is None:
                return Place(kept, operand.phase + 1)
            return Place(kept, operand.phase, True) if self.cut is not Cut.COLUMNS else Refusal(
                "it folds rows of a kernel that is cut along its columns"
            )  # fmt: skip
        if not kept and (full or (self.cut is Cut.ROWS and operand.axes == tuple(range(self.split or 0)))):
            return Place((), operand.phase, True)
        if self.cut is Cut.ROWS and operand.axes[: len(folded)] == folded and not full:
            return Place(kept, operand.phase, True)
        return Refusal("it folds axes that no slice of the kernel has whole")

    def _folded(self, node: Node, operand: Place) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The domain's axes that a reduction folds, and those that it keeps."""
        axis = node.attributes["axis"]
        folded_axes = axis if isinstance(axis, tuple) else (axis,)
        numbers = whole_axes(node.operands[0].type.shape)
        folded = {numbers[a] for a in folded_axes} - {None}
        return (
            tuple(a for i, a in enumerate(operand.axes) if i in folded),
            tuple(a for i, a in enumerate(operand.axes) if i not in folded),
        )

    @property
    def _rows_of_product(self) -> int:
        """The number of the domain's axes that are rows of the contraction."""
        assert self.contraction is not None
        (_, contract), (_, batch) = self.contraction.attributes["contract"], self.contraction.attributes["batch"]
        shape = self.contraction.operands[1].type.shape
        columns = free_axes(len(shape), contract, batch)
        if self.product is not None and self.product.inside:
            columns = (*batch, *columns)
        return len(self.domain) - len(squeezed(tuple(shape[axis] for axis in columns)))

    # -- the kernel that it makes -------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Choose a cut where no member asked for one."""
        if self.cut is not None:
            return
        rank = len(self.domain)
        if rank < 2:
            self.cut, self.split = Cut.COLUMNS, 0
        elif self.product is not None:
            self.split = self._rows_of_product
            self.cut = cut_of_product(self.product, self.domain[: self.split], self.domain[self.split :])
        else:
            self.cut, self.split = Cut.ROWS, rank - 1
