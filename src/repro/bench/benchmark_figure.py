"""What `repro bench` measured, as tables and figures; nothing here measures."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from repro import paper, sealed_json
from repro.bench.worker import Workload
from repro.figures.style import new_figure, panel_label, plain_log_axis, styled
from repro.places import published_path

Rows = Sequence[dict[str, Any]]

# In Okabe and Ito's colours; ours are the blues.
_COLOURS = {
    "repro-tensorflow": "#0072B2", "repro-jax": "#56B4E9", "keras-fit": "#D55E00",
    "keras-default": "#E69F00", "jax-vmap": "#009E73", "torch-vmap": "#CC79A7",
}  # fmt: skip
_MARKERS = dict(zip(_COLOURS, "os^<vD", strict=True))
_COLUMNS = {
    **{name: name for name in ("width", "replicas", "engine")},
    "seconds_per_epoch": "s/epoch", "ratio_to_keras_fit": "times keras-fit",
    "fraction_of_ceiling": "of ceiling", "fraction_of_products": "of its products",
    "compile_seconds": "compile s", "peak_memory_bytes": "peak MiB",
    "seconds_per_epoch_with_statistics": "s/epoch as trained", "same_work": "same work",
}  # fmt: skip


def published_benchmark(name: str) -> dict[str, Any]:
    """What `repro bench` measured for the book: ``results/benchmark-<name>.json``."""
    return sealed_json.read(published_path() / f"benchmark-{name}.json")


def benchmark_table(rows: Rows) -> pd.DataFrame:
    """One line per width, replicas and engine: what a reader compares, in readable units."""
    table = pd.DataFrame(rows)[list(_COLUMNS)].rename(columns=_COLUMNS)
    same = table["same work"].map({True: "yes", False: "NO"})
    return table.assign(**{"peak MiB": table["peak MiB"] / 2**20, "same work": same})


def seconds_table(rows: Rows) -> pd.DataFrame:
    """Seconds per epoch and replica: a line for each width and number of replicas, all engines."""
    table = pd.DataFrame(rows).pivot(
        index=["width", "replicas"], columns="engine", values="seconds_per_epoch_and_replica"
    )
    return table[[name for name in _COLOURS if name in table]].reset_index()


def figure_2c_operations() -> float:
    """Floating-point operations of the products of Figure 2c: every width, ten replicas."""
    works = [Workload(paper.DATASET, width, 10, 1) for width in paper.FIGURE_2_WIDTHS]
    return sum(one.operations_per_step * one.steps_per_epoch * paper.EPOCHS for one in works)


def report(measured: dict[str, Any]) -> str:
    """All of it for a terminal, from the JSON of `repro bench`."""
    table = benchmark_table(measured["rows"]).to_string(
        index=False, na_rep="-", float_format=lambda value: f"{value:.3g}"
    )
    lines = [table, "", f"{measured['device']}, code version {measured['code_version']}"]
    if square := measured["ceiling"]["square"]:
        lines.append(f"Ceiling: {square / 1e9:.0f} GFLOP/s, the best big square matrix product.")
    for each in measured["skipped"]:
        where = f" at width {each['width']} x{each['replicas']}" if "width" in each else ""
        lines.append(f"Not measured: {each['engine']}{where}: {each['reason']}")
    if not all(row["same_work"] for row in measured["rows"]):
        lines.append("Rows marked NO came to another loss than the others: not the same work.")
    return "\n".join(lines)


def benchmark_figure(rows: Rows) -> Figure:
    """Seconds per epoch and replica, and share of the ceiling; a column per number of replicas."""
    table = pd.DataFrame(rows)
    table["percent"] = 100 * table["fraction_of_ceiling"].astype(float)
    counts, widths = (sorted(table[name].unique()) for name in ("replicas", "width"))
    values = "seconds_per_epoch_and_replica", "percent"
    labels = "seconds per epoch\nand replica", "% of the ceiling"
    with styled():
        figure = new_figure(7.2, 5.2)
        panels = figure.subplots(2, len(counts), sharex=True, sharey="row", squeeze=False)
        for letter, count, column in zip("abcdefgh", counts, panels.T, strict=False):
            for axes, value, label in zip(column, values, labels, strict=True):
                sns.lineplot(
                    table[table["replicas"] == count], x="width", y=value, ax=axes, hue="engine",
                    style="engine", palette=_COLOURS, markers=_MARKERS, dashes=False, markersize=6,
                    hue_order=list(_COLOURS), style_order=list(_COLOURS),
                    legend=axes is panels[0, 0],
                )  # fmt: skip
                axes.set(xscale="log", ylabel=label)
            above, below = column
            panel_label(above, letter, "one replica" if count == 1 else f"{count} replicas")
            above.set_yscale("log")
            plain_log_axis(above.yaxis)
            below.set_ylim(0, max(5.0, 1.05 * table["percent"].max()))
            below.set_xticks(widths, map(str, widths))
            below.xaxis.set_minor_locator(NullLocator())
        # Below: no corner is free of lines on every machine.
        handles = panels[0, 0].get_legend_handles_labels()
        panels[0, 0].get_legend().remove()
        figure.legend(*handles, loc="outside lower center", ncols=3, frameon=False)
    return figure
