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
from graphc.dim_polynomial import Extent, dim

_TOKEN = re.compile(r"[ \t]*(?:(?P<integer>\d+)|(?P<name>[A-Za-z_]\w*)|(?P<sign>\*\*|//|[-+*%(),]))", re.ASCII)
_DEEPEST = 100  # nested parentheses and signs
_LONGEST = 100  # digits of an integer


@lru_cache(1 << 12)
def parse_extent(text: str) -> Extent:
    """The extent that the text denotes: `parse_extent("4*N")` is `4 * dim("N")`.

    Raises ValueError, with the column counted from 1, for text outside the grammar.
    """
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.depth = 0
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
        raise ValueError(f"column {self.start + 1} of {self.text!r}: expected {expected}, found {found}")

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
                extent = extent * operand
            elif operand == 0:
                raise ValueError(f"column {column} of {self.text!r}: the divisor is 0")
            else:
                extent = extent // operand if sign == "//" else extent % operand
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
            extent = extent ** self.integer()
        return extent

    def integer(self) -> int:
        if self.kind != "integer" or len(self.token) > _LONGEST:
            self.fail(f"an integer of at most {_LONGEST} digits")
        value = int(self.token)
        self.advance()
        return value

    def operand(self) -> Extent:
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
            return maximum(*self.operands()) if name == "max" else minimum(*self.operands())
        try:
            extent = dim(name)
        except ValueError as error:
            raise ValueError(f"column {self.start + 1} of {self.text!r}: {error}") from None
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
