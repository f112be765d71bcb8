"""What a user's mistake raises, the warning of what was mended, and numbers as people type them."""

import reprlib
from typing import Any

# Characters of a message; of a longer one, which quotes something long, the middle is left out.
LONGEST = 1500


class ReproError(ValueError):
    """A bad parameter, file or download, told in one sentence.

    The message names what is wrong, what was expected and what to do; the command line prints it
    and exits with status 2. Of what it quotes, characters that cannot be printed are escapes.
    """

    def __init__(self, message: str) -> None:
        if len(message) > LONGEST:
            message = f"{message[: LONGEST // 2]} ... {message[-LONGEST // 2 :]}"
        escaped = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in message)
        super().__init__("".join(escaped))


class DamagedFile(ReproError):
    """A file that is damaged, cut off or another's: ``problem``, and what is to be done."""

    def __init__(self, problem: str, advice: str = "move it away") -> None:
        super().__init__(f"{problem}: {advice}.")
        self.problem = problem


class Mended(UserWarning):
    """What was wrong and has been set right without the user, told in one sentence."""


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 200
_SHORT.maxlevel = 3


def shown(value: object) -> str:
    """A value as a message quotes it: as Python writes it, shortened where that is long."""
    try:
        return _SHORT.repr(value)
    except Exception:  # Python does not write out whole numbers of thousands of digits
        return f"what cannot be written out, of type {type(value).__name__}"


def whole(value: Any) -> int:
    """A whole number as typed, such as 3, 3.0 or 1e1. Raises ValueError for anything else."""
    if not real(value).is_integer():
        raise ValueError(value)
    try:
        return int(value)
    except ValueError:  # such as 1e1
        return int(float(value))


def real(value: Any) -> float:
    """A number, also as text. Raises ValueError for what is no number."""
    if isinstance(value, bool | bytes | bytearray):
        raise ValueError(value)
    try:
        return float(value)
    except (TypeError, OverflowError) as error:
        raise ValueError(value) from error
