"""What a figure shows, in words: every page states which runs it draws."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import xarray as xr

from repro.provenance import FROM_EPOCH, THEN, handovers

DATASET_NAMES: Mapping[str, str] = {
    "hasyv2": "HASYv2",
    "mnist": "MNIST",
    "fashion-mnist": "Fashion-MNIST",
    "digits": "digits",
}
LOSS_NAMES: Mapping[str, str] = {"clipped": "clipped loss", "logits": "exact loss"}
# Told only where they are not classes
LABEL_NAMES: Mapping[str, str] = {"symbol-ids": "labels as symbol ids"}

# Told only where they are not the paper's
PAPER_SETTINGS: Mapping[str, Any] = {"learning_rate": 0.1, "batch_size": 128, "epsilon": 1e-7}


def describe_runs(dataset: xr.Dataset) -> str:
    """One line on the runs of one experiment.

    Such as ``HASYv2 (fold-1), N = 150, 1 replica, 1000 epochs, clipped loss, archived pixels,
    seed 0; tensorflow on Xeon; code version 0.1.0``.

    Parameters
    ----------
    dataset:
        A run; its attributes (or, where replicas differ, coordinates along them) are read.

    Returns
    -------
    The line, without a full stop. What the dataset does not tell is left out.
    """
    replicas, epochs = int(dataset.sizes.get("replica", 1)), epochs_of(dataset)
    parts = [
        dataset_label(dataset),
        f"N = {width_of(dataset)}",
        f"{replicas} replica{'' if replicas == 1 else 's'}",
        f"{epochs} epoch{'' if epochs == 1 else 's'}",
    ]
    if loss := setting(dataset, "loss"):
        parts.append(LOSS_NAMES.get(loss, f"{loss} loss"))
    if pixels := setting(dataset, "pixels"):
        parts.append(f"{pixels} pixels")
    if labels := LABEL_NAMES.get(setting(dataset, "labels")):
        parts.append(labels)
    if order := setting(dataset, "order"):
        parts.append(f"order {order}")
    if mark := setting(dataset, "mark"):
        parts.append(f"marked “{mark}”")
    for name, usual in PAPER_SETTINGS.items():
        value = setting(dataset, name)
        if value is not None and value != usual:
            parts.append(f"{name.replace('_', ' ')} {value:g}")
    seed = setting(dataset, "seed")
    if seed is not None:
        parts.append(f"seed {seed}")
    line = ", ".join(parts)
    backend, device = made(dataset, "backend"), made(dataset, "device")
    if backend or device:
        line += "; " + " on ".join(text for text in (backend, device) if text)
    if version := made(dataset, "code_version"):
        line += f"; code version {version}"
    return line


def dataset_label(dataset: xr.Dataset) -> str:
    """The dataset's name as it is written, with its split where it has one."""
    name = setting(dataset, "dataset") or "unknown dataset"
    split = setting(dataset, "split")
    return dataset_name(name) + (f" ({split})" if split else "")


def dataset_name(name: str) -> str:
    """The dataset's name as it is written; one's own data is called as it is."""
    return DATASET_NAMES.get(name, name)


def width_of(dataset: xr.Dataset) -> int:
    """Units in each hidden layer."""
    return int(setting(dataset, "width"))


def epochs_of(dataset: xr.Dataset) -> int:
    """Epochs trained."""
    return int(dataset.variables["epoch"].values.max())  # `dataset[...]` takes ten times as long


def replica_of(run: xr.Dataset) -> int:
    """The number of a single run's replica."""
    return int(run.variables["replica"].values.item())


def setting(dataset: xr.Dataset, name: str) -> Any:
    """One parameter of the experiment, None where it is unset or untold."""
    value = dataset.attrs.get(name)
    if value is None and "experiment" in dataset.attrs:
        value = json.loads(dataset.attrs["experiment"]).get(name)
    if value is None or (isinstance(value, str) and value in ("", "None")):
        return None
    return value.item() if hasattr(value, "item") else value


def made(dataset: xr.Dataset, name: str) -> str:
    """An attribute, or what its replicas have in its place, each once."""
    return " and ".join(dict.fromkeys(_made_each(dataset, name)))


def _made_each(dataset: xr.Dataset, name: str) -> list[str]:
    if name in dataset.coords:
        return [str(value) for value in dataset[name].values.ravel()]
    return [str(dataset.attrs.get(name, ""))]


def making(runs: Sequence[xr.Dataset]) -> dict[str, str]:
    """What made runs, each once and in short: ``backend``, ``device`` and ``commit``."""

    def told(name: str, shortened: Callable[[str], str] = str) -> str:
        return makers_in_words([shortened(one) for run in runs for one in _made_each(run, name)])

    return {
        "backend": told("backend"),
        "device": told("device", short_device),
        "commit": told("code_version", short_version),
    }


def makers_in_words(told: Iterable[str]) -> str:
    """What made runs, each once, of strings as `provenance.continued` makes them.

    Runs that were continued by the same at different epochs are told together: ``A; B, then C from
    an epoch between 94 and 210``.
    """
    alike: dict[tuple[str, ...], list[tuple[int, ...]]] = {}
    for one in told:
        names, epochs = handovers(one)
        alike.setdefault(names, []).append(epochs)
    words = [
        THEN.join([first, *map(_continued_at, later, zip(*epochs, strict=True))])
        for (first, *later), epochs in alike.items()
    ]
    return ("; " if any(THEN in each for each in words) else " and ").join(words)


def _continued_at(name: str, epochs: Sequence[int]) -> str:
    if min(epochs) == max(epochs):
        return f"{name}{FROM_EPOCH}{epochs[0]}"
    return f"{name} from an epoch between {min(epochs)} and {max(epochs)}"


def short_device(device: str) -> str:
    """A processor by its name: ``Intel Xeon, 1 core`` for a model of twice the words."""
    plain = re.sub(r"\bCPU |\((?:R|TM)\)| Processor\b", "", device)
    return re.sub(r"\b1 cores\b", "1 core", plain)


def short_version(version: str) -> str:
    """A version of the code by its commit: ``6614b4c8da`` for ``0.1.0+g6614b4c8da``."""
    return re.sub(r"\d[\d.]*\+g(?=[0-9a-f]{7})", "", version)


def span_in_words(numbers: Sequence[int]) -> list[str]:
    """Neighbours in order, three and more as a range: ``["2 to 5"]``; fewer one by one."""
    return [f"{numbers[0]} to {numbers[-1]}"] if len(numbers) > 2 else [str(n) for n in numbers]


def numbers_in_words(numbers: Iterable[int]) -> str:
    """Numbers in order, three neighbours and more as a range: ``0, 2 to 5``."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][-1] + 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    return ", ".join(told for span in spans for told in span_in_words(span))


def in_words(unusual: Mapping[str, Any]) -> str:
    """Parameters of an experiment with their values, such as `Experiment.unusual` has them."""
    words = []
    for name, value in unusual.items():
        if name == "mark":
            words.append(f"marked “{value}”")
        elif name == "loss":
            words.append(LOSS_NAMES[value])
        elif name in ("pixels", "split"):
            words.append(f"{value} pixels" if name == "pixels" else f"split {value}")
        elif name == "labels":
            words.append(LABEL_NAMES[value])
        elif name == "order":
            words.append(f"order {value}")
        else:
            words.append(f"{name.replace('_', ' ')} {value:g}")
    return ", ".join(words)
