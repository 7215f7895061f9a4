"""Extents as text: `parse_extent` reads what `str` prints, and the same grammar with spaces and parentheses.

    >>> parse_extent("(H - 1) // 2 + 1")
    (H-1)//2+1

The grammar is that of Python's integer expressions:

    sum     = product {("+" | "-") product}
    product = signed {("*" | "//" | "%") signed}
    signed  = "-" signed | power
    power   = operand ["**" integer]
    operand = integer | name | ("max" | "min") "(" sum {"," sum} ")" | "(" sum ")"
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NoReturn

from graphc.dim_opaque import maximum, minimum
from graphc.dim_polynomial import Extent, dim, terms_of

_TOKEN = re.compile(r"[ \t]*(?:(?P<integer>\d+)|(?P<name>[A-Za-z_]\w*)|(?P<sign>\*\*|//|[-+*%(),]))", re.ASCII)
_DEEPEST = 100  # nested parentheses and signs
_LONGEST = 100  # digits of an integer
_HIGHEST = 100  # powers
_MOST = 250  # integers and names
_WIDEST = 1000  # terms of a product


class ExtentSyntaxError(ValueError):
    """Text that is no extent: `column`, counted from 1, and the `reason`."""

    def __init__(self, text: str, column: int, reason: str) -> None:
        super().__init__(f"column {column} of {text!r}: {reason}")
        self.column = column
        self.reason = reason


@lru_cache(1 << 12)
def parse_extent(text: str) -> Extent:
    """The extent that the text denotes: `parse_extent("4*N")` is `4 * dim("N")`.

    Raises ExtentSyntaxError, a ValueError with the column, for text outside the grammar, and for a polynomial
    too large to be meant: the work is bounded by the length of the text.
    """
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.depth = 0
        self.count = 0
        self.advance()

    def advance(self) -> None:
        """Read the next token; `kind` is "integer", "name", "end", or the sign itself."""
        match = _TOKEN.match(self.text, self.position)
        if match is None:
            rest = self.text[self.position :].lstrip(" \t")
            self.start = len(self.text) - len(rest)
            self.kind, self.token = ("unknown", rest[0]) if rest else ("end", "")
            return
        self.token = match[match.lastgroup or 0]
        self.kind = self.token if match.lastgroup == "sign" else str(match.lastgroup)
        self.start = match.end() - len(self.token)
        self.position = match.end()

    def fail(self, expected: str) -> NoReturn:
        found = repr(self.token) if self.token else "the end"
        self.refuse(self.start + 1, f"expected {expected}, found {found}")

    def refuse(self, column: int, reason: str) -> NoReturn:
        raise ExtentSyntaxError(self.text, column, reason) from None

    def expect(self, kind: str) -> None:
        if self.kind != kind:
            self.fail(f"'{kind}'")
        self.advance()

    def parse(self) -> Extent:
        extent = self.sum()
        if self.kind != "end":
            self.fail("an operator or the end")
        return extent

    def sum(self) -> Extent:
        extent = self.product()
        while (sign := self.kind) in ("+", "-"):
            self.advance()
            operand = self.product()
            extent = extent + operand if sign == "+" else extent - operand
        return extent

    def product(self) -> Extent:
        extent = self.signed()
        while (sign := self.kind) in ("*", "//", "%"):
            self.advance()
            column = self.start + 1
            operand = self.signed()
            if sign == "*":
                extent = self.multiply(extent, operand, column)
            elif operand == 0:
                self.refuse(column, "the divisor is 0")
            else:
                extent = self.bounded(extent // operand if sign == "//" else extent % operand, column)
        return extent

    def signed(self) -> Extent:
        if self.depth == _DEEPEST:
            self.fail(f"at most {_DEEPEST} nested parentheses and signs")
        self.depth += 1
        if self.kind == "-":
            self.advance()
            extent = -self.signed()
        else:
            extent = self.power()
        self.depth -= 1
        return extent

    def power(self) -> Extent:
        extent = self.operand()
        if self.kind == "**":
            self.advance()
            column = self.start + 1
            base, exponent, extent = extent, self.integer(), 1
            if exponent > _HIGHEST:
                self.refuse(column, f"a power is at most {_HIGHEST}")
            for _ in range(exponent):
                extent = self.multiply(extent, base, column)
        return extent

    def multiply(self, a: Extent, b: Extent, column: int) -> Extent:
        if len(terms_of(a)) * len(terms_of(b)) > _WIDEST:
            self.refuse(column, "the product is too large for an extent")
        return self.bounded(a * b, column)

    def bounded(self, extent: Extent, column: int) -> Extent:
        """The extent itself; refused where it is larger than any real one, as products of products become."""
        if any(abs(c) > 10**_LONGEST for _, c in terms_of(extent)) or len(str(extent)) > 10 * _WIDEST:
            self.refuse(column, "the result is too large for an extent")
        return extent

    def integer(self) -> int:
        if self.kind != "integer" or len(self.token) > _LONGEST:
            self.fail(f"an integer of at most {_LONGEST} digits")
        value = int(self.token)
        self.advance()
        return value

    def operand(self) -> Extent:
        self.count += 1
        if self.count > _MOST:
            self.fail(f"at most {_MOST} integers and names")
        if self.kind == "integer":
            return self.integer()
        if self.kind == "(":
            self.advance()
            extent = self.sum()
            self.expect(")")
            return extent
        if self.kind != "name":
            self.fail("an integer, a name or '('")
        name = self.token
        if name in ("max", "min"):
            self.advance()
            column = self.start + 1
            operands = self.operands()
            return self.bounded(maximum(*operands) if name == "max" else minimum(*operands), column)
        try:
            extent = dim(name)
        except ValueError as error:
            self.refuse(self.start + 1, str(error))
        self.advance()
        return extent

    def operands(self) -> list[Extent]:
        self.expect("(")
        extents = [self.sum()]
        while self.kind == ",":
            self.advance()
            extents.append(self.sum())
        self.expect(")")
        return extents
