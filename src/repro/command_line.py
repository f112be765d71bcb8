"""The command line, ``repro``: data, train, sweep, results, pack, unpack, claims, sharpness, bench,
publish.

Exit codes: 0 done; 2 a mistake in what was asked, told in one sentence; 3 stopped at a checkpoint
by the time limit (the same command goes on); 130 stopped by Ctrl-C or SIGTERM, saved.
"""

import argparse
import io
import json
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from repro import sealed_json
from repro.bench import benchmark
from repro.book import listing
from repro.data import datasets
from repro.errors import DamagedFile, Mended, ReproError
from repro.experiment import LABELS, LOSSES, PIXELS, Experiment
from repro.places import published_path
from repro.store import packing, publication, store
from repro.training import grid, schedule
from repro.training.schedule import Group, Wanted

STOPPED_BY_TIME_LIMIT = 3
INTERRUPTED = 130

_ORDERS = "fresh, cycle:K (K orders in turn), buffer:B (a shuffle buffer of B over one order)"
_DATASETS = f"{', '.join(datasets.NAMES)}, or an .npz file of your own"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):  # a file's name may be no text at all
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    warnings.formatwarning = _format_warning  # what is mended is told in a line, always
    warnings.simplefilter("always", Mended)
    try:
        return chosen.action(chosen)
    except ReproError as error:
        return _complain(str(error))
    except KeyboardInterrupt:
        print("repro: stopped; the same command goes on from the last checkpoint.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of a listing had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # of a path that no file can have, a disk that is full
        named = f"{error.filename}: " if error.filename is not None else ""
        return _complain(f"{named}{error.strerror or error}.")


_usual_format = warnings.formatwarning


def _format_warning(
    message: Warning | str, category: type[Warning], *place: Any, **more: Any
) -> str:
    if issubclass(category, Mended):
        return f"repro: {message}\n"
    return _usual_format(message, category, *place, **more)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        raise SystemExit(_complain(f"{message}; see `{self.prog} --help`."))


def _complain(message: str) -> int:
    print(f"repro: {ReproError(message)}", file=sys.stderr)  # on one line
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
    data.add_argument("datasets", nargs="*", metavar="DATASET", help=_DATASETS)
    data.set_defaults(action=_data)

    train = commands.add_parser("train", help="train networks, as far as is missing")
    _add_experiment_options(train)
    _add_training_options(train)
    train.set_defaults(action=_train)

    sweep = commands.add_parser(
        "sweep",
        help="train a grid or a plan: several datasets, widths, losses, pixels, marks, ...",
        description="Train every combination of the values named, or the grids of a plan, as far "
        "as is missing: everyone's first replica before anyone's second. Stop it at will; the same "
        "command goes on.",
    )
    sweep.add_argument(
        "--plan", metavar="FILE", help="a YAML file of grids, such as sweeps/paper.yml"
    )
    _add_grid_options(sweep)
    _add_training_options(sweep)
    sweep.set_defaults(action=_sweep)

    results = commands.add_parser("results", help="list what is published and what is in the store")
    _add_store_option(results)
    results.add_argument("--json", action="store_true", help="print JSON instead of a table")
    results.set_defaults(action=_results)

    pack = commands.add_parser("pack", help="write a store into one file, to carry it elsewhere")
    pack.add_argument("file", metavar="FILE")
    _add_store_option(pack)
    pack.set_defaults(action=_pack)

    unpack = commands.add_parser("unpack", help="bring the runs of a packed file into a store")
    unpack.add_argument("file", metavar="FILE")
    _add_store_option(unpack)
    unpack.set_defaults(action=_unpack)

    verdicts = commands.add_parser("claims", help="the verdict on every claim of the paper")
    verdicts.add_argument("--json", action="store_true", help="print JSON instead of a table")
    verdicts.add_argument(
        "--store", metavar="DIR", help="judge the runs in this folder, not the published ones"
    )
    verdicts.set_defaults(action=_claims)

    _add_sharpness(commands)
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


def _add_sharpness(commands: argparse._SubParsersAction) -> None:
    sharpness = commands.add_parser(
        "sharpness", help="train networks again and measure their Hessian's largest eigenvalue",
        description="Train the runs named, in a store of their own, and write the largest "
        "eigenvalue of the Hessian after many of their epochs into a small file each. Stop it at "
        "will; the same command goes on.",
    )  # fmt: skip
    _add_experiment_options(sharpness)
    sharpness.add_argument(
        "--every", type=_count, default=5, metavar="E",
        help="epochs between two measurements, at most (default: %(default)s)",
    )  # fmt: skip
    sharpness.add_argument(
        "--from", type=_whole, default=0, metavar="E", dest="first",
        help="measure no earlier epoch, as for a closer look at a stretch (default: %(default)s)",
    )  # fmt: skip
    sharpness.add_argument(
        "--sample", type=_count, default=4096, metavar="IMAGES",
        help="of the training set, over which the loss is taken (default: %(default)s)",
    )  # fmt: skip
    sharpness.add_argument(
        "--sample-seed", type=_whole, default=0, metavar="SEED", help="(default: %(default)s)"
    )
    sharpness.add_argument(
        "--output", metavar="DIR", help="folder of the files (default: the published results)"
    )
    sharpness.add_argument("--quiet", action="store_true", help="no progress bar")
    _add_store_option(sharpness)
    sharpness.set_defaults(action=_sharpness)


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
    bench.add_argument("--json", action="store_true", help="print JSON instead of a table")
    bench.add_argument("--output", metavar="FILE", help="write the JSON there, too")
    bench.add_argument("--quiet", action="store_true", help="no progress bar")
    bench.set_defaults(action=_bench)


def _add_store_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store", metavar="DIR", help="folder of your own runs (default: REPRO_STORE, or a user's)"
    )


def _add_experiment_options(parser: argparse.ArgumentParser) -> None:
    """Options of one experiment, several widths apart, under the keys of a grid."""
    parser.add_argument("--dataset", dest="datasets", required=True, help=_DATASETS)
    parser.add_argument(
        "--widths", type=_wholes, required=True, metavar="N,N", help="units in a hidden layer"
    )
    parser.add_argument("--loss", dest="losses", default="clipped", help=", ".join(LOSSES))
    parser.add_argument("--pixels", default="archived", help=", ".join(PIXELS))
    parser.add_argument("--mark", dest="marks", metavar="CHARACTER")
    parser.add_argument(
        "--split", dest="splits", type=_split, default="fold-1", help="fold-1 ... or a share"
    )
    parser.add_argument("--labels", default="classes", help=", ".join(LABELS))
    parser.add_argument("--order", dest="orders", default="fresh", help=_ORDERS)
    parser.add_argument("--learning-rate", dest="learning_rates", type=_real, default=0.1)
    _add_single_options(parser)


def _add_grid_options(parser: argparse.ArgumentParser) -> None:
    """Options that take several values, under the keys of a grid; none where it is not given."""
    parser.add_argument("--datasets", nargs="+", metavar="DATASET", help=_DATASETS)
    parser.add_argument("--widths", type=_wholes, metavar="N,N", help="units in a hidden layer")
    parser.add_argument("--losses", nargs="+", metavar="LOSS", help=", ".join(LOSSES))
    parser.add_argument("--pixels", nargs="+", metavar="PIXELS", help=", ".join(PIXELS))
    parser.add_argument("--marks", nargs="+", metavar="CHARACTER", help="none: without a mark")
    parser.add_argument("--splits", nargs="+", type=_split, metavar="SPLIT")
    parser.add_argument("--labels", nargs="+", metavar="LABELS", help=", ".join(LABELS))
    parser.add_argument("--orders", nargs="+", metavar="ORDER", help=_ORDERS)
    parser.add_argument("--learning-rates", nargs="+", type=_real, metavar="RATE")
    _add_single_options(parser)


def _add_single_options(parser: argparse.ArgumentParser) -> None:
    """The defaults are those of `grid`."""
    parser.add_argument("--replicas", type=_whole, metavar="R", help="(default: 1)")
    parser.add_argument("--epochs", type=_whole, metavar="E", help="(default: 1000)")
    parser.add_argument("--batch-size", type=_whole, help="(default: 128)")
    parser.add_argument("--epsilon", type=_real, help="the clip of the loss (default: 1e-7)")
    parser.add_argument("--seed", type=_whole, help="(default: 0)")


def _add_training_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--time-limit", type=_seconds, metavar="SECONDS",
        help=f"stop at a checkpoint after so long (exit code {STOPPED_BY_TIME_LIMIT})",
    )  # fmt: skip
    parser.add_argument(
        "--lanes", type=_count, metavar="L",
        help="programs at the same time (default: one per core; one on an accelerator)",
    )  # fmt: skip
    parser.add_argument(
        "--together", type=_count, metavar="R",
        help="replicas in one program (default: one on a CPU; up to 16 on an accelerator)",
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    _add_store_option(parser)


def _data(chosen: argparse.Namespace) -> int:
    for name in chosen.datasets or datasets.NAMES:
        known = datasets.prepare(name)
        pixels, classes = datasets.shape(known)
        print(f"{known}: ready ({pixels} pixels, {classes} classes)")
    return 0


def _train(chosen: argparse.Namespace) -> int:
    return _train_wanted(grid.experiments(_grid(chosen)), chosen)


def _sweep(chosen: argparse.Namespace) -> int:
    named = _grid(chosen)
    if chosen.plan and named:
        raise ReproError(
            f"--plan names all there is to train: leave out {', '.join(sorted(named))}, or --plan."
        )
    if "marks" in named:
        named["marks"] = [None if mark == "none" else mark for mark in named["marks"]]
    wanted = grid.read_plan(chosen.plan) if chosen.plan else grid.experiments(named)
    return _train_wanted(wanted, chosen)


def _grid(chosen: argparse.Namespace) -> dict[str, object]:
    """What was given of a grid's keys."""
    given = {key: getattr(chosen, key) for key in grid.KEYS}
    return {key: value for key, value in given.items() if value is not None}


def _train_wanted(wanted: Wanted, chosen: argparse.Namespace) -> int:
    own = store.Store(chosen.store)

    def finished(group: Group) -> None:
        for replica in group.replicas:
            tqdm.write(_losses(group.experiment, replica, own))

    left = schedule.train_missing(
        wanted, own, chosen.time_limit, not chosen.quiet, chosen.lanes, chosen.together, finished
    )
    all_runs, without = (
        sum(len(replicas) for _, replicas in part) for part in (schedule.merged(wanted), left)
    )
    print(f"{all_runs - without} of {all_runs} runs are there.")
    if left:
        print("Stopped at the time limit; the same command goes on from here.")
        return STOPPED_BY_TIME_LIMIT
    return 0


def _losses(experiment: Experiment, replica: int, own: store.Store) -> str:
    place, run = schedule.long_enough(experiment, replica, (own, store.Store(published_path())))
    last = place.load(run).sel(epoch=experiment.epochs).isel(replica=0)
    return (
        f"{experiment.name} replica {replica}: {experiment.epochs} epochs, train loss "
        f"{float(last.train_loss):.4g}, test loss {float(last.test_loss):.4g}"
    )


def _results(chosen: argparse.Namespace) -> int:
    damaged: list[DamagedFile] = []
    rows = listing.rows(
        {"published": store.Store(published_path()), "own": store.Store(chosen.store)},
        damaged.append,
    )
    if chosen.json:
        print(json.dumps({"runs": rows, "damaged": [str(each) for each in damaged]}, indent=1))
    else:
        print(listing.table(rows))
    for problem in damaged:
        print(f"repro: {problem}", file=sys.stderr)
    return 0


def _pack(chosen: argparse.Namespace) -> int:
    packed = packing.pack(store.Store(chosen.store), chosen.file)
    print(f"{chosen.file}: {len(packed)} runs")
    return 0


def _unpack(chosen: argparse.Namespace) -> int:
    for path in packing.unpack(chosen.file, store.Store(chosen.store)):
        print(path)
    return 0


def _claims(chosen: argparse.Namespace) -> int:
    from repro.book import verdict_tables
    from repro.claims import verdicts as claims

    found = claims.verdicts(chosen.store)
    print(claims.as_json(found) if chosen.json else verdict_tables.report(found))
    return 0


def _sharpness(chosen: argparse.Namespace) -> int:
    wanted = grid.experiments(_grid(chosen))
    from repro.investigations import sharpness

    folder = Path(chosen.output) if chosen.output else published_path()
    own = store.Store(store.Store(chosen.store).path / "sharpness")
    for experiment, replicas in wanted:
        for replica in replicas:
            record = sharpness.measure(
                experiment, folder, own, replica,
                sharpness.measuring_epochs(experiment.epochs, chosen.every, chosen.first),
                chosen.sample, chosen.sample_seed, progress=not chosen.quiet,
            )  # fmt: skip
            print(folder / record.file)
    return 0


def _bench(chosen: argparse.Namespace) -> int:
    from repro.bench import benchmark_figure

    output = Path(chosen.output) if chosen.output else None
    if output is not None and not output.parent.is_dir():
        raise ReproError(f"--output names a file in {output.parent}, which is no folder.")
    if output is not None and output.is_dir():
        raise ReproError(f"--output must name a file, not the folder {output}.")
    shared = {
        "dataset": chosen.dataset, "synthetic": chosen.synthetic, "steps": chosen.steps,
        "progress": not chosen.quiet,
    }  # fmt: skip
    measured = benchmark.compare(
        chosen.widths, chosen.replicas, chosen.engines, batch_size=chosen.batch_size,
        repeats=chosen.repeats, **shared,
        # What took minutes is not lost where the rest is broken off.
        so_far=None if output is None else lambda measured: sealed_json.write(output, measured),
    )  # fmt: skip
    text = sealed_json.sealed(measured, output.name if output else "")
    if output is not None:
        sealed_json.write(output, measured)
    print(text.rstrip() if chosen.json else benchmark_figure.report(measured))
    return 0


def _publish(chosen: argparse.Namespace) -> int:
    paths = publication.publish(
        store.Store(chosen.store),
        store.Store(published_path()),
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


def _count(text: str) -> int:
    number = _whole(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, not {text!r}")
    return number


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


def _seconds(text: str) -> float:
    number = _real(text)
    if not number >= 0:
        raise argparse.ArgumentTypeError(f"must be a number of seconds from 0, not {text!r}")
    return number


def _split(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


if __name__ == "__main__":
    sys.exit(main())
