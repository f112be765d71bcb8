"""Reproduction of "Effect of the initial configuration of weights on the training and function of
artificial neural networks" (arXiv:2012.02550).

`Experiment` -> `run` (or `published`) -> an `xarray.Dataset` -> analysis -> figure. Importing the
package, reading results and drawing them load no machine-learning library; training does.
"""

import pandas

from repro.errors import ReproError
from repro.experiment import Experiment
from repro.runs import by_width, published, published_runs, run

__all__ = ["Experiment", "ReproError", "by_width", "published", "published_runs", "run"]

# Whichever module a table comes from, a page shows the whole of it; pandas would show sixty rows.
pandas.set_option("display.max_rows", None)
