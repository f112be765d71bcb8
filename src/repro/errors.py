"""The error that a user's mistake raises."""


class ReproError(ValueError):
    """A bad parameter, file or download, told in one sentence.

    The message names what is wrong, what was expected and what to do; the command line prints it
    and exits with status 2.
    """
