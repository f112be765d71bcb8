"""The paper's three figures, their tables and the moving figures, from runs: nothing trains."""

from repro.captions import describe_runs
from repro.curves import dead_fraction_figure, deviation_figure, examples, mark_contrast_figure
from repro.figure_1 import figure_1
from repro.figure_2 import figure_2
from repro.figure_3 import figure_3
from repro.front import front_figure
from repro.letter_explorer import letter_explorer
from repro.phase_explorer import phase_explorer
from repro.style import width_colour
from repro.tables import table_1, table_2, table_3

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
    "table_1",
    "table_2",
    "table_3",
    "width_colour",
]
