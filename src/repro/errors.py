"""The error that a user's mistake raises, and the warning of what was mended by itself."""

import reprlib

LONGEST = 1500
"""Characters of a message; of a longer one, which quotes something long, the middle is left out."""


class ReproError(ValueError):
    """A bad parameter, file or download, told in one sentence.

    The message names what is wrong, what was expected and what to do; the command line prints it
    and exits with status 2. It stays on one line whatever names it quotes: characters that cannot
    be printed are written as escapes.
    """

    def __init__(self, message: str) -> None:
        if len(message) > LONGEST:
            message = f"{message[: LONGEST // 2]} ... {message[-LONGEST // 2 :]}"
        super().__init__("".join(c if c.isprintable() else _escape(c) for c in message))


class DamagedFile(ReproError):
    """A file that is not what it should be: damaged, cut off, or another's.

    ``problem`` is what is wrong, without what is to be done.
    """

    def __init__(self, problem: str, advice: str = "move it away") -> None:
        super().__init__(f"{problem}: {advice}.")
        self.problem = problem


class Mended(UserWarning):
    """What was wrong and has been set right without the user, told in one sentence."""


def shown(value: object) -> str:
    """A value as a message quotes it: as Python writes it, shortened where that is long."""
    try:
        return _SHORT.repr(value)
    except Exception:  # Python does not write out whole numbers of thousands of digits
        return f"what cannot be written out, of type {type(value).__name__}"


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 200
_SHORT.maxlevel = 3
