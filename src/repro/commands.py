"""The command that trains an experiment, for messages and pages."""

import shlex
from collections.abc import Sequence

from repro.experiment import Experiment


def option(name: str) -> str:
    """What the command line calls a parameter: ``--learning-rate`` for ``learning_rate``."""
    return f"--{name.replace('_', '-')}"


def train_command(
    experiment: Experiment, replicas: int = 1, widths: Sequence[int] | None = None
) -> str:
    """``repro train ...`` for the experiment's first so many replicas; defaults are left out.

    ``widths`` are those to train where it is not the experiment's alone.
    """
    named = ",".join(map(str, widths or [experiment.width]))
    words = ["repro", "train", "--dataset", experiment.dataset, "--widths", named]
    words += ["--replicas", str(replicas)] if replicas != 1 else []
    words += ["--epochs", str(experiment.epochs)]
    for name, value in experiment.unusual.items():
        words += [option(name), str(value)]
    return shlex.join(words)
