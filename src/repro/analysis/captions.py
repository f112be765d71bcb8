"""What a run is: its dataset, width, epochs and settings, from its attributes; and in words."""

import functools
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import xarray as xr

DATASET_NAMES = {"hasyv2": "HASYv2", "mnist": "MNIST", "fashion-mnist": "Fashion-MNIST"}
LOSS_NAMES: Mapping[str, str] = {"clipped": "clipped loss", "logits": "exact loss"}


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
    return int(dataset.get_index("epoch")[-1])  # `dataset[...]` takes ten times as long


def replica_of(run: xr.Dataset) -> int:
    """The number of a single run's replica."""
    return int(run.get_index("replica").item())


def setting(dataset: xr.Dataset, name: str) -> Any:
    """One parameter of the experiment, None where it is unset or untold."""
    value = dataset.attrs.get(name)
    if value is None and "experiment" in dataset.attrs:
        value = _parameters(dataset.attrs["experiment"]).get(name)
    if value is None or (isinstance(value, str) and value in ("", "None")):
        return None
    return value.item() if hasattr(value, "item") else value


_parameters = functools.lru_cache(maxsize=4096)(json.loads)


def short_device(device: str) -> str:
    """A processor by its name: ``Intel Xeon, 1 core`` for a model of twice the words."""
    plain = re.sub(r"\bCPU |\((?:R|TM)\)| Processor\b", "", device)
    return re.sub(r"\b1 cores\b", "1 core", plain)


def short_version(version: str) -> str:
    """A version of the code by its commit: ``6614b4c8da`` for ``0.1.0+g6614b4c8da``."""
    return re.sub(r"\d[\d.]*\+g(?=[0-9a-f]{7})", "", version)


def numbers_in_words(numbers: Iterable[int]) -> str:
    """Numbers in order, three neighbours and more as a range: ``0, 2 to 5``."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][-1] + 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    return ", ".join(
        f"{span[0]} to {span[-1]}" if len(span) > 2 else ", ".join(map(str, span)) for span in spans
    )


def in_words(unusual: Mapping[str, Any]) -> str:
    """Parameters of an experiment with their values, such as `Experiment.unusual` has them."""
    named = {("loss", "logits"): "exact loss", ("labels", "symbol-ids"): "labels as symbol ids"}
    words = []
    for name, value in unusual.items():
        usual = f"marked “{value}”" if name == "mark" else f"{name.replace('_', ' ')} {value}"
        words.append(named.get((name, value), usual))
    return ", ".join(words)
