"""The runs that bear on the paper's claims: single replicas, trained as the paper trained.

A claim is judged on runs of the paper's length. Shorter ones are gathered to be drawn and named as
left out. Runs with other settings (exact loss, inverted pixels, ...) are no evidence.
"""

import functools
import os
from collections.abc import Iterable, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from repro import paper
from repro.analysis import regimes
from repro.analysis.captions import epochs_of, replica_of, setting, width_of
from repro.analysis.regimes import Regime
from repro.data.datasets import identified
from repro.model.network import JUDGED_LAYER
from repro.runs import by_width, existing_folder, stored
from repro.store.record import cut

DATASETS = ("hasyv2", "mnist", "fashion-mnist")
"""The paper's three datasets: every claim is judged on each."""


def runs_by_dataset(
    store: str | os.PathLike | None = None, datasets: Sequence[str] | None = None
) -> dict[str, list[xr.Dataset]]:
    """Every run with the paper's settings by dataset, `in_order`, cut to the paper's length.

    Of the published results, or of a folder, which must exist. Where ``datasets`` are named no file
    of another is read; otherwise every file, so that none is damaged unnoticed.
    """
    found: dict[str, list[xr.Dataset]] = {name: [] for name in datasets or DATASETS}
    for name in datasets or [None]:
        for run, results in stored(existing_folder(store), name):
            of_the_paper = run.experiment.unusual.keys() <= {"mark", "seed"}
            if run.experiment.dataset in found and of_the_paper:
                longer = run.epochs > paper.EPOCHS
                results = cut(results, paper.EPOCHS) if longer else results
                found[run.experiment.dataset].append(results)
    return {name: in_order(runs) for name, runs in found.items()}


def asked_for(
    dataset: str,
    widths: Sequence[int] | None = None,
    epochs: int | None = None,
    store: str | os.PathLike | None = None,
) -> list[xr.Dataset]:
    """The runs of one dataset (a name, or the path of an .npz file), as notebooks ask for them.

    Where ``widths`` are named those of `repro.runs.by_width`, trained where they are missing; else
    all that are published or in the ``store``.
    """
    dataset = identified(dataset)
    if widths is None:
        return runs_by_dataset(store, [dataset])[dataset]
    return single_runs(by_width(dataset, widths, epochs, store=store).values())


def single_runs(datasets: Iterable[xr.Dataset]) -> list[xr.Dataset]:
    """Every replica of the given runs by itself, in order."""
    return in_order(
        dataset.isel(replica=[number])
        for dataset in datasets
        for number in range(dataset.sizes["replica"])
    )


def in_order(runs: Iterable[xr.Dataset]) -> list[xr.Dataset]:
    """By width, mark, seed and replica, so that nothing depends on the order of files."""
    return sorted(
        runs,
        key=lambda run: (
            width_of(run), setting(run, "mark") or "", int(setting(run, "seed") or 0),
            replica_of(run),
        ),
    )  # fmt: skip


def complete(runs: Iterable[xr.Dataset]) -> list[xr.Dataset]:
    """The runs of the paper's length: those that count."""
    return [run for run in runs if epochs_of(run) >= paper.EPOCHS]


def short(runs: Iterable[xr.Dataset]) -> list[xr.Dataset]:
    """The runs that ended before the paper's length: drawn and named, never counted."""
    return [run for run in runs if epochs_of(run) < paper.EPOCHS]


def unmarked(runs: Iterable[xr.Dataset]) -> list[xr.Dataset]:
    """The networks without a letter in their weights."""
    return [run for run in runs if setting(run, "mark") is None]


def marked(runs: Iterable[xr.Dataset]) -> list[xr.Dataset]:
    """The networks with a letter in their weights."""
    return [run for run in runs if setting(run, "mark") is not None]


def of_regime(runs: Iterable[xr.Dataset], wanted: Regime) -> list[xr.Dataset]:
    """The runs of one regime (`repro.analysis.regimes`)."""
    return [run for run in runs if regime_of(run) == wanted]


def regime_of(run: xr.Dataset) -> Regime:
    """The regime of a single run."""
    return _regime(run.variables["train_loss"].values[0].astype(np.float32).tobytes())


@functools.lru_cache(maxsize=4096)
def _regime(train_loss: bytes) -> Regime:
    """Of a curve in float32: every figure and claim asks for it again."""
    return regimes.regime(np.frombuffer(train_loss, np.float32))


def of_layer(run: xr.Dataset, variable: str, layer: str = JUDGED_LAYER) -> NDArray[np.floating]:
    """A variable over epoch and layer of a single run, in one layer; shape (epochs + 1,)."""
    number = run.get_index("layer").get_loc(layer)
    return run.variables[variable].values[0, :, number]  # `sel` takes ten times as long


def name_of(run: xr.Dataset) -> str:
    """A run by its name, ``N = 150, replica 0``; with mark, seed and epochs where unusual."""
    mark, seed, epochs = setting(run, "mark"), setting(run, "seed"), epochs_of(run)
    words = [
        f"N = {width_of(run)}",
        f"marked “{mark}”" if mark is not None else "",
        f"replica {replica_of(run)}",
        f"seed {seed}" if seed else "",
        f"{epochs} epochs only" if epochs < paper.EPOCHS else "",
    ]
    return ", ".join(filter(None, words))


def widths_in_words(runs: Iterable[xr.Dataset]) -> str:
    """The runs by width, such as ``4 runs (N = 300, 350: 1 each; N = 500: 2)``."""
    widths = [width_of(run) for run in runs]
    number = f"{len(widths)} run{'' if len(widths) == 1 else 's'}"
    alike: dict[int, list[int]] = {}
    for width in sorted(set(widths)):
        alike.setdefault(widths.count(width), []).append(width)
    counts = "; ".join(
        f"N = {', '.join(map(str, those))}: {count}{' each' if len(those) > 1 else ''}"
        for count, those in alike.items()
    )
    return f"{number} ({counts})" if widths else "no run"
