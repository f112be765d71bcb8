"""What the page on untrainability says of the runs there are: every number and answer computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from repro.analysis.captions import epochs_of, setting
from repro.book.prose import Prose
from repro.investigations import controls as control_runs
from repro.investigations import plateau, stability
from repro.investigations.controls import Control
from repro.investigations.plateau import Counts
from repro.investigations.sharpness_record import SharpnessRecord


def plateau_words(runs: Sequence[xr.Dataset], counts: Counts) -> Prose:
    """What the plateaus are made of, over all runs that have one; then run by run."""
    shown = plateau.on_plateau(runs)
    if not shown:
        return Prose("No run with the clipped loss has reached a plateau yet.")
    found = [plateau.plateau(run) for run in shown]
    rest = _cost_of_living(shown)
    apart = [abs(1 - one.train_accuracy - one.dead_fraction) for one in found]
    living = "the living cost nothing" if rest < NOTHING else "the rest is what the living cost"
    wrong = "whatever is wrong is dead" if max(apart) < NOTHING else "some are wrong and alive"
    lines = [
        f"{_number(len(shown), 'run')} with the clipped loss {_is(len(shown))} on a plateau. On "
        "the training set its height is -ln ε times the dead fraction to within "
        f"{rest:.1g} nat: {living}. The shares dead and misclassified are the same to within "
        f"{max(apart):.1g}: {wrong}.",
        "",
    ]
    return Prose("\n".join([*lines, *(f"- {one_answer(run, counts)}" for run in shown)]))


def one_answer(run: xr.Dataset, counts: Counts) -> str:
    """Whether a run on its plateau gives one answer whatever the input, as far as counts can tell.

    Such a network is right on all images of one class and on no others, so that the numbers right
    in training and test set are a class's own.
    """
    found = plateau.plateau(run)
    fits = plateau.classes_that_fit(run, counts)
    name = plateau.name_of(run)
    if found.at_rest_since >= epochs_of(run):
        return f"{name}: it is not at rest, samples still change sides."
    since = (
        f"From epoch {found.at_rest_since} to {epochs_of(run)} the numbers of samples right and "
        "dead do not change by one."
    )
    if fits is None:
        return f"{name}: {found.train_accuracy:.3g} of the training set is right. {since}"
    sets = [(which, plateau.class_counts(run, counts, which)) for which in ("train", "test")]
    right = {which: getattr(found, f"{which}_accuracy") * images.sum() for which, images in sets}
    told = f"{name}: {right['train']:.0f} training and {right['test']:.0f} test images are right."
    largest = int(sets[0][1].max())
    if len(fits) == 1:
        answer = f"Class {fits[0]} has just as many of both: it is the one answer."
    elif fits:
        answer = f"{len(fits)} classes have just as many of both: one of them is the one answer."
    elif right["train"] > largest:
        answer = (
            f"The most frequent class has {largest} training images: it still gives more than one "
            "answer."
        )
    else:
        answer = "No class has just as many of both: it still gives more than one answer."
    return f"{told} {answer} {since}"


def climb_words(runs: Sequence[xr.Dataset]) -> Prose:
    """How dead samples and loss rise together, run by run."""
    lines = []
    for run in plateau.on_plateau(runs):
        found = plateau.climb(run)
        if found is None:
            continue
        half = (
            "dead samples never carry half of the loss"
            if found.half is None
            else f"dead samples carry at least half of the loss from epoch {found.half} on, when "
            f"they are {found.dead_at_half:.2%} of the training set"
        )
        lines.append(
            f"- {plateau.name_of(run)}: {found.dead_at_minimum:.2%} dead at the lowest train loss, "
            f"{found.dead_at_start:.2%} when the loss leaves twice its minimum for good at epoch "
            f"{found.crossing.start}; {half}. The plateau begins at epoch {found.crossing.end}."
        )
    return Prose("\n".join(lines) or "There is no climb to tell of.")


def control_words(controls: Sequence[Control]) -> Prose:
    """Every control run beside its reference, a line each, by the rule of `repro.investigations.controls`."""
    lines = [
        f"- {_held_against(run, control, controls)}"
        for control in controls
        if control.changed is not None
        for run in control.runs
    ]
    return Prose("\n".join(lines) or "No control run has been published yet.")


def input_words(facts: Mapping[str, Any] | None) -> Prose:
    """How far a step moves the first layer under either way round of the pixels.

    ``facts`` of a dataset of black and white images (`dataset_facts.published`), if there are any:
    of such an image the squared norm is the number of its pixels that are on.
    """
    if facts is None:
        return Prose("How many pixels are on has not been published here.")
    pixels, mean = facts["pixels"], facts["mean_pixel"]
    on, off = mean * pixels, (1 - mean) * pixels
    return Prose(
        f"Of the {pixels} pixels of an image {on:.0f} are on as archived, on average, and "
        f"{off:.0f} inverted: the same learning rate moves what a hidden unit receives "
        f"{on / off:.1f} times as far with the pixels as archived."
    )


def way_words(controls: Sequence[Control]) -> Prose:
    """How far each run of another learning rate has come, in epochs of its reference."""
    lines = []
    for control in controls:
        for run in control.runs if control.changed == "learning_rate" else ():
            against = control_runs.reference(control, controls)
            rate = float(setting(run, "learning_rate"))
            if against is not None:
                usual = float(setting(against, "learning_rate"))
                lines.append(
                    f"- {control_runs.name_of(run)}: as far as {epochs_of(run) * rate / usual:.0f} "
                    "epochs of the reference."
                )
    return Prose("\n".join(lines) or "There is no run of another learning rate yet.")


def stability_words(records: Sequence[SharpnessRecord]) -> Prose:
    """What each record says of the edge, and how far its run is the published one."""
    lines = []
    for record in records:
        found = stability.stability(record)
        last = record.experiment.epochs
        if found.spike is None:
            spike = f"it has no spike by epoch {last}"
        elif np.isnan(found.before):
            spike = f"its first spike is at epoch {found.spike}; no measurement lies just before it"
        else:
            spike = (
                f"its first spike is at epoch {found.spike}; in the {stability.EPOCHS_BEFORE} "
                f"epochs before, the sharpness is {found.before:.3g} (median of {found.measured}), "
                f"{found.before / found.edge:.2f} of 2/r = {found.edge:.3g}: **{found.answer}**"
                f"{_either_side(found)}"
            )
        above = (
            f"above 2/r after {_number(len(found.above), 'epoch')} of "
            f"{len(record.measurements)} measured ({_listed(found.above)})"
            if found.above
            else f"never above 2/r in {len(record.measurements)} measurements"
        )
        lines.append(
            f"- {stability.name_of(record)}: {spike}. It is {above}; the highest is "
            f"{found.highest:.3g}, at epoch {found.highest_epoch}. {_same_run(record)}"
        )
    return Prose("\n".join(lines) or "No sharpness has been measured yet.")


def conclusions(
    controls: Sequence[Control],
    runs: Sequence[xr.Dataset],
    counts: Counts,
    records: Sequence[SharpnessRecord],
) -> Prose:
    """What the runs there are let us conclude: a line for each question that has an answer."""
    lines = []
    shown = plateau.on_plateau(runs)
    if shown and _cost_of_living(shown) < NOTHING:
        lines.append(
            "**The plateau is a loss of gradient.** Its height is what the dead samples cost: all "
            "that is wrong is dead and pulls on no weight, what is right costs nothing, and so "
            "nothing leads back." + _beside_constant(shown, counts)
        )
    elif shown:
        lines.append(
            "**The plateau.** Not all of its height is what the dead samples cost: some of those "
            "alive still pull on the weights." + _beside_constant(shown, counts)
        )
    for change, title in (
        ("loss", "The loss"),
        ("pixels", "The pixels"),
        ("learning_rate", "The learning rate"),
    ):
        told = [
            f"{control_runs.name_of(run)} {answer}{_epochs_of_both(run, control, controls)}"
            for control in controls
            if control.changed == change
            for run in control.runs
            if (answer := _answer(run, control, controls)) in ANSWERS
        ]
        if told:
            lines.append(f"**{title}.** {'; '.join(told)}.")
    edges = [(record, stability.stability(record)) for record in records]
    told = [
        f"{stability.name_of(record)} is, by the rule, {found.answer} "
        f"({found.before / found.edge:.2f} of 2/r){_either_side(found)}"
        for record, found in edges
        if found.answer != "no answer"
    ]
    if told:
        lines.append(f"**Sharpness before the first spike.** {'; '.join(told)}.")
    return Prose("\n".join(f"- {line}" for line in lines) or "Nothing yet: the runs are missing.")


def limits(controls: Sequence[Control], records: Sequence[SharpnessRecord]) -> Prose:
    """What the runs there are do not let us conclude."""
    number = [len(control.runs) for control in controls if control.changed is not None]
    undecided = [
        control_runs.name_of(run)
        for control in controls
        if control.changed is not None
        for run in control.runs
        if _answer(run, control, controls) not in ANSWERS
    ]
    absent = sum(not control.runs for control in controls if control.changed is not None)
    there = (
        f"Of {_number(len(number), 'control')} wanted {absent} {_is(absent)} without any run, and"
        if absent
        else "Every control that is wanted has a run, but"
    )
    lines = [
        f"{there} none has more than {_number(max(1, *number, 0), 'replica')}: that another draw "
        "of the initial weights would do the same is not shown.",
    ]
    if undecided:
        lines.append(f"Too short, or without a reference that diverges: {'; '.join(undecided)}.")
    lines.append(
        "That dead samples hold a network on its plateau does not say what first drives it there: "
        "dead samples and loss rise in the same epochs, and one epoch is the finest that is kept."
    )
    if records:
        images = ", ".join(dict.fromkeys(str(record.sample_size) for record in records))
        lines.append(
            f"The sharpness is that of the mean loss over {images} training images; that of the "
            "whole set may differ, and that of a batch of 128, along which each step goes, is "
            "larger and changes from step to step. 2/r is the edge for steps along the gradient "
            "of the whole set; stochastic steps may spike below it."
        )
    return Prose("\n".join(f"- {line}" for line in lines))


NOTHING = 0.005
"""Nats, or a share of the samples, too little to be told from nothing on the page."""

ANSWERS = ("diverges too", "diverges alone", "has not diverged")
"""The outcomes of `controls.outcome` that say something."""


def _answer(run: xr.Dataset, control: Control, controls: Sequence[Control]) -> str:
    return control_runs.outcome(run, control_runs.reference(control, controls))


def _held_against(run: xr.Dataset, control: Control, controls: Sequence[Control]) -> str:
    one = run.isel(replica=0)
    text = f"{control_runs.name_of(run)}: **{_answer(run, control, controls)}**"
    text += _epochs_of_both(run, control, controls)
    lowest, end = float(one["train_loss"].min()), float(one["train_loss"][-1])
    return (
        f"{text}. Train loss {lowest:.3g} at its lowest and {end:.3g} at the end, "
        f"{end / lowest:.1f} times as much, with {float(one['dead_fraction'][-1]):.2%} of the "
        "samples dead."
    )


def _epochs_of_both(run: xr.Dataset, control: Control, controls: Sequence[Control]) -> str:
    """The divergence epochs of a control and its reference, in brackets; nothing where none."""
    against = control_runs.reference(control, controls)
    mine = control_runs.divergence(run)
    theirs = None if against is None else control_runs.divergence(against)
    marked = against is not None and setting(against, "mark") is not None
    told = [] if mine is None else [f"at epoch {mine}"]
    if theirs is not None:
        told.append(f"the reference{', which is marked,' if marked else ''} at epoch {theirs}")
    return f" ({'; '.join(told)})" if told else ""


def _cost_of_living(runs: Sequence[xr.Dataset]) -> float:
    """The largest part of a plateau's train loss, in nats, that dead samples do not explain."""
    rest = []
    for run in runs:
        found = plateau.plateau(run)
        rest.append(abs(found.train_loss - plateau.cost_of_dead(run) * found.dead_fraction))
    return max(rest)


def _beside_constant(runs: Sequence[xr.Dataset], counts: Counts) -> str:
    """How far the plateaus are from that of the best constant answer, in a sentence."""
    table = plateau.plateau_table(runs, counts)
    chosen = table[table["set"] == "train"].dropna(subset="difference, most frequent class")
    if chosen.empty:
        return ""
    constant = chosen["most frequent class"].iloc[0]
    heights, apart = chosen["measured"], chosen["difference, most frequent class"]
    one = len(chosen) == 1
    told = "the plateau is at" if one else f"the {len(chosen)} plateaus are on average at"
    spread = "" if one else f", the lowest {apart.min():+.2f}, the highest {apart.max():+.2f}"
    return (
        f" The best that one answer for all could do is {constant:.2f} nat, the most frequent "
        f"class; {told} {heights.mean():.2f} ({apart.mean():+.2f}{spread})."
    )


def _either_side(found: stability.Stability) -> str:
    """The measurements next to the spike, which the rule does not ask for."""
    told = []
    if found.last_before is not None:
        epoch, value = found.last_before
        told.append(f"the last measurement before it, at epoch {epoch}, is {value:.3g}")
    if found.first_after is not None:
        epoch, value = found.first_after
        told.append(f"the first from it on, at epoch {epoch}, {value:.3g}")
    return "".join(f"; {one}" for one in told)


def _same_run(record: SharpnessRecord) -> str:
    """How far the run measured is the published one."""
    run = stability.published_run(record)
    if run is None:
        return "No such run is published."
    found = stability.agreement(record, run)
    if found.alike_until == found.epochs:
        return f"Its {found.epochs} epochs are the published run's, bit for bit."
    return (
        f"Its train losses are the published run's to the last bit until epoch "
        f"{found.alike_until}; from there on it rounds otherwise, and they differ by up to "
        f"{found.largest:.1%}."
        if found.alike_until >= 0
        else f"It rounds otherwise than the published run: train losses differ by up to "
        f"{found.largest:.1%}."
    )


def _listed(numbers: Iterable[int], most: int = 8) -> str:
    listed = list(map(str, numbers))
    rest = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {rest} more" if rest > 0 else "")


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
