"""The paper's three figures, their tables and the moving figures, from runs: nothing trains."""

from repro.analysis.captions import describe_runs
from repro.figures.curves import (
    dead_fraction_figure,
    deviation_figure,
    examples,
    mark_contrast_figure,
)
from repro.figures.figure_1 import figure_1
from repro.figures.figure_2 import figure_2
from repro.figures.figure_3 import figure_3
from repro.figures.front import front_figure
from repro.figures.letter_explorer import letter_explorer
from repro.figures.phase_explorer import phase_explorer
from repro.figures.style import width_colour

__all__ = [
    "dead_fraction_figure",
    "describe_runs",
    "deviation_figure",
    "examples",
    "figure_1",
    "figure_2",
    "figure_3",
    "front_figure",
    "letter_explorer",
    "mark_contrast_figure",
    "phase_explorer",
    "width_colour",
]
