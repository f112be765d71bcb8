"""Reproduction of "Effect of the initial configuration of weights on the training and function of
artificial neural networks" (arXiv:2012.02550).

`Experiment` -> `run` (or `published`) -> an `xarray.Dataset` -> analysis -> figure; `summary` is
the table of all runs. Importing the package changes no setting of a library. It, reading results
and drawing them load no machine-learning library; training does.
"""

from repro.errors import ReproError
from repro.experiment import Experiment
from repro.runs import by_width, published, published_runs, run
from repro.summary import summary

__all__ = [
    "Experiment", "ReproError", "by_width", "published", "published_runs", "run", "summary",
]  # fmt: skip
