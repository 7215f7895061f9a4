"""What stands in an op's parentheses beside values, to text and back: numbers, extents, strings, dtypes, arrays.

    axis=(0, 2)   shape=(N, 4*N+1)   dtype=f32   mode="reflect"   value=i64[2]{1, 2}   low=-inf   bias=None

A bare word is `None`, `True`, `False`, `inf`, `nan`, a dtype, else a named dim. A dim named like one of those is
written in parentheses: `(nan)`. Parentheses with a comma, or with nothing in them, are a tuple.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from graphc.dim import Dim, Extent, parse_extent
from graphc.dim_text import ExtentSyntaxError
from graphc.errors import ParseError
from graphc.text.array_text import array_from_base64, array_from_numbers, print_array
from graphc.text.lexer import Token
from graphc.text.reader import Reader, close_matches
from graphc.types import DTYPES, DType, TensorType

_WORDS: dict[str, Any] = {"None": None, "True": True, "False": False, "inf": math.inf, "nan": math.nan, **DTYPES}
_OPERATORS = ("+", "-", "*", "**", "//", "value")  # "value": the remainder `N%2` reads as N, %2
_AFTER_EXTENT = (",", ")", "]", "}", "{", ":", "=", "string", "graph", "end")
_DEEPEST = 50  # nested tuples
_LONGEST = 100  # digits of an integer

# -- printing ---------------------------------------------------------------------------------------------------------


def print_attribute(value: Any) -> str:
    """The text of an attribute; TypeError where it is of no kind that an attribute can be."""
    if isinstance(value, tuple):
        return f"({', '.join(map(print_attribute, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, np.ndarray):
        return print_array(value)
    if isinstance(value, Dim):
        text = str(value)
        return f"({text})" if text.removeprefix("-") in _WORDS else text
    if isinstance(value, str):
        return '"' + "".join(map(_escaped, value)) + '"'
    if isinstance(value, float):
        return float.__repr__(value)  # np.float64 is a float, with a repr of its own
    if value is None or isinstance(value, bool | int | DType):
        return repr(value)
    raise TypeError(f"an attribute cannot be a {type(value).__name__}: {value!r}")


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_ESCAPE = re.compile(r'\\(?:([\\"ntr])|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))')


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


# -- reading ----------------------------------------------------------------------------------------------------------


def read_attribute(reader: Reader, depth: int = 0) -> Any:
    """The attribute that comes next."""
    token = reader.token
    if token.kind == "string":
        return _read_string(reader)
    if token.kind == "(" and not _is_group(reader):
        return _read_tuple(reader, depth)
    if token.kind == "word" and token.text in DTYPES and reader.following.kind == "[":
        return _read_array(reader)
    return _read_word_or_number(reader, "an attribute's value")


def read_scalar(reader: Reader) -> bool | int | float | Dim:
    """The number or extent that comes next."""
    token = reader.token
    value = _read_word_or_number(reader, "a value such as %x, or a number")
    if value is None or isinstance(value, DType):
        reader.fail(f"expected a value such as %x, or a number, found '{token.text}'", token)
    scalar: bool | int | float | Dim = value
    return scalar


def _read_word_or_number(reader: Reader, wanted: str) -> Any:
    """One word or number with its sign, or else an extent."""
    is_negative = reader.at("-")
    token = reader.following if is_negative else reader.token
    after = reader.tokens[min(reader.index + 1 + is_negative, len(reader.tokens) - 1)]
    is_alone = after.kind not in _OPERATORS or after.line != token.line
    if is_alone and token.kind in ("integer", "float"):
        reader.index += 1 + is_negative
        number = _number(reader, token)
        return -number if is_negative else number
    if is_alone and token.kind == "word" and token.text in (("inf",) if is_negative else _WORDS):
        reader.index += 1 + is_negative
        return -math.inf if is_negative else _WORDS[token.text]
    if token.kind in ("word", "integer", "(", "-"):
        return read_extent(reader)
    reader.index += is_negative
    reader.fail_expecting(wanted)


def _number(reader: Reader, token: Token) -> int | float:
    if token.kind == "integer":
        if len(token.text) > _LONGEST:
            reader.fail(f"an integer has at most {_LONGEST} digits", token)
        return int(token.text)
    number = float(token.text)
    if math.isinf(number):
        reader.fail(f"{token.text} is out of range for f64; infinity is inf", token)
    return number


def read_extent(reader: Reader) -> Extent:
    """The extent that comes next: an integer, a named dim, or arithmetic of them."""
    start = reader.token
    last: Token | None = None
    while (token := reader.token).kind not in _AFTER_EXTENT and token.line == start.line:
        if token.kind in ("(", "["):
            closing = reader.closing.get(reader.index)
            if closing is None or reader.tokens[closing].line != start.line:
                reader.fail(f"this '{token.text}' is not closed", token)
            reader.index = closing
        last = reader.take()
    if last is None:
        reader.fail_expecting("an extent such as 4 or N")
    if last is start and start.kind == "integer" and len(start.text) <= _LONGEST:
        return int(start.text)
    try:
        return parse_extent(reader.text[start.start : last.end])
    except ExtentSyntaxError as error:
        reason = error.reason.replace("found the end", "found its end")
        reader.fail(f"in an extent: {reason}", start.start + error.column - 1)


def read_type(reader: Reader) -> TensorType:
    """The type that comes next: `f32[N,784]`."""
    dtype = read_dtype(reader)
    reader.expect("[")
    shape: list[Extent] = []
    while not reader.accept("]"):
        if shape and not reader.accept(","):
            reader.fail_expecting("','", "']'")
        place = reader.token
        shape.append(read_extent(reader))
        if isinstance(shape[-1], int) and shape[-1] < 0:
            reader.fail(f"an extent is at least 0, but this one is {shape[-1]}", place)
    return TensorType(dtype, tuple(shape))


def read_dtype(reader: Reader) -> DType:
    """The dtype that comes next."""
    if not reader.at("word") or reader.token.text not in DTYPES:
        hint = close_matches(reader.token.text, DTYPES) if reader.at("word") else ""
        reader.fail_expecting("a dtype such as f32", hint=hint)
    return DTYPES[reader.take().text]


def _is_group(reader: Reader) -> bool:
    """Whether an opening parenthesis groups an extent, as in `(H-1)//2` and `(nan)`, and opens no tuple."""
    closing = reader.closing.get(reader.index)
    if closing is None or closing == reader.index + 1:
        return False
    after = reader.tokens[closing + 1]
    is_operand = after.kind in _OPERATORS and after.line == reader.tokens[closing].line
    return is_operand or reader.index not in reader.has_comma


def _read_tuple(reader: Reader, depth: int) -> tuple[Any, ...]:
    opening = reader.take()
    if depth == _DEEPEST:
        reader.fail(f"at most {_DEEPEST} tuples nest", opening)
    items: list[Any] = []
    while not reader.accept(")"):
        items.append(read_attribute(reader, depth + 1))
        if not reader.accept(",") and not reader.at(")"):
            reader.fail_expecting("','", "')'")
    return tuple(items)


def _read_array(reader: Reader) -> np.ndarray[Any, Any]:
    place = reader.token
    type = read_type(reader)
    reader.expect("{")
    try:
        if reader.accept("word", "base64"):
            place = reader.token
            text = _read_string(reader)
            reader.expect("}")
            return array_from_base64(type, text)
        numbers: list[Any] = []
        while not reader.accept("}"):
            if numbers and not reader.accept(","):
                reader.fail_expecting("','", "'}'")
            number = reader.token
            numbers.append(read_scalar(reader))
            if isinstance(numbers[-1], Dim):
                reader.fail(f"an array holds numbers, not the extent {numbers[-1]}", number)
        return array_from_numbers(type, numbers)
    except ParseError:
        raise
    except (ValueError, OverflowError) as error:
        reader.fail(str(error), place)


def _read_string(reader: Reader) -> str:
    token = reader.expect("string", what="a string")

    def unescaped(match: re.Match[str]) -> str:
        plain, short, long, unknown = match.groups()
        code = int(short or long or "0", 16)
        if unknown is not None or code > 0x10FFFF:
            reader.fail(f"unknown escape '{match.group()}' in a string", token.start + 1 + match.start())
        return {"n": "\n", "t": "\t", "r": "\r"}.get(plain, plain) if plain else chr(code)

    return _ESCAPE.sub(unescaped, token.text[1:-1])
