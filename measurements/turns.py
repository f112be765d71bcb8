"""How the loss of a batch depends on when its turn comes: what `order_mechanism.turns` reads.

``python measurements/turns.py STORE ORDER`` looks at the first replica of N = 250 under that order,
which the store has with its state.
"""

import os
import sys
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from repro import sealed_json
from repro.experiment import Experiment
from repro.investigations import choices, order_mechanism, order_search
from repro.investigations.order_mechanism import TURNS
from repro.model.network import parameter_names, sample_order
from repro.places import published_path
from repro.store.store import Store
from repro.training import backend, loop, program


def measure_turns(store: str | os.PathLike, order: str, stops: int = 24) -> None:
    """Measure how the loss of a batch depends on when its turn comes, in one more epoch of a run,
    interrupted so many times; publish it, as `turns` reads it."""
    one = order_search.experiment(order, order_mechanism.WIDTH)
    epoch, network = _standing(one, store)
    data = loop.samples(one)
    evaluate = program.evaluation_program(one)
    train = backend.compiled(lambda state, drawn, x, y: program.train(one, state, x, y, drawn)[0])
    drawn = sample_order(one, 0, epoch + 1, len(data.y_train))
    batches = drawn[: len(drawn) // one.batch_size * one.batch_size].reshape(-1, one.batch_size)
    stride = len(batches) // stops
    pixels, labels = np.asarray(data.x_train), np.asarray(data.y_train)
    rows = []
    for here in range(0, stops * stride, stride):
        for steps in 2 ** np.arange(int(np.log2(len(batches)))):
            for first, until in ((here + steps - 1, steps), (here - 2 * steps + 1, -steps)):
                if 0 <= first <= len(batches) - steps:
                    asked = batches[first : first + steps].ravel()
                    rows.append(
                        (int(until), _loss(evaluate, network, pixels[asked], labels[asked]))
                    )
        network = train(network, batches[here : here + stride].ravel(), data.x_train, data.y_train)
    means = pd.DataFrame(rows, columns=["steps", "train_loss"]).groupby("steps")["train_loss"]
    new = means.agg(["mean", "sem", "size"]).reset_index().assign(order=order, epoch=epoch)
    others = [row for row in choices.kept(TURNS) if row["order"] != order]
    content = {"width": order_mechanism.WIDTH, "rows": others + new.to_dict("records")}
    sealed_json.write(published_path() / TURNS, content)


def _standing(experiment: Experiment, store: str | os.PathLike) -> tuple[int, tuple]:
    """The epoch after which the first replica stands in a store, and its parameters."""
    place = Store(store)
    run, state = place.load_checkpoint(place.find(experiment, 0))
    return int(run["epoch"][-1]), tuple(state[name] for name in parameter_names())


def _loss(evaluate: Callable, network: tuple, pixels: ArrayLike, labels: ArrayLike) -> float:
    """The mean over these samples, in nats, by `program.evaluation_program`."""
    return float(program.Tally(*evaluate(network, pixels, labels)).loss) / len(labels)


if __name__ == "__main__":
    measure_turns(*sys.argv[1:3])
