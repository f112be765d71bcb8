"""Numbers as people type them: in a command, a plan or a notebook's parameter."""

import operator
from typing import Any


def whole(value: Any) -> int:
    """A whole number, also as text or as a float: ``3``, ``3.0``, ``1e1``.

    Raises
    ------
    ValueError
        For what is not whole, or no number.
    """
    try:
        if not isinstance(value, bool | bytes | bytearray):
            return int(value) if isinstance(value, str) else operator.index(value)
    except (TypeError, ValueError):
        number = real(value)
        if number.is_integer():
            return int(number)
    raise ValueError(value)


def real(value: Any) -> float:
    """A number, also as text.

    Raises
    ------
    ValueError
        For what is no number.
    """
    if isinstance(value, bool | bytes | bytearray):
        raise ValueError(value)
    try:
        return float(value)
    except (TypeError, OverflowError) as error:
        raise ValueError(value) from error
