"""What `repro bench` measured, as tables and figures; nothing here measures."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.ticker import FuncFormatter, NullLocator

from repro import sealed_json
from repro.analysis.captions import dataset_name
from repro.errors import ReproError
from repro.figures.style import PageFigure, new_figure, panel_label, styled
from repro.places import published_path

Rows = Sequence[dict[str, Any]]

LOOKS = {
    "repro-tensorflow": {"color": "#0072B2", "marker": "o"},
    "repro-jax": {"color": "#56B4E9", "marker": "s"},
    "keras-fit": {"color": "#D55E00", "marker": "^"},
    "keras-default": {"color": "#E69F00", "marker": "<"},
    "jax-vmap": {"color": "#009E73", "marker": "v"},
    "torch-vmap": {"color": "#CC79A7", "marker": "D"},
}
OURS = ("repro-tensorflow", "repro-jax")
_GIBIBYTE, _MEBIBYTE = 2**30, 2**20


def benchmark_table(rows: Rows) -> pd.DataFrame:
    """One line per width, replicas and engine: what a reader compares, in readable units."""
    lines = []
    for row in rows:
        lines.append(
            {
                "width": row["width"],
                "replicas": row["replicas"],
                "engine": row["engine"],
                "s/epoch": row["seconds_per_epoch"],
                "s/epoch/replica": row["seconds_per_epoch_and_replica"],
                "times keras-fit": row["ratio_to_keras_fit"],
                "of ceiling %": _percent(row["fraction_of_ceiling"]),
                "of its products %": _percent(row["fraction_of_products"]),
                "compile s": row["compile_seconds"],
                "peak MiB": row["peak_memory_bytes"] / _MEBIBYTE,
                "s/epoch as trained": row["seconds_per_epoch_with_statistics"],
                "same work": "yes" if row["same_work"] else "NO",
            }
        )
    return pd.DataFrame(lines)


def seconds_table(rows: Rows) -> pd.DataFrame:
    """Seconds per epoch and replica: a line for each width and number of replicas, all engines."""
    table = pd.DataFrame(rows).pivot(
        index=["width", "replicas"], columns="engine", values="seconds_per_epoch_and_replica"
    )
    return table[[name for name in LOOKS if name in table]].reset_index()


def growth_table(rows: Rows) -> pd.DataFrame:
    """One line per size."""
    lines = []
    for row in rows:
        lines.append(
            {
                "along": row["along"],
                "width": row["width"],
                "replicas": row["replicas"],
                "epochs": row["epochs"],
                "s/epoch": row["seconds_per_epoch"],
                "s": row["seconds"],
                "GFLOP/s": row["flops_per_epoch"] / row["seconds_per_epoch"] / 1e9,
                "compile s": row["compile_seconds"],
                "peak MiB": row["peak_memory_bytes"] / _MEBIBYTE,
            }
        )
    return pd.DataFrame(lines)


def published_benchmark(name: str) -> dict[str, Any]:
    """What `repro bench` measured for the book: ``results/benchmark-<name>.json``."""
    return sealed_json.read(published_path() / f"benchmark-{name}.json")


def joined(*measured: dict[str, Any]) -> dict[str, Any]:
    """Several calls of `repro bench`, of other sizes on the same device, as one.

    Raises ReproError where device or libraries differ: their times cannot stand side by side.
    """
    first, *others = measured
    for other in others:
        for name in ("device", "versions"):
            if other[name] != first[name]:
                raise ReproError(
                    f"Measurements of one {name} can be joined, not of {first[name]} and "
                    f"{other[name]}."
                )
    rates = [rate for each in measured for rate in each["ceiling"]["rates"]]
    square = max(each["ceiling"]["square"] for each in measured)
    rows = [row for each in measured for row in each["rows"]]
    return first | {"rows": rows, "ceiling": {"square": square, "rates": rates}}


def aims_table(measured: dict[str, Any], memory: dict[str, Any] | None = None) -> pd.DataFrame:
    """What was aimed for when the engine was begun, and what is measured.

    Parameters
    ----------
    measured:
        The JSON of `repro bench` on MNIST, with widths 64 and 512 and one and eight replicas.
    memory:
        The same on HASYv2, with width 512 and eight replicas.

    Returns
    -------
    DataFrame with columns ``aim``, ``against``, ``wanted``, ``measured``, ``possible`` and
    ``reached``. *Possible* is what an engine would measure that did nothing but its matrix
    products, and those as fast as the fastest library multiplies big square matrices.
    """
    rows = {(row["engine"], row["width"], row["replicas"]): row for row in measured["rows"]}
    lines = []

    def line(aim: str, against: str, wanted: float, value: float, possible: float | None) -> None:
        lines.append(
            {
                "aim": aim, "against": against, "wanted": wanted, "measured": value,
                "possible": possible, "reached": value >= wanted,
            }
        )  # fmt: skip

    for width, replicas, wanted in ((64, 1, 8.0), (512, 1, 2.5), (64, 8, 12.0)):
        ours = rows.get(("repro-tensorflow", width, replicas))
        for peer, label in (("keras-fit", "best settings"), ("keras-default", "defaults")):
            if ours and (theirs := rows.get((peer, width, replicas))):
                most = theirs["seconds_per_epoch"] * measured["ceiling"]["square"]
                line(
                    f"times Model.fit, width {width}, {_count(replicas)}", f"Keras, {label}",
                    wanted, ours["ratios"][peer], most / ours["flops_per_epoch"],
                )  # fmt: skip
    for peer in ("jax-vmap", "torch-vmap"):
        ratios = {
            size: max(
                row["ratios"][peer]
                for row in measured["rows"]
                if row["engine"] in OURS and (row["width"], row["replicas"]) == size
            )
            for size in {
                (row["width"], row["replicas"]) for row in measured["rows"] if row["engine"] == peer
            }
        }
        if ratios:
            width, replicas = min(ratios, key=ratios.get)
            where = f"{peer}, closest at width {width}, {_count(replicas)}"
            line("times the ensemble, at every size", where, 1.0, min(ratios.values()), None)
    for replicas in (1, 8):
        shares = [
            rows[name, 512, replicas]["fraction_of_ceiling"]
            for name in OURS
            if (name, 512, replicas) in rows
        ]
        if shares:
            aim = f"share of the ceiling, width 512, {_count(replicas)}"
            line(aim, "", 0.6, max(shares), 1.0)
    if memory is not None:
        held = max(
            row["peak_memory_bytes_with_statistics"] or row["peak_memory_bytes"]
            for row in memory["rows"]
            if row["engine"] in OURS and (row["width"], row["replicas"]) == (512, 8)
        )
        lines.append(
            {
                "aim": "GiB of memory at most, HASYv2, width 512, 8 replicas", "against": "",
                "wanted": 4.0, "measured": held / _GIBIBYTE, "possible": None,
                "reached": held < 4 * _GIBIBYTE,
            }
        )  # fmt: skip
    return pd.DataFrame(lines)


def circumstances(measured: dict[str, Any]) -> str:
    """Lines of text: when, on what and with what it was measured, the ceiling, what is missing."""
    trained = " and ".join(dict.fromkeys(dataset_name(row["dataset"]) for row in measured["rows"]))
    versions = ", ".join(f"{name} {number}" for name, number in measured["versions"].items())
    lines = [
        f"Measured {measured['measured'][:16]} on {measured['device']}, {trained}, code version "
        f"{measured['code_version']}; {versions}."
    ]
    if square := measured["ceiling"]["square"]:
        rate = f"{square / 1e12:.1f} TFLOP/s" if square >= 1e12 else f"{square / 1e9:.0f} GFLOP/s"
        lines.append(f"Ceiling: {rate} in float32, the best big square matrix product.")
    for each in measured["skipped"]:
        where = f" at width {each['width']} x{each['replicas']}" if "width" in each else ""
        lines.append(f"Not measured: {each['engine']}{where}: {each['reason']}")
    return "\n".join(lines)


def as_text(table: pd.DataFrame) -> str:
    """The table for a terminal: three significant digits."""
    return table.to_string(index=False, na_rep="-", float_format=lambda value: f"{value:.3g}")


def report(measured: dict[str, Any]) -> str:
    """All of it for a terminal, from the JSON of `repro bench`."""
    rows = measured["rows"]
    parts = [as_text(benchmark_table(rows))]
    if measured.get("growth"):
        parts.append(as_text(growth_table(measured["growth"])))
    about = [circumstances(measured)]
    if any(not row["same_work"] for row in rows):
        about.append("Rows marked NO came to another loss than the others: not the same work.")
    return "\n\n".join([*parts, "\n".join(about)])


def benchmark_figure(rows: Rows) -> PageFigure:
    """Seconds per epoch and replica, and the fraction of the ceiling, against the width.

    Parameters
    ----------
    rows:
        As in the JSON of `repro bench`. A column of panels for each number of replicas.
    """
    counts = sorted({row["replicas"] for row in rows})
    names = [name for name in LOOKS if any(row["engine"] == name for row in rows)]
    with styled():
        figure = new_figure(3.3 * len(counts) + 0.6, 4.8)
        panels = figure.subplots(2, len(counts), sharex=True, sharey="row", squeeze=False)
        for column, count in enumerate(counts):
            for name in names:
                chosen = sorted(
                    (row for row in rows if (row["replicas"], row["engine"]) == (count, name)),
                    key=lambda row: row["width"],
                )
                widths = [row["width"] for row in chosen]
                look = {"label": name, "markersize": 4, **LOOKS[name]}
                seconds = [row["seconds_per_epoch_and_replica"] for row in chosen]
                panels[0, column].plot(widths, seconds, **look)
                fractions = [_percent(row["fraction_of_ceiling"]) for row in chosen]
                panels[1, column].plot(widths, fractions, **look)
            panel_label(panels[0, column], "abcdefgh"[column], _count(count))
            panels[0, column].set(xscale="log", yscale="log")
            panels[1, column].set(xscale="log", xlabel="width")
            _widths_axis(panels[1, column], sorted({row["width"] for row in rows}))
        # Once all panels, which share it, have their lines.
        highest = max((row["fraction_of_ceiling"] or 0.0 for row in rows), default=0.0)
        panels[1, 0].set_ylim(0, 105 * (highest or 1.0))
        panels[0, 0].set_ylabel("seconds per epoch and replica")
        panels[1, 0].set_ylabel("% of the matrix-product ceiling")
        # Below: no corner is free of lines on every machine.
        handles = panels[0, 0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=3)
    ours = [row for row in rows if row["engine"] == OURS[0]]
    told = ", ".join(
        f"{row['seconds_per_epoch_and_replica']:.3g} at width {row['width']}, "
        f"{_count(row['replicas'])}"
        for row in ours
    )
    return figure.described(
        "speed",
        "Seconds per epoch and replica (above), and the share of the matrix-product ceiling that "
        "is reached (below), against the width.",
        f"Lines against the width, a line an engine. Seconds per epoch and replica of {OURS[0]}: "
        f"{told}.",
    )


def growth_figure(rows: Rows) -> PageFigure:
    """Seconds per epoch and peak memory against width, replicas and epochs."""
    labels = {
        "width": "width, one replica",
        "replicas": "replicas",
        "epochs": "epochs trained",
    }
    with styled():
        figure = new_figure(7.6, 4.4)
        panels = figure.subplots(2, 3, sharex="col", sharey="row")
        for column, (along, label) in enumerate(labels.items()):
            chosen = [row for row in rows if row["along"] == along]
            sizes = [row[along] for row in chosen]
            look = {"markersize": 4, **LOOKS["repro-tensorflow"]}
            panels[0, column].plot(sizes, [row["seconds_per_epoch"] for row in chosen], **look)
            memory = [row["peak_memory_bytes"] / _GIBIBYTE for row in chosen]
            panels[1, column].plot(sizes, memory, **look)
            panels[0, column].set(xscale="log", yscale="log")
            panels[1, column].set(xlabel=label)
            panel_label(panels[0, column], "abc"[column])
            _widths_axis(panels[1, column], sizes)
        panels[1, 0].set_ylim(0, 1.1 * max(row["peak_memory_bytes"] for row in rows) / _GIBIBYTE)
        panels[0, 0].set_ylabel("seconds per epoch")
        panels[1, 0].set_ylabel("peak memory (GiB)")
    return figure.described(
        "growth",
        "Seconds per epoch (above) and peak memory (below) of this package's engine against (a) "
        "the width, (b) the number of replicas and (c) the epochs trained.",
        "Six panels of lines: time and memory against width, replicas and epochs.",
    )


def _count(replicas: int) -> str:
    return "one replica" if replicas == 1 else f"{replicas} replicas"


def _percent(fraction: float | None) -> float:
    return float("nan") if fraction is None else 100 * fraction


def _widths_axis(axes: Any, values: Sequence[int]) -> None:
    axes.set_xticks(values, [f"{value:g}" for value in values])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
