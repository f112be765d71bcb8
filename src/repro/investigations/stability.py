"""What `measurements/sharpness.py` found of a run, and its edge: where is 2 / learning rate?

On a quadratic bowl gradient descent with learning rate r diverges along every direction whose
curvature is above 2 / r, and networks trained on their whole training set sharpen until they are
there (Cohen et al. 2021, arXiv:2103.00065). The rule was written before the sharpness of any run
had been measured up to its first spike:

- The **first spike** is the first epoch whose worst batch has ``SPIKE_RATIO`` times the loss that
  worst batches had in the ``SPIKE_BEFORE`` epochs before it (their median).
- The sharpness **before the spike** is the median of the measurements in the ``EPOCHS_BEFORE``
  epochs before it: *at the edge* within ``EDGE`` of 2 / r, else *beyond* or *below* it.
"""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from repro import sealed_json
from repro.errors import ReproError
from repro.experiment import Experiment
from repro.figures import style
from repro.investigations.controls import label
from repro.places import published_path

SPIKE_RATIO = 1.5
SPIKE_BEFORE = 10
EPOCHS_BEFORE = 20
EDGE = 0.1

PREFIX = "sharpness-"
COLUMNS = (
    "width", "changed", "replica", "epochs", "measured", "edge", "spike", "before",
    "measured_before", "ratio", "highest", "highest_at", "above", "residual", "answer",
)  # fmt: skip


@dataclass(frozen=True)
class SharpnessRecord:
    """The measurements of one run, and its losses as far as it was trained for them, in nats.

    A measurement has its ``epoch`` (0 is the initial state), the ``sharpness``, its ``residual``
    |Hv - sharpness v| / |sharpness v|, the Hessian-vector ``products`` taken, and the
    ``sample_loss``, the mean over the sample. None where not finite.
    """

    experiment: Experiment
    replica: int
    sample_size: int
    sample_seed: int
    tolerance: float
    train_loss: Sequence[float | None] = ()
    max_batch_loss: Sequence[float | None] = ()
    made: dict[str, Any] | None = None
    measurements: Sequence[dict[str, Any]] = ()

    @property
    def file(self) -> str:
        """The name of its file: what was measured, of which run, on which sample."""
        return (
            f"{PREFIX}{self.experiment.name}-replica-{self.replica:04d}"
            f"-sample-{self.sample_size}-{self.sample_seed}.json"
        )

    def write(self, folder: Path) -> None:
        """Write its file into the folder, over an earlier one. Raises OSError."""
        sealed_json.write(folder / self.file, asdict(self))


def read(path: Path) -> SharpnessRecord:
    """The record in a file. Raises ReproError where the file is not one."""
    content = sealed_json.read(path)
    try:
        return SharpnessRecord(**content | {"experiment": Experiment(**content["experiment"])})
    except (ValueError, KeyError, TypeError) as error:
        raise ReproError(
            f"{path} is no record of a sharpness ({error}): move it away to measure again."
        ) from error


def measured(folder: str | os.PathLike | None = None) -> list[SharpnessRecord]:
    """Every published record, or every one of a folder: the baseline's first."""
    place = published_path() if folder is None else Path(folder)
    records = [read(path) for path in sorted(place.glob(f"{PREFIX}*.json"))]
    return sorted(records, key=lambda one: (
        bool(one.experiment.unusual), one.experiment.dataset, one.experiment.width
    ))  # fmt: skip


def first_spike(max_batch_loss: ArrayLike) -> int | None:
    """The epoch of a run's first spike, by this module's rule, from the loss by epoch."""
    worst = np.asarray(max_batch_loss, dtype=float)
    for epoch in range(SPIKE_BEFORE + 1, len(worst)):
        usual = np.median(worst[epoch - SPIKE_BEFORE : epoch])
        if not worst[epoch] <= SPIKE_RATIO * usual:  # so that not-a-number is a spike
            return epoch
    return None


def series(record: SharpnessRecord) -> pd.Series:
    """The sharpness by epoch, NaN where there was no loss."""
    return pd.Series({one["epoch"]: one["sharpness"] for one in record.measurements}, dtype=float)


def table(records: Sequence[SharpnessRecord]) -> pd.DataFrame:
    """Every record beside its edge, by this module's rule: `COLUMNS`, NaN where none is.

    ``measured``, ``measured_before`` and ``above`` (the edge) are numbers of measurements,
    ``ratio`` is that of the sharpness ``before`` the spike to the edge.
    """
    return pd.DataFrame(map(_row, records), columns=list(COLUMNS))


@style.styled()
def sharpness_figure(record: SharpnessRecord) -> style.PageFigure:
    """One record: (a) its sharpness and the edge, (b) its training loss and its worst batch."""
    row = _row(record)
    figure, [[left, right]] = style.panels(2.8, sharex=True)
    left.plot(series(record), "o-", color=style.TEST, markersize=3, linewidth=1)
    left.axhline(row["edge"], color=style.DIVERGENCE, linestyle="--", linewidth=1)
    place = {"transform": left.get_yaxis_transform(), "ha": "right", "va": "bottom"}
    left.text(1, row["edge"], " 2 / learning rate", fontsize=8, **place)
    for losses, colour, what in (
        (record.max_batch_loss, style.BASELINE, "worst batch"),
        (record.train_loss, style.TRAIN, "training loss"),
    ):
        right.plot(pd.Series(losses, dtype=float)[1:], color=colour, label=what)
    for axes in (left, right) if row["spike"] > 0 else ():
        axes.axvline(row["spike"], color=style.DIVERGENCE, linestyle=":", linewidth=0.9)
    style.plain_log_axis(right.yaxis)
    left.set(ylim=(0, None), xlabel="epoch", ylabel="largest eigenvalue")
    right.set(xlabel="epoch", ylabel="loss")
    right.legend()
    style.panel_label(left, "a", f"$N$ = {record.experiment.width}, {row['changed']}")
    return figure


def _row(record: SharpnessRecord) -> dict[str, Any]:
    experiment, values = record.experiment, series(record)
    edge, spike = 2 / experiment.learning_rate, first_spike(record.max_batch_loss)
    near = values[:0] if spike is None else values.loc[spike - EPOCHS_BEFORE : spike - 1]
    ratio = float(near.median(skipna=False)) / edge
    answer = "no answer"
    if np.isfinite(ratio):
        answer = "beyond the edge" if ratio > 1 + EDGE else "at the edge"
        answer = "below the edge" if ratio < 1 - EDGE else answer
    return {
        "width": experiment.width, "changed": label(experiment), "replica": record.replica,
        "epochs": experiment.epochs, "measured": len(values), "edge": edge,
        "spike": np.nan if spike is None else spike, "before": ratio * edge,
        "measured_before": len(near), "ratio": ratio, "highest": values.max(),
        "highest_at": values.idxmax() if values.notna().any() else np.nan,
        "above": int((values > edge).sum()),
        "residual": max((one["residual"] or 0 for one in record.measurements), default=0.0),
        "answer": answer,
    }  # fmt: skip
