"""The error that a user's mistake raises, and the warning of what was mended by itself."""


class ReproError(ValueError):
    """A bad parameter, file or download, told in one sentence.

    The message names what is wrong, what was expected and what to do; the command line prints it
    and exits with status 2.
    """


class DamagedFile(ReproError):
    """A file that is not what it should be: damaged, cut off, or another's.

    ``problem`` is what is wrong, without what is to be done.
    """

    def __init__(self, problem: str, advice: str = "move it away") -> None:
        super().__init__(f"{problem}: {advice}.")
        self.problem = problem


class Mended(UserWarning):
    """What was wrong and has been set right without the user, told in one sentence."""
