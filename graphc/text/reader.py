"""A place in IR text that moves forward over tokens, and says what was expected where they do not fit.

ParseError: line 3, column 27: expected ')' or ',', found '='
  %h: f32[N,3] = relu(%x = 4)
                         ^
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable
from typing import NoReturn

from graphc.errors import ParseError
from graphc.text.lexer import Token, tokenize

_WIDTH = 100  # characters of a line that an error shows


class Reader:
    """The tokens of a text and the place of the next one."""

    def __init__(self, text: str, file: str | None = None) -> None:
        self.text, self.tokens, self.closing, self.has_comma = tokenize(text)
        self.file = file
        self.index = 0

    # -- moving -----------------------------------------------------------------------------------------------------

    @property
    def token(self) -> Token:
        """The next token."""
        return self.tokens[self.index]

    @property
    def following(self) -> Token:
        """The token after the next."""
        return self.tokens[min(self.index + 1, len(self.tokens) - 1)]

    def at(self, kind: str, text: str | None = None) -> bool:
        """Whether the next token is of this kind, and this very text."""
        token = self.tokens[self.index]
        return token.kind == kind and (text is None or token.text == text)

    def take(self) -> Token:
        """The next token, left behind; the end stays."""
        token = self.tokens[self.index]
        if token.kind != "end":
            self.index += 1
        return token

    def accept(self, kind: str, text: str | None = None) -> bool:
        """Leave the next token behind if it is this one."""
        found = self.at(kind, text)
        if found:
            self.index += 1
        return found

    def expect(self, kind: str, text: str | None = None, *, what: str = "") -> Token:
        """The next token, left behind; ParseError unless it is this one."""
        if not self.at(kind, text):
            self.fail_expecting(what or f"'{text or kind}'")
        return self.take()

    # -- failing ----------------------------------------------------------------------------------------------------

    def fail_expecting(self, *wanted: str, hint: str = "", starts_line: bool = False) -> NoReturn:
        """ParseError at the next token: what was wanted, and what is there.

        Where the next token is on another line, the error is at the end of this one, unless a line was to start.
        """
        token = self.token
        expected = " or ".join([", ".join(wanted[:-1]), wanted[-1]] if len(wanted) > 1 else wanted)
        before = self.tokens[self.index - 1] if self.index else None
        if before is not None and token.line > before.line and not starts_line and token.kind != "end":
            self.fail(f"expected {expected}, found the end of the line{hint}", before.end)
        if token.kind == "end":
            self.fail(f"expected {expected}, found the end of the text{hint}", before.end if before else 0)
        shown = token.text if len(token.text) <= 40 else token.text[:39] + "…"
        if token.text == '"':
            shown = "a string that does not end"
            self.fail(f"expected {expected}, found {shown}{hint}", token)
        self.fail(f"expected {expected}, found {_quoted(shown)}{hint}", token)

    def fail(self, message: str, place: Token | int) -> NoReturn:
        """ParseError with the line of a token or offset, and a caret under its column."""
        raise self.error(message, place) from None

    def error(self, message: str, place: Token | int) -> ParseError:
        """The error that `fail` raises."""
        offset = place if isinstance(place, int) else place.start
        number = self.text.count("\n", 0, offset) + 1
        begin = self.text.rfind("\n", 0, offset) + 1
        end = self.text.find("\n", offset)
        line = self.text[begin : end if end >= 0 else len(self.text)]
        column = offset - begin
        where = f"{self.file}:{number}:{column + 1}" if self.file else f"line {number}, column {column + 1}"
        return ParseError(f"{where}: {message}", line=_pointed(line, column))

    def place_of(self, token: Token) -> tuple[str, int] | None:
        """The file and line of a token, where the text has a file."""
        return (self.file, token.line) if self.file else None


def close_matches(name: str, names: Iterable[str], prefix: str = "") -> str:
    """`; did you mean %h?`, or nothing where no name is close."""
    close = difflib.get_close_matches(name, list(names), n=3)
    return f"; did you mean {', '.join(prefix + match for match in close)}?" if close else ""


def _quoted(text: str) -> str:
    shown = text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
    return f"'{shown}'" if "'" not in shown else f'"{shown}"' if '"' not in shown else shown


def _pointed(line: str, column: int) -> str | None:
    """A line, cropped around a column, over a caret, which counts wide characters twice; None for an empty line."""
    if not line.strip():
        return None
    start = max(0, min(column - _WIDTH // 2, len(line) - _WIDTH))
    crop = line[start : start + _WIDTH]
    shown = ("…" if start else "") + crop + ("…" if start + _WIDTH < len(line) else "")
    shown = "".join(c if c.isprintable() else " " for c in shown).rstrip()
    before = ("…" if start else "") + line[start:column]
    indent = len(shown) - len(shown.lstrip())
    cells = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in before)
    return f"{shown[indent:]}\n  {' ' * max(0, cells - indent)}^"
