"""Errors as the command line prints them: the class, the rule, the IR line, the user's line, and no traceback."""

from __future__ import annotations

from traceback import extract_tb

from graphc.errors import GraphcError
from graphc.provenance import Location, user_line


def describe(error: Exception) -> str:
    """The message for an error.

    >>> print(describe(error))
    ShapeError: affine: x has 784 features, but weight takes 512
      declared at model.py:14, in Classifier.fc1
    """
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, GraphcError | SyntaxError):
        return text
    place = user_line(error.__traceback__)
    if place is None:
        frame = extract_tb(error.__traceback__)[-1]
        place = str(Location(frame.filename, frame.lineno or 0))
    return f"{text}\n  raised at {place} (graphc --traceback shows the way there)"
