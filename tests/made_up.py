"""Runs with made-up numbers, in the form in which training leaves them."""

import numpy as np

from repro import Experiment
from repro.store.record import CURVES, Record

LAYERS = 3


def made_up_run(epochs: int, experiment: Experiment, replica: int = 0):
    """A run's dataset and state, as training would leave them, without training."""
    generator = np.random.default_rng(replica)
    record = Record(experiment, replica)
    width, (pixels, classes) = experiment.width, (64, 10)
    shapes = {"input_hidden": (pixels, width), "hidden_hidden": (width, width)}
    shapes["hidden_output"] = (width, classes)
    initial = {name: generator.normal(0, 0.1, shape) for name, shape in shapes.items()}
    initial = {name: values.astype(np.float32) for name, values in initial.items()}
    for epoch in range(epochs + 1):
        curves = dict.fromkeys(CURVES, 1 / (1 + epoch))
        statistics = generator.random((6, LAYERS), dtype=np.float32)
        record.append(curves, statistics, generator.random((LAYERS, 9), dtype=np.float32))
        if record.due(epoch == epochs):
            record.look({n: w + 0.01 for n, w in initial.items()}, initial, epoch == epochs)
    making = {
        "code_version": "test", "library_versions": "{}", "backend": "none", "device": "none",
        "trained_together": 1, "wall_seconds": 1.5, "started": "now", "finished": f"{epochs}",
    }  # fmt: skip
    state = {"weights_hidden_hidden": initial["hidden_hidden"], "biases_hidden": np.zeros(10)}
    return record.to_dataset(making), state
