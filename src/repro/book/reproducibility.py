"""What else gives the same numbers, and how equal they are: each row with the test that holds it.

Rows without a test are marked so. The page on robustness shows them.
"""

from dataclasses import dataclass
from typing import Literal

import pandas as pd

Equality = Literal["bit for bit", "within rounding", "unknown"]


@dataclass(frozen=True)
class Row:
    """One thing that is varied, everything else being the same.

    Parameters
    ----------
    varied:
        What is different between the two runs.
    equal:
        How equal their numbers are.
    tolerance:
        Of what is not equal bit for bit, in words.
    test:
        The test that fails where that is not so: ``file::function`` below ``tests/``. None where
        there is none.
    untested:
        Why there is no test.
    """

    varied: str
    equal: Equality
    tolerance: str = ""
    test: str | None = None
    untested: str = ""


ROWS = (
    Row(
        "nothing: the same seed, machine and backend, in another process",
        "bit for bit",
        "all but wall_seconds, started, finished, and the time that HDF5 writes into a file",
        "test_reproducible.py::test_again_in_another_process",
    ),
    Row(
        "stopped and continued",
        "bit for bit",
        "all but the three times, weights included",
        "test_training.py::test_stopped_and_continued_equals_uninterrupted_bit_for_bit",
    ),
    Row(
        "stopped by a time limit after every epoch",
        "bit for bit",
        "all but the three times",
        "test_training.py::test_a_time_limit_stops_at_a_checkpoint_and_loses_nothing",
    ),
    Row(
        "lanes: one program at a time or two",
        "bit for bit",
        "all but the three times",
        "test_reproducible.py::test_lanes",
    ),
    Row(
        "threads: one core or all",
        "within rounding",
        "3 epochs of digits: weights to 1e-5, losses to 1e-4 of themselves",
        "test_reproducible.py::test_cores",
    ),
    Row(
        "a replica alone or beside others in one program",
        "within rounding",
        "3 epochs of digits: weights to 2e-6, statistics to 1e-4 of themselves",
        "test_training.py::test_a_replica_is_the_same_run_alone_or_in_company",
    ),
    Row(
        "TensorFlow or JAX",
        "within rounding",
        "3 epochs of digits: weights to 5e-6, statistics to 1e-4 of themselves; rounding grows",
        "test_backends.py::test_backends_agree",
    ),
    Row(
        "our engine or plain Keras",
        "within rounding",
        "an epoch of digits: weights to 2e-6, loss to 2e-6 of itself",
        "test_training.py::test_an_epoch_equals_plain_keras",
    ),
    Row(
        "float32 on the device or float64 in NumPy",
        "within rounding",
        "the statistics of the deviation, as repro.model.deviation.TOLERANCES",
        "test_deviation.py::test_extreme_statistics_agree_with_float64",
    ),
    Row(
        "the initial weights and the order of the samples, on any backend or device",
        "bit for bit",
        "drawn by NumPy from seed and replica",
        "test_experiment.py::test_replicas_and_seeds_draw_differently_and_again_the_same",
    ),
    Row(
        "a CPU or a GPU",
        "within rounding",
        "one replica, below: train losses of the first 20 epochs to 1 % of themselves",
        "test_same_replica.py::test_what_was_trained_twice_begins_alike",
    ),
    Row(
        "another CPU",
        "unknown",
        untested="one machine only; the instructions that XLA chooses change the rounding",
    ),
    Row(
        "other versions of Python, NumPy or TensorFlow",
        "unknown",
        untested="the lock has one version of each; every run records those it was made with",
    ),
)


def table() -> pd.DataFrame:
    """The rows as a table: what is varied, how equal the numbers are, and what holds it."""
    return pd.DataFrame(
        {
            "what is varied": row.varied,
            "equal": row.equal,
            "of what, how well": row.tolerance,
            "held by": row.test or f"untested: {row.untested}",
        }
        for row in ROWS
    )
