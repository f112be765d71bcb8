"""The parameters of a notebook, however papermill was given them."""

from collections.abc import Iterable
from typing import Any

from repro.errors import ReproError, shown, whole


def whole_numbers(name: str, value: Any) -> list[int] | None:
    """Whole numbers from 1, each once, in the order given; None stays None (all there are).

    ``value`` is a list (``-y "widths: [64, 96]"``), one number (``-p widths 64``), or text with
    commas (``-p widths 64,96``). For anything else a ReproError calls the parameter ``name``.
    """
    if value is None:
        return None
    parts: Iterable[Any] = value if isinstance(value, Iterable) else [value]
    if isinstance(value, str):
        parts = value.strip().removeprefix("[").removesuffix("]").split(",")
    if numbers := _from_one(parts):
        return list(dict.fromkeys(numbers))
    raise ReproError(
        f'{name} must be whole numbers from 1, such as -y "{name}: [64, 96]" or '
        f"-p {name} 64,96, not {shown(value)}."
    )


def whole_number(name: str, value: Any) -> int | None:
    """One whole number from 1, as a number or as text (``1e1``); None stays None."""
    if value is None:
        return None
    if numbers := _from_one([value]):
        return numbers[0]
    raise ReproError(
        f"{name} must be a whole number from 1, such as -p {name} 64, not {shown(value)}."
    )


def _from_one(values: Iterable[Any]) -> list[int]:
    """The values as whole numbers; none where one of them is not, or is below 1."""
    try:
        numbers = list(map(whole, values))
    except (TypeError, ValueError):
        return []
    return numbers if min(numbers, default=0) > 0 else []
