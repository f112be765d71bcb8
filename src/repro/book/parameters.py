"""The parameters of a notebook, however papermill was given them."""

from collections.abc import Iterable
from typing import Any

from repro.errors import ReproError, shown, whole


def whole_numbers(name: str, value: Any) -> list[int] | None:
    """Whole numbers from 1, each once, in the order given; None stays None (all there are).

    ``value`` is a list (``-y "widths: [64, 96]"``), one number alone (``-p widths 64``), or text
    with commas (``-p widths 64,96``); ``1e2`` and ``64.0`` are whole. For anything else raises a
    ReproError, which calls the parameter ``name``.
    """
    if value is None:
        return None
    parts: Iterable[Any] = value if isinstance(value, Iterable) else [value]
    if isinstance(value, str):
        parts = value.strip().removeprefix("[").removesuffix("]").split(",")
    try:
        if isinstance(value, bytes | bytearray | dict):
            raise TypeError  # their parts are numbers or names, but not those that were meant
        numbers = list(dict.fromkeys(map(whole, parts)))
    except (TypeError, ValueError):
        numbers = []
    if not numbers or min(numbers) < 1:
        raise ReproError(
            f'{name} must be whole numbers from 1, such as -y "{name}: [64, 96]" or '
            f"-p {name} 64,96, not {shown(value)}."
        )
    return numbers


def whole_number(name: str, value: Any) -> int | None:
    """One whole number from 1, as a number or as text (``1e1``); None stays None."""
    try:
        number = None if value is None else whole(value)
    except (TypeError, ValueError):
        number = 0
    if number is not None and number < 1:
        raise ReproError(
            f"{name} must be a whole number from 1, such as -p {name} 64, not {shown(value)}."
        )
    return number
