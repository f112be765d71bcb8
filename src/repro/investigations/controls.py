"""Control runs: the baseline with one thing changed, and their outcomes.

A **control** changes the loss, the pixels or the learning rate, and nothing else; its **reference**
is the baseline of the same width. The rule was written before any control had been trained to its
reference's divergence:

- both diverge: the control *diverges too*.
- only the reference diverges, and the control has gone on for as long as a plateau must last beyond
  that: it *has not diverged*, or, where its loss ends as far above its minimum as a plateau must be
  (`repro.analysis.regimes`), it *is climbing*, which is no answer.
- the control diverges and the reference does not, in as many epochs: the control *diverges alone*.
- neither diverges in the paper's thousand epochs: *neither diverges*, which tells nothing.
- otherwise the runs are *too short to say*, or there is *nothing to compare with*.
"""

import os
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.lines import Line2D

from repro import paper
from repro.analysis import regimes
from repro.analysis.captions import epochs_of, in_words, replica_of
from repro.experiment import Experiment
from repro.figures import style
from repro.store.record import experiment_of
from repro.training.grid import read_plan
from repro.training.schedule import merged

CHANGES = ("loss", "pixels", "learning_rate")


class Control(NamedTuple):
    """A single run of a control, or of a reference (``changed`` is empty), beside its reference."""

    experiment: Experiment
    changed: str
    run: xr.Dataset | None
    reference: xr.Dataset | None


def gather(
    plan: str | os.PathLike, runs: Sequence[xr.Dataset], dataset: str = paper.DATASET
) -> list[Control]:
    """The controls that a plan wants, by width; of a reference the first of the longest runs."""
    experiments = [one for one, _ in merged(read_plan(plan))
                   if one.dataset == dataset and one.epochs >= paper.EPOCHS]  # fmt: skip
    by_digest: dict[str, list[xr.Dataset]] = {}
    for run in runs:
        by_digest.setdefault(experiment_of(run).digest, []).append(run)
    found = []
    for plain in sorted((one for one in experiments if not one.unusual), key=lambda one: one.width):
        alike = [one for one in experiments if one.width == plain.width and _changed(one)]
        reference = max(by_digest.get(plain.digest, []), key=epochs_of, default=None)
        found += [Control(plain, "", reference, reference)] if alike else []
        found += [Control(one, _changed(one), run, reference)
                  for one in alike for run in by_digest.get(one.digest, [None])]  # fmt: skip
    return found


def outcome(run: xr.Dataset, against: xr.Dataset | None) -> str:
    """The outcome of a control's run beside its reference, by this module's rule."""
    if against is None:
        return "nothing to compare with"
    mine, theirs = (regimes.divergence_epoch(one["train_loss"][0]) for one in (run, against))
    if mine is not None and theirs is not None:
        return "diverges too"
    if mine is not None:
        answer, long = "diverges alone", epochs_of(against) >= mine + regimes.PLATEAU_EPOCHS
    elif theirs is not None:
        answer, long = "has not diverged", epochs_of(run) >= theirs + regimes.PLATEAU_EPOCHS
    else:
        answer, long = "neither diverges", min(map(epochs_of, (run, against))) >= paper.EPOCHS
    if not long:
        return "too short to say"
    climbing = mine is None and regimes.ends_far_above_minimum(run["train_loss"][0])
    return "is climbing" if climbing else answer


def table(controls: Sequence[Control]) -> pd.DataFrame:
    """A row a run: training losses in nats, the share ``dead`` at the end, and its `outcome`."""
    columns = ["width", "run", "replica", "epochs", "minimum", "minimum_at", "end", "dead",
               "diverged", "outcome"]  # fmt: skip
    rows = []
    for experiment, changed, run, reference in controls:
        if run is not None:
            found, last = regimes.summary(run).isel(replica=0), run.isel(replica=0, epoch=-1)
            rows.append((
                experiment.width, label(experiment), replica_of(run), epochs_of(run),
                float(found["minimum_train_loss"]), int(found["epoch_of_minimum_train_loss"]),
                float(last["train_loss"]), float(last["dead_fraction"]),
                float(found["divergence_epoch"]), outcome(run, reference) if changed else "",
            ))  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def curves(controls: Sequence[Control]) -> pd.DataFrame:
    """The training loss of the runs of `table`: `style.curves_of`, ``changed`` and ``label``."""
    there = [one for one in controls if one.run is not None]
    names = [(one.changed, label(one.experiment)) for one in there]
    frame = pd.DataFrame(names, columns=["changed", "label"])
    return style.curves_of([one.run for one in there], "train_loss").join(frame, on="run")


@style.styled()
def controls_figure(curves: pd.DataFrame) -> style.PageFigure:
    """Training loss of the controls (`curves`), a panel a change, beside the baseline."""
    if curves.empty:
        return style.nothing_to_draw("no control run")
    widths, names = sorted(curves["width"].unique()), list(dict.fromkeys(curves["label"]))
    colours = dict(zip(names, sns.color_palette("colorblind"), strict=False))
    colours["baseline"] = style.BASELINE
    figure, panels = style.panels(
        1.3 + 1.5 * len(widths), len(widths), len(CHANGES), sharex=True, sharey=True
    )
    cells = [(width, change) for width in widths for change in CHANGES]
    for axes, letter, (width, change) in zip(panels.flat, style.LETTERS, cells, strict=False):
        here = curves[(curves["width"] == width) & curves["changed"].isin(("", change))]
        sns.lineplot(
            here, x="epoch", y="train_loss", hue="label", palette=colours, units="run",
            estimator=None, linewidth=1.1, legend=False, ax=axes,
        )  # fmt: skip
        axes.set(ylabel=f"$N$ = {width}\ntraining loss")
        style.panel_label(axes, letter, change.replace("_", " "))
    style.plain_log_axis(panels[0, 0].yaxis)
    handles = [Line2D([], [], color=colours[name], label=name) for name in names]
    figure.legend(handles=handles, loc="outside lower center", ncols=5)
    return figure


def label(experiment: Experiment) -> str:
    """What is changed of the baseline, such as ``exact loss``; ``baseline`` where nothing is."""
    return in_words(experiment.unusual) or "baseline"


def _changed(experiment: Experiment) -> str:
    """Which one of CHANGES an experiment changes; empty where none, or something else too."""
    unusual = list(experiment.unusual)
    return unusual[0] if len(unusual) == 1 and unusual[0] in CHANGES else ""
