"""How far training is: a bar, and from a notebook lines in the terminal that runs it, too."""

import os
import sys
import time

from tqdm.auto import tqdm

_FIRST_SECONDS, _SECONDS = 5.0, 30.0  # from the start to the first line, and between two


class Bar(tqdm):
    """A bar of epochs. Where a notebook draws it, papermill's terminal gets a line now and then.

    Its clock starts after the first epoch, which includes the compiling.
    """

    def __init__(self, name: str, epoch: int, epochs: int, progress: bool, line: int) -> None:
        super().__init__(
            desc=name, initial=epoch, total=epochs, unit="epoch", disable=not progress,
            mininterval=1.0, position=line, leave=line == 0,
        )  # fmt: skip
        self._began, self._next_line = epoch, time.monotonic() + _FIRST_SECONDS

    def update(self, n: float | None = 1) -> bool | None:
        if self.disable:
            return None
        if self.n > self._began:
            drawn = super().update(n)
        else:
            self.n = self.last_print_n = self.initial = self.n + n
            self.unpause()
            drawn = self.refresh()
        if time.monotonic() >= self._next_line and self.n > self.initial:
            self._next_line = time.monotonic() + _SECONDS
            seconds = (self._time() - self.start_t) / (self.n - self.initial)
            _to_terminal(
                f"{self.desc.removesuffix(': ')}: epoch {self.n} of {self.total}, {self.postfix}; "
                f"about {seconds * (self.total - self.n) / 60:.2g} minutes left"
            )
        return drawn


def tell(words: str) -> None:
    """A line on the error stream, and in the terminal behind a notebook."""
    print(words, file=sys.stderr, flush=True)
    _to_terminal(words)


def _to_terminal(words: str) -> None:
    """A line to the error stream that a notebook's kernel was started with; else none."""
    # A kernel puts what goes to `sys.stderr` into the notebook, and keeps the terminal's here.
    terminal = getattr(sys.stderr, "_original_stdstream_copy", None)
    if terminal is not None:
        os.write(terminal, f"\n{words}\n".encode())
