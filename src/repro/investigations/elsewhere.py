"""Does it hold elsewhere: other initializers, optimizers, depths, and MNIST whose paper is 1.

Predictions and rules, written on 2026-11-28 before the runs of `sweeps/elsewhere.yml`. Statistics
are of the first hidden-to-hidden matrix after 200 epochs, means over three replicas. A prediction
*held* where all it says is so, is *refuted* where none of it is, and *partly* held otherwise.

- **initializer**: (1) He, whose matrix starts sqrt(2) times wider, needs the same deviation (within
  25 % of Glorot uniform's) and so keeps a higher correlation, at every width; (2) uniform and
  normal correlations differ by less than 0.02; (3) LeCun normal draws Glorot normal's very hidden
  matrix, and ends within 0.03 of its correlation; (4) the exponent of *wider moves less* is between
  -1.2 and -0.8 for each, and (5) the outward slope of *large moves more* above 0.02.
- **optimizer**, at the rate with the lowest training loss after 20 epochs at N = 128: (6) momentum
  ends within 0.05 of SGD's correlation; (7) Adam, which scales the steps of each weight, moves
  further and ends less correlated than SGD at every width; (8) its exponent is negative and nearer
  to zero than SGD's; (9) its outward slope is smaller than SGD's.
- **depth**: (10) from two to four hidden layers, which share the change, the deviation falls and
  the correlation rises, with (11) outward slopes above 0.02.
- **pixels**: our explanation of HASYv2 (large mean inputs make large steps, steps make dead
  samples, which the clipped loss never pulls back) predicts by the **step size**, learning rate
  times the mean squared length of a training image: HASYv2 with paper 1 at rate 0.1 has 85 and is
  untrainable from N = 100 to 275. (12) No cell below 85 diverges from a low loss: none as archived
  (MNIST 4 to 26, Fashion-MNIST 8 to 49), none inverted at 0.05 and 0.1 (MNIST 33 and 67, of which
  0.1 had been seen to epoch 500; Fashion-MNIST 25 and 50). (13) At 0.2 and 0.3 inverted (133 and
  200; 99 and 149) each dataset has a width from 25 up that diverges from a low loss to a plateau
  that dead samples explain (their share times -ln epsilon within 10 % of the training loss).
- **silent**: a run that ends within 1 % of ln(classes), whose units answer nothing; at 0.3 and
  N = 50 and 100 that had been seen on MNIST. It counts neither for (12) nor for (13).
- **replication** (`measurements/softmax_twice.py`): (14) with the softmax twice and PyTorch's outer
  layers every printed correlation is met to 0.01 or to the range of three seeds, and (15) with the
  softmax once correlations are lower at every epoch from 10: a second softmax flattens gradients.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from repro.analysis import evidence, regimes
from repro.analysis.captions import epochs_of, setting, width_of
from repro.claims import large, wider
from repro.data.datasets import shape
from repro.experiment import INITIALIZERS, Experiment
from repro.investigations.choices import found
from repro.model.network import JUDGED_LAYER as LAYER
from repro.store.record import cut

DATASET, ONE_WIDTH, EARLY = "mnist", 128, 20
GRID = {"sgd": (0.03, 0.1, 0.3, 1.0), "momentum": (0.003, 0.01, 0.03, 0.1),
        "adam": (0.0003, 0.001, 0.003, 0.01)}  # fmt: skip


def runs(changes: dict, widths: Sequence[int], epochs: int, store: str | None = None) -> list:
    """Every run with these changes, cut to so many epochs, which it has; ``store`` as `found`'s."""
    wanted = [Experiment(**{"dataset": DATASET} | changes, width=n, epochs=epochs) for n in widths]
    there = [run for each in wanted for run in found(each, store) if epochs_of(run) >= epochs]
    return [cut(run, epochs) for run in there]


def rates(store: str | None = None) -> pd.DataFrame:
    """The training loss after `EARLY` epochs on `GRID`, a row each, from the lowest."""
    tried = [{"optimizer": name, "learning_rate": rate} for name in GRID for rate in GRID[name]]
    there = [(each, run) for each in tried for run in runs(each, [ONE_WIDTH], EARLY, store)[:1]]
    rows = [(*each.values(), float(run["train_loss"][0, -1])) for each, run in there]
    frame = pd.DataFrame(rows, columns=["optimizer", "learning_rate", "train_loss"])
    return frame.sort_values("train_loss", ignore_index=True)


def variations(tried: pd.DataFrame) -> dict[str, dict]:
    """What each variation changes, by name; optimizers at the best of the `rates`."""
    best = tried.drop_duplicates("optimizer").drop(columns="train_loss").to_dict("records")
    named = {name: {"initializer": name} for name in INITIALIZERS}
    named |= {each["optimizer"]: each for each in best}
    return named | {f"{number} hidden": {"hidden_layers": number} for number in (1, 3, 4)}


def statistics(run: xr.Dataset) -> dict[str, float]:
    """Of a run at its end; without hidden-to-hidden weights, or their joint counts, not all.

    The outermost bins of w_i, where all lies that another initializer draws beyond, are left out.
    """
    row = {"train_loss": float(run["train_loss"][0, -1])}
    if LAYER not in run["layer"]:
        return row
    row["deviation"] = float(evidence.of_layer(run, "deviation_std")[-1])
    row["correlation"] = float(evidence.of_layer(run, "weight_correlation")[-1])
    if large.has_final_counts(run):
        counts = run["joint_histogram"].sel(layer=LAYER)[0, -1, 1:-1]
        moved = large.updates(counts, run["initial_edge"][1:-1], run["final_edge"])
        for name in ("outward", "size"):
            row[name] = large.slope(moved.initial, getattr(moved, name), moved.weights)
    return row


def exponent(there: Sequence[xr.Dataset]) -> float:
    """Of the deviation against width, at the losses that enough widths reach; NaN for none."""
    if not (losses := wider.losses_reached(there)):
        return np.nan
    table = [[wider.deviation_at(run, share) for share in losses] for run in there]
    return wider.exponent([width_of(run) for run in there], table, range(len(losses)))


def cell(run: xr.Dataset) -> dict:
    """A run in the phase diagram; ``explained``, what dead samples cost as a share of its end."""
    loss = run["train_loss"][0].to_numpy().astype(float)
    end, dead = np.median(loss[-regimes.PLATEAU_EPOCHS :]), float(run["dead_fraction"][0, -1])
    silent = abs(end / np.log(shape(setting(run, "dataset"))[1]) - 1) < 0.01
    row = {"width": width_of(run), "rate": setting(run, "learning_rate"), "minimum": loss.min()}
    row |= {"end": end, "dead": dead, "explained": -dead * np.log(setting(run, "epsilon")) / end}
    return row | {"regime": "silent" if silent else evidence.regime_of(run)}
