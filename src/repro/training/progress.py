"""How far training is: a bar, and from a notebook lines in the terminal that runs it, too."""

import os
import sys
import time
from typing import Any

from tqdm.auto import tqdm

_FIRST_SECONDS, _SECONDS = 5.0, 30.0  # from the start to the first line, and between two


class Bar(tqdm):
    """A bar of epochs. Where a notebook draws it, papermill's terminal gets a line now and then."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._began, self._next_line = (self.n, time.monotonic()), time.monotonic() + _FIRST_SECONDS

    def update(self, n: float | None = 1) -> bool | None:
        drawn = super().update(n)
        now = time.monotonic()
        if not self.disable and now >= self._next_line:
            self._next_line = now + _SECONDS
            trained, since = self.n - self._began[0], now - self._began[1]
            left = since / max(trained, 1) * (self.total - self.n) / 60
            _to_terminal(
                f"{self.desc.removesuffix(': ')}: epoch {self.n} of {self.total}, {self.postfix}; "
                f"about {left:.2g} minutes left"
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
