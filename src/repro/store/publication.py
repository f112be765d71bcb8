"""From a store to the published results: what is kept, and with how many digits.

Published files are committed, so they must be small. The first replica of a baseline, marked or
not, is the one that is pictured: of its matrices those are kept that Figure 1 pictures at some
width, that of epoch 25, by which the letter has faded most of the way, and the last. Of all others
matrices and histograms are kept at the last epoch alone, and of joint counts and quantiles those of
the layer that the claims are judged on (the others are zero or NaN). Of what is no baseline that
holds for every statistic, and runs shorter than the paper's have no histograms at all.
"""

from pathlib import Path

import numpy as np
import xarray as xr

from repro import paper
from repro.errors import DamagedFile
from repro.model.deviation import STATISTICS
from repro.model.network import JUDGED_LAYER as LAYER
from repro.store.run_file import Run
from repro.store.store import Store

_BITS = {**dict.fromkeys(STATISTICS, 12), "deviation_quantiles": 8, "matrix": 6}  # of mantissa
_MATRIX_EPOCHS = sorted({25}.union(*paper.MATRIX_EPOCHS.values()))


def publish(source: Store, target: Store, minimum_epochs: int, unfinished: bool) -> list[Path]:
    """Copy the source's runs of at least ``minimum_epochs`` into the target; the paths written.

    With ``unfinished``, shorter runs too, with the state to continue them. A run that the target
    has for as many epochs is left as it is. Raises DamagedFile where the target's file is damaged;
    and at the end, with all else copied, where the source's is.
    """
    written: list[Path] = []
    problems: list[DamagedFile] = []
    for run in source.runs(problems.append):
        complete = run.epochs >= minimum_epochs
        there = target.find(run.experiment, run.replica)
        if not (complete or unfinished) or (there is not None and there.epochs >= run.epochs):
            continue
        dataset, state = source.load_checkpoint(run)
        for name in _BITS.keys() & dataset.keys():
            values = rounded(dataset[name].values, _BITS[name])
            dataset[name] = dataset[name].copy(data=values)
        kept = (_shown(dataset, run), None) if complete else (dataset, state)
        written.append(target.save(*kept))
    if problems:
        raise DamagedFile(
            f"Published {len(written)} runs, but not what is damaged "
            f"({'; '.join(each.problem for each in problems)})",
            "move it away, or train it again",
        )
    return written


def _shown(dataset: xr.Dataset, run: Run) -> xr.Dataset:
    """A complete run with the epochs and layers of its statistics and matrices that are kept."""
    # Trained as the paper has it, marked or not, from whatever seed.
    baseline = not set(run.experiment.unusual) - {"mark", "seed"}
    if baseline and run.replica == 0:
        kept = dataset.isel(joint_epoch=[-1])
        if "matrix" in kept:
            epochs = kept["matrix_epoch"]
            kept = kept.isel(matrix_epoch=epochs.isin(_MATRIX_EPOCHS) | (epochs == epochs[-1]))
        return kept
    at_last = {name: [-1] for name in ("joint_epoch", "histogram_epoch", "matrix_epoch")}
    kept = dataset.isel(at_last, missing_dims="ignore")
    empty = {"joint_histogram": np.uint32(0), "deviation_quantiles": np.float32("nan")}
    if not baseline:
        empty |= dict.fromkeys(STATISTICS, np.float32("nan"))
        if run.epochs < paper.EPOCHS:  # which no claim is judged on
            kept = kept.drop_dims(("histogram_epoch", "bin_edge"), errors="ignore")
    judged = kept["layer"] == LAYER
    if not judged.any():  # one hidden layer
        return kept
    return kept.assign(
        {name: kept[name].where(judged, value) for name, value in empty.items() if name in kept}
    )


def rounded(values: np.ndarray, bits: int) -> np.ndarray:
    """Float32 values rounded to so many bits of mantissa, so that they compress; NaN stays NaN."""
    drop = 23 - bits
    whole = np.ascontiguousarray(values).view(np.uint32)
    half = np.uint32((1 << (drop - 1)) - 1) + ((whole >> np.uint32(drop)) & np.uint32(1))
    mask = np.uint32(0xFFFFFFFF << drop & 0xFFFFFFFF)
    return np.where(np.isfinite(values), ((whole + half) & mask).view(np.float32), values)
