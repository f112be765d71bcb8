"""What an epoch's last, smaller batch does to the test loss: measured once, and published.

``python -m repro.investigations.last_batch`` trains the network of width 150 for 25 epochs under each split of
``SPLITS`` and takes the test loss twice an epoch: before the step on the samples that are left
over, and after it, as every run does. It writes ``results/last-batch.json``.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from repro import provenance, sealed_json
from repro.experiment import Experiment
from repro.model import network
from repro.model.network import LAYERS
from repro.places import published_path

FILE = "last-batch.json"
WIDTH = 150
EPOCHS = 25
"""Enough to pass the minimum test loss of that width."""
SPLITS = ("fold-1", 0.85)


def measure(experiment: Experiment, replica: int = 0) -> dict[str, Any]:
    """The test loss before and after the last batch of each of the experiment's epochs.

    Returns
    -------
    ``samples`` in that batch, and lists over the epochs ``before`` and ``after``, in nats.
    """
    from repro.training import backend, program, samples
    from repro.training.backend import ops

    data = samples.of(experiment)
    train, test = len(data.y_train), len(data.y_test)
    whole = train - train % experiment.batch_size

    def epoch(parameters, order, x_train, y_train, x_test, y_test):
        losses = []
        for part in (order[:whole], order[whole:]):
            if part.shape[0]:
                parameters, _ = program.train(experiment, parameters, x_train, y_train, part)
            losses.append(program.evaluate(experiment, parameters, x_test, y_test).loss)
        return parameters, tuple(losses)

    compiled = backend.compiled(epoch)
    weights = network.initial_weights(experiment, replica)
    biases = network.initial_biases(experiment)
    parameters = tuple(
        ops.convert_to_tensor(each[layer]) for each in (weights, biases) for layer in LAYERS
    )
    before, after = [], []
    for number in range(1, experiment.epochs + 1):
        order = network.sample_order(experiment, replica, number, train)
        parameters, losses = compiled(parameters, ops.convert_to_tensor(order), *data)
        for values, loss in zip((before, after), losses, strict=True):
            values.append(round(float(loss) / test, 5))
    return {"samples": train - whole, "before": before, "after": after}


def published() -> pd.DataFrame:
    """The published measurement, a row a split.

    Returns
    -------
    Columns ``split``, ``samples`` in the last batch, and the lowest test loss of the first epochs
    taken ``before`` that batch and ``after`` it, in nats.
    """
    content = sealed_json.read(published_path() / FILE)
    return pd.DataFrame(
        {
            "split": str(row["split"]), "samples": row["samples"],
            "before": min(row["before"]), "after": min(row["after"]),
        }
        for row in content["rows"]
    )  # fmt: skip


def main(folder: Path | None = None) -> None:
    """Measure under every split, and write the file."""
    from repro.training import backend

    rows = [
        {"split": split} | measure(Experiment("hasyv2", WIDTH, EPOCHS, split=split))
        for split in SPLITS
    ]
    made = {
        "width": WIDTH, "epochs": EPOCHS, "code_version": provenance.code_version(),
        "backend": backend.NAME, "device": backend.device(), "finished": provenance.now(),
    }  # fmt: skip
    sealed_json.write((folder or published_path()) / FILE, made | {"rows": rows})


if __name__ == "__main__":
    main()
