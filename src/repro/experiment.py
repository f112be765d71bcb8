"""What is run: one experiment, its parameters checked, and the digest that names its results."""

import hashlib
import json
import math
import numbers
import operator
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace

from repro.data import datasets, own
from repro.errors import ReproError, shown

INITIALIZERS = ("glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_normal")
_CHOICES = {
    "loss": ("clipped", "logits"), "pixels": ("archived", "inverted"),
    "labels": ("classes", "symbol-ids"), "initializer": INITIALIZERS,
    "optimizer": ("sgd", "momentum", "adam"),
}  # fmt: skip
_WHOLES = {
    "width": (1, 100_000), "epochs": (1, 10_000_000), "batch_size": (1, 10_000_000),
    "seed": (0, 2**63 - 1), "hidden_layers": (1, 4),
}  # fmt: skip
_REALS = {"learning_rate": (0.0, math.inf), "epsilon": (1e-30, 0.5)}
# Parameters younger than the first published runs: left out of the digest at their defaults.
ADDED_LATER = ("labels", "initializer", "optimizer", "hidden_layers", "order")
# Part of every digest. Raise it when the same parameters would give another result.
RESULT_VERSION = 1
_MOST_REPLICAS = 100_000


@dataclass(frozen=True)
class Experiment:
    """One network and how it is trained; the defaults are the paper's, or our reading of it.

    Parameters
    ----------
    dataset:
        ``hasyv2``, ``mnist``, ``fashion-mnist`` or ``digits``; or one's own: the path of an .npz
        file with x_train, y_train, x_test and y_test, which becomes a name made of the file's and
        of a hash of the arrays (`repro.data.own`).
    width:
        Units in each hidden layer (the paper: 10 to 1000).
    epochs:
        Passes over the training set (the paper: 1000). Not part of the digest.
    loss:
        ``clipped``, the cross-entropy of Keras 2.2, whose gradient is zero where the probability of
        the true class is outside [epsilon, 1 - epsilon]; or ``logits``, the exact cross-entropy.
    pixels:
        ``archived`` (as stored, divided by 255) or ``inverted`` (one minus that). One's own data
        is taken as it is stored.
    split:
        For datasets without a fixed test set: ``fold-1`` to ``fold-10`` of the archive, or the
        share of samples to train on, drawn from the seed. None where the test set is fixed.
    mark:
        None, or one character: hidden-to-hidden weights outside its strokes start at zero.
    learning_rate, batch_size:
        Of the optimizer.
    epsilon:
        The clip of the loss; a sample whose true class has a probability below it is dead.
    seed:
        With the number of the replica it fixes the initial weights and the order of the samples.
    labels:
        ``classes``, an output for each class; or, for HASYv2, ``symbol-ids``, an output for each
        number up to the largest symbol id, as one gets where the ids are taken for classes.
    initializer:
        Of the weights, as Keras names it: ``glorot_uniform``, ``glorot_normal``, ``he_uniform``,
        ``he_normal`` or ``lecun_normal``. Biases start at zero.
    optimizer:
        ``sgd``; ``momentum``, SGD with momentum 0.9; or ``adam`` as Keras has it.
    hidden_layers:
        How many, 1 to 4 (the paper: 2).
    order:
        Of the samples, every one once an epoch: ``fresh`` in each; ``cycle:K``, K orders in turn;
        ``buffer:B``, drawn through a shuffle buffer of B samples over one fixed order;
        ``batches``, the batches of one order in a fresh sequence; or ``mirror``, in one sequence
        that is read backwards every second epoch.

    Raises
    ------
    ReproError
        Where a parameter is outside its range; the message says which and what is expected.
    """

    dataset: str
    width: int
    epochs: int
    loss: str = "clipped"
    pixels: str = "archived"
    split: str | float | None = "fold-1"
    mark: str | None = None
    learning_rate: float = 0.1
    batch_size: int = 128
    epsilon: float = 1e-7
    seed: int = 0
    labels: str = "classes"
    initializer: str = "glorot_uniform"
    optimizer: str = "sgd"
    hidden_layers: int = 2
    order: str = "fresh"

    def __post_init__(self) -> None:
        set_field = object.__setattr__  # frozen: normalised once, here
        set_field(self, "dataset", datasets.identified(self.dataset))
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if not isinstance(value, str) or value not in choices:
                raise ReproError(f"{name} must be one of {', '.join(choices)}, not {shown(value)}.")
        if self.pixels != "archived" and own.is_name(self.dataset):
            raise ReproError(
                f"pixels must be archived for {self.dataset}, not {self.pixels!r}: one's own data "
                "is taken as it is stored."
            )
        if self.labels == "symbol-ids" and self.dataset != "hasyv2":
            told = f"labels must be classes for {self.dataset}: only hasyv2 has symbol ids."
            raise ReproError(told)
        for name, allowed in _WHOLES.items():
            set_field(self, name, _whole(name, getattr(self, name), *allowed))
        for name, allowed in _REALS.items():
            set_field(self, name, _real(name, getattr(self, name), *allowed))
        by_default = isinstance(self.split, str) and self.split == type(self).split
        split = datasets.checked_split(self.dataset, None if by_default else self.split)
        set_field(self, "split", split)
        set_field(self, "order", _order(self.order))
        if (mark := self.mark) is None:
            return
        drawn = isinstance(mark, str) and len(mark) == 1 and mark.isprintable()
        if not drawn or mark.isspace():
            told = f"one printable character or None, not {shown(mark)}; try mark='a'"
            raise ReproError(f"mark must be {told}.")
        if self.hidden_layers == 1:
            told = "None with one hidden layer, which has no hidden-to-hidden weights"
            raise ReproError(f"mark must be {told}.")

    @property
    def parameters(self) -> dict[str, str | int | float | None]:
        """All parameters by name; those of `ADDED_LATER` only where they are not the default."""
        return {
            name: value
            for name, value in asdict(self).items()
            if name not in ADDED_LATER or value != getattr(type(self), name)
        }

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that name everything that changes the result except ``epochs``."""
        named = {name: value for name, value in self.parameters.items() if name != "epochs"}
        named["result_version"] = RESULT_VERSION
        canonical = json.dumps(named, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """What to call it: ``hasyv2-N512-mark0061-1f0c...``."""
        mark = f"-mark{ord(self.mark):04x}" if self.mark else ""
        return f"{self.dataset}-N{self.width}{mark}-{self.digest}"

    @property
    def unusual(self) -> dict[str, str | int | float | None]:
        """The parameters that are not the default; dataset, width and epochs apart."""
        usual = Experiment(self.dataset, self.width, self.epochs).parameters
        return {name: value for name, value in self.parameters.items() if value != usual.get(name)}

    def with_epochs(self, epochs: int) -> "Experiment":
        """The same experiment, asked for another number of epochs."""
        return replace(self, epochs=epochs)

    def to_json(self) -> str:
        """All parameters as JSON; `from_json` reads it."""
        return json.dumps(self.parameters)

    @classmethod
    def from_json(cls, text: str) -> "Experiment":
        """The experiment that `to_json` wrote. Raises ReproError for any other text."""
        try:
            parameters = json.loads(text)
        except (TypeError, ValueError, RecursionError) as error:
            raise ReproError(f"An experiment must be written as JSON: {error}.") from None
        known = {field.name for field in fields(cls)}
        needed = known.difference(ADDED_LATER)
        if not isinstance(parameters, dict) or not needed <= set(parameters) <= known:
            told = f"{', '.join(sorted(needed))}, and {', '.join(ADDED_LATER)} if not the default"
            raise ReproError(f"An experiment in JSON must be an object with the keys {told}.")
        return cls(**parameters)


def replica_numbers(replicas: int | Sequence[int]) -> list[int]:
    """The replicas' numbers: the first so many, or those given, each once and in order."""
    try:
        count = None if isinstance(replicas, bool) else operator.index(replicas)
    except TypeError:
        count = None
    numbers = replicas if count is None else range(count)
    listed = isinstance(numbers, Sequence | set | frozenset) and bool(numbers)
    if not listed or not all(type(n) is int and 0 <= n < _MOST_REPLICAS for n in numbers):
        told = "a whole number from 1, or a list of whole numbers from 0, up to"
        raise ReproError(f"replicas must be {told} {_MOST_REPLICAS}, not {shown(replicas)}.")
    return sorted(set(numbers))


def _whole(name: str, value: object, low: int, high: int) -> int:
    try:
        number = operator.index(value)  # refuses floats and strings; takes NumPy integers
    except TypeError:
        number = None
    if isinstance(value, bool) or number is None or not low <= number <= high:
        raise ReproError(f"{name} must be a whole number from {low} to {high}, not {shown(value)}.")
    return number


def _real(name: str, value: object, low: float, high: float) -> float:
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    try:
        number = float(value) if real else math.nan
    except OverflowError:
        number = math.inf
    if low < number < high:
        return number
    raise ReproError(f"{name} must be a number between {low:g} and {high:g}, not {shown(value)}.")


def _order(order: object) -> str:
    kind, _, number = order.partition(":") if isinstance(order, str) else ("", "", "")
    if kind in ("cycle", "buffer") and number.isascii() and number.isdecimal() and int(number) > 0:
        return f"{kind}:{int(number)}"
    if order in ("fresh", "batches", "mirror"):
        return str(order)
    raise ReproError(
        "order must be fresh, batches, mirror, or cycle:K or buffer:B with a whole number from 1, "
        f"such as cycle:25, not {shown(order)}."
    )
