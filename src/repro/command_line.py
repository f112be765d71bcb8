"""The command line, ``repro``: data, train, sweep, results, claims, bench, publish.

Exit codes: 0 done; 2 a mistake in what was asked, told in one sentence; 3 stopped at a checkpoint
by the time limit (the same command goes on); 130 stopped by Ctrl-C or SIGTERM, saved.
"""

import argparse
import itertools
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from repro import benchmark, datasets, publication, runs, store
from repro.errors import ReproError
from repro.experiment import LOSSES, PIXELS, Experiment

STOPPED_BY_TIME_LIMIT = 3
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    try:
        return chosen.action(chosen)
    except ReproError as error:
        print(f"repro: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("repro: stopped; the same command goes on from the last checkpoint.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of a listing had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        raise SystemExit(_complain(f"{message}; see `{self.prog} --help`."))


def _complain(message: str) -> int:
    print(f"repro: {message}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="repro",
        description="Reproduce arXiv:2012.02550: how far weights travel from where they start.",
    )
    commands = parser.add_subparsers(
        required=True, metavar="COMMAND", dest="command", parser_class=_Parser
    )

    data = commands.add_parser("data", help="download (or read from REPRO_DATA_DIR) and prepare")
    data.add_argument("datasets", nargs="*", metavar="DATASET", help=", ".join(datasets.NAMES))
    data.set_defaults(action=_data)

    train = commands.add_parser("train", help="train networks, as far as is missing")
    _add_experiment_options(train)
    train.set_defaults(action=_train)

    sweep = commands.add_parser(
        "sweep", help="train a grid: several datasets, widths, losses, pixels, marks"
    )
    _add_experiment_options(sweep, several=True)
    sweep.set_defaults(action=_train)

    results = commands.add_parser("results", help="list what is published and what is in the store")
    _add_store_option(results)
    results.set_defaults(action=_results)

    verdicts = commands.add_parser("claims", help="the verdict on every claim of the paper")
    verdicts.add_argument("--json", action="store_true", help="print JSON instead of a table")
    verdicts.add_argument(
        "--store", metavar="DIR", help="judge the runs in this folder, not the published ones"
    )
    verdicts.set_defaults(action=_claims)

    _add_bench(commands)

    publish = commands.add_parser("publish", help="copy runs into the published results")
    _add_store_option(publish)
    publish.add_argument(
        "--unfinished", action="store_true", help="with their checkpoints, so that others go on"
    )
    publish.add_argument(
        "--minimum-epochs", type=_whole, default=1000, metavar="N",
        help="leave out complete runs shorter than this (default: %(default)s)",
    )  # fmt: skip
    publish.set_defaults(action=_publish)
    return parser


def _add_bench(commands: argparse._SubParsersAction) -> None:
    bench = commands.add_parser(
        "bench", help="time our engine, Keras, JAX and PyTorch on the same work"
    )
    bench.add_argument("--widths", type=_wholes, default=benchmark.WIDTHS, metavar="N,N")
    bench.add_argument("--replicas", type=_wholes, default=benchmark.REPLICAS, metavar="R,R")
    bench.add_argument(
        "--engines", type=_words, default=tuple(benchmark.ENGINES), metavar="NAME,NAME",
        help="of " + ", ".join(benchmark.ENGINES),
    )  # fmt: skip
    bench.add_argument("--dataset", default="mnist", help="(default: %(default)s)")
    bench.add_argument("--synthetic", action="store_true", help="random data of its shape")
    bench.add_argument("--batch-size", type=_whole, default=128)
    bench.add_argument(
        "--steps", type=_whole, help="in a measured call (default: about a second, up to an epoch)"
    )
    bench.add_argument("--repeats", type=_whole, default=5, help="(default: %(default)s)")
    bench.add_argument(
        "--growth", action="store_true",
        help="besides, how our engine's time and memory grow with width, replicas and epochs",
    )  # fmt: skip
    bench.add_argument("--json", action="store_true", help="print JSON instead of a table")
    bench.add_argument("--output", metavar="FILE", help="write the JSON there, too")
    bench.add_argument("--quiet", action="store_true", help="no progress bar")
    bench.set_defaults(action=_bench)


def _add_store_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store", metavar="DIR", help="folder of your own runs (default: REPRO_STORE, or a user's)"
    )


def _add_experiment_options(parser: argparse.ArgumentParser, several: bool = False) -> None:
    """Options of `train`; with ``several``, those of `sweep`, which takes lists of more of them."""
    many = {"nargs": "+"} if several else {}
    plural = "s" if several else ""

    def listed(value: str) -> list[str]:
        return [value] if isinstance(value, str) else value

    parser.add_argument("--dataset" + plural, dest="dataset", required=True, **many)
    parser.add_argument(
        "--widths", type=_wholes, required=True, metavar="N,N", help="units in a hidden layer"
    )
    parser.add_argument("--replicas", type=_whole, default=1, metavar="R")
    parser.add_argument("--epochs", type=_whole, default=1000, metavar="E")
    parser.add_argument("--loss" + ("es" if several else ""), dest="loss", default="clipped",
                        help=", ".join(LOSSES), **many)  # fmt: skip
    parser.add_argument("--pixels", default="archived", help=", ".join(PIXELS), **many)
    parser.add_argument("--mark" + plural, dest="mark", default=None, metavar="CHARACTER", **many)
    parser.add_argument("--split", type=_split, default="fold-1", help="fold-1 ... or a share")
    parser.add_argument("--learning-rate", type=_real, default=0.1)
    parser.add_argument("--batch-size", type=_whole, default=128)
    parser.add_argument("--epsilon", type=_real, default=1e-7, help="the clip of the loss")
    parser.add_argument("--seed", type=_whole, default=0)
    parser.add_argument(
        "--time-limit", type=_real, metavar="SECONDS",
        help=f"stop at a checkpoint after so long (exit code {STOPPED_BY_TIME_LIMIT})",
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    _add_store_option(parser)
    parser.set_defaults(listed=listed)


def _data(chosen: argparse.Namespace) -> int:
    for name in chosen.datasets or datasets.NAMES:
        datasets.prepare(name)
        pixels, classes = datasets.SHAPES[name]
        print(f"{name}: ready ({pixels} pixels, {classes} classes)")
    return 0


def _train(chosen: argparse.Namespace) -> int:
    started = time.monotonic()
    named = (chosen.dataset, chosen.loss, chosen.pixels, chosen.mark or [None])
    grid = itertools.product(*map(chosen.listed, named), chosen.widths)
    # All are checked before any is trained.
    experiments = [
        Experiment(
            dataset, width, chosen.epochs, loss, pixels, _split_of(chosen, dataset), mark,
            chosen.learning_rate, chosen.batch_size, chosen.epsilon, chosen.seed,
        )
        for dataset, loss, pixels, mark, width in grid
    ]  # fmt: skip
    numbers = runs.replica_numbers(chosen.replicas)
    place = store.Store(chosen.store)
    for experiment in experiments:
        left = None
        if chosen.time_limit is not None:
            left = chosen.time_limit - (time.monotonic() - started)
        if not runs.train_missing(experiment, numbers, place, left, not chosen.quiet):
            print("Stopped at the time limit; the same command goes on from here.")
            return STOPPED_BY_TIME_LIMIT
        print(_losses(experiment, numbers, place))
    return 0


def _split_of(chosen: argparse.Namespace, dataset: str) -> str | float | None:
    fixed = dataset in datasets.FIXED_TEST_SET and chosen.split == "fold-1"
    return None if fixed else chosen.split


def _losses(experiment: Experiment, numbers: list[int], place: store.Store) -> str:
    result = runs.run(experiment, numbers, place.path)
    last = result.isel(epoch=-1).mean("replica")
    return (
        f"{experiment.name}: {result.sizes['replica']} replicas, {experiment.epochs} epochs, "
        f"train loss {float(last.train_loss):.4g}, test loss {float(last.test_loss):.4g}"
    )


def _results(chosen: argparse.Namespace) -> int:
    places = {
        "published": store.Store(store.published_path()),
        "own": store.Store(chosen.store),
    }
    row = "{:<10} {:<36} {:>7} {:>7}  {}"
    print(row.format("where", "experiment", "replica", "epochs", "file"))
    for where, place in places.items():
        for run in place.runs():
            print(row.format(where, run.experiment.name, run.replica, run.epochs, run.path))
    return 0


def _claims(chosen: argparse.Namespace) -> int:
    from repro import claims  # pandas and matplotlib take a second to import

    found = claims.verdicts(chosen.store)
    print(claims.as_json(found) if chosen.json else claims.report(found))
    return 0


def _bench(chosen: argparse.Namespace) -> int:
    from repro import benchmark_figure  # pandas and matplotlib take a second to import

    output = Path(chosen.output) if chosen.output else None
    if output is not None and not output.parent.is_dir():
        raise ReproError(f"--output names a file in {output.parent}, which is no folder.")
    shared = {
        "dataset": chosen.dataset, "synthetic": chosen.synthetic, "steps": chosen.steps,
        "progress": not chosen.quiet,
    }  # fmt: skip
    measured = benchmark.compare(
        chosen.widths, chosen.replicas, chosen.engines, batch_size=chosen.batch_size,
        repeats=chosen.repeats, **shared,
    )  # fmt: skip
    if chosen.growth:
        own = [name for name in chosen.engines if name in benchmark.OWN_ENGINES]
        measured["growth"] = benchmark.growth(engine=(own or ["repro-tensorflow"])[0], **shared)
    text = json.dumps(measured, indent=1)
    if output is not None:
        output.write_text(text + "\n")
    print(text if chosen.json else benchmark_figure.report(measured))
    return 0


def _publish(chosen: argparse.Namespace) -> int:
    paths = publication.publish(
        store.Store(chosen.store),
        store.Store(store.published_path()),
        chosen.minimum_epochs,
        chosen.unfinished,
    )
    for path in paths:
        print(path)
    return 0


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, not {text!r}") from None


def _wholes(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be whole numbers with commas between them, like 64,96, not {text!r}"
        ) from None


def _words(text: str) -> list[str]:
    return text.split(",")


def _real(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, not {text!r}") from None


def _split(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


if __name__ == "__main__":
    sys.exit(main())
