"""IR text as tokens, in one pass and without ever failing: what is no token is a token of kind "unknown".

    %h: f32[N,3] = mul(%x, 0.5)    ->  value `%h`, `:`, word `f32`, `[`, word `N`, `,`, integer `3`, `]`, `=` …

`//` starts a comment, except where it divides: within square brackets, and within parentheses directly after a digit, a
name or `)`. So `f32[(H-1)//2]` and `slice(%x, stop=(N//2,))` hold extents, and `relu(%x)  // model.py:3` a comment.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
      (?P<space>[^\S\n]+)
    | (?P<newline>\n)
    | (?P<slashes>//)
    | (?P<value>%[\w.]*)
    | (?P<graph>@[\w.]*)
    | (?P<string>"(?:[^"\\\n]|\\[^\n])*")
    | (?P<float>[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)
    | (?P<integer>[0-9]+)
    | (?P<word>[^\W\d]\w*(?:\.\w+)*)
    | (?P<sign>\*\*|[-+*=:,(){}\[\]])
    | (?P<unknown>.)
    """,
    re.VERBOSE,
)
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_DIVIDED = ("integer", "word", "value", ")")  # what a division follows; "value" is the 2 of `N%2`


class Token(NamedTuple):
    """A piece of text; the kind of a sign is the sign itself, and the last token is of kind "end"."""

    kind: str
    text: str
    start: int
    line: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


class Tokens(NamedTuple):
    """All tokens of a text. For each opening bracket: its closing one, and whether commas stand directly within."""

    text: str
    tokens: list[Token]
    closing: dict[int, int]
    has_comma: set[int]


def tokenize(text: str) -> Tokens:
    """The tokens of a text, with its brackets matched."""
    tokens: list[Token] = []
    closing: dict[int, int] = {}
    has_comma: set[int] = set()
    open_brackets: list[int] = []
    position, line, squares = 0, 1, 0  # squares: how many `[` are open
    while position < len(text):
        match = _TOKEN.match(text, position)
        assert match is not None
        kind, piece = str(match.lastgroup), match.group()
        if kind == "slashes":
            within = tokens[open_brackets[-1]].kind if open_brackets else ""
            follows = within == "(" and tokens[-1].end == position and tokens[-1].kind in _DIVIDED
            if not (squares or follows):
                position = _end_of_line(text, position)
                continue
            kind = "//"
        position = match.end()
        if kind == "space":
            continue
        if kind == "newline":
            line += 1
            continue
        if kind == "sign":
            kind = piece
            if piece in _CLOSING:
                open_brackets.append(len(tokens))
                squares += piece == "["
            elif piece == "," and open_brackets:
                has_comma.add(open_brackets[-1])
            elif open_brackets and piece == _CLOSING[tokens[open_brackets[-1]].text]:
                closing[open_brackets.pop()] = len(tokens)
                squares -= piece == "]"
        tokens.append(Token(kind, piece, match.start(), line))
    tokens.append(Token("end", "", len(text), line))
    return Tokens(text, tokens, closing, has_comma)


def _end_of_line(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end
