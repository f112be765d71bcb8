"""The command line, ``repro``: data, train, sweep, results, claims, bench, publish.

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
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from repro import command_options, runs, sealed_json
from repro.bench import benchmark
from repro.book import listing
from repro.data import datasets
from repro.errors import DamagedFile, Mended, ReproError
from repro.places import expanded, published_path
from repro.store import publication
from repro.store.store import Store
from repro.training import grid, schedule
from repro.training.schedule import Group


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):  # a file's name may be no text at all
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    warnings.formatwarning = _format_warning
    warnings.simplefilter("always", Mended)
    chosen = _parser().parse_args(arguments)
    try:
        return chosen.action(chosen)
    except ReproError as error:
        return _complain(error)
    except KeyboardInterrupt:
        print("repro: stopped; the same command goes on from the last checkpoint.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of a listing had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # of a path that no file can have, a disk that is full
        named = f"{error.filename}: " if error.filename is not None else ""
        return _complain(ReproError(f"{named}{error.strerror or error}."))


def _open_closed_streams() -> None:
    """Give closed standard streams a place: the next file opened would be taken for one."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w" if number else "r"))  # noqa: SIM115


_usual_format = warnings.formatwarning


def _format_warning(message: Warning | str, category: type[Warning], *more: Any) -> str:
    mended = issubclass(category, Mended)  # told in a line
    return f"repro: {message}\n" if mended else _usual_format(message, category, *more)


def _complain(problem: ReproError) -> int:
    print(f"repro: {problem}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    return command_options.parser(
        {
            "data": _data, "train": _train, "sweep": _train, "results": _results,
            "claims": _claims, "bench": _bench, "publish": _publish,
        }
    )  # fmt: skip


def _data(chosen: argparse.Namespace) -> int:
    for name in chosen.datasets or datasets.NAMES:
        known = datasets.load(name).name
        pixels, classes = datasets.shape(known)
        print(f"{known}: ready ({pixels} pixels, {classes} classes)")
    return 0


def _train(chosen: argparse.Namespace) -> int:
    named = _grid(chosen)
    if chosen.plan and named:
        raise ReproError(
            f"--plan names all there is to train: leave out {', '.join(sorted(named))}, or --plan."
        )
    wanted = grid.read_plan(chosen.plan) if chosen.plan else grid.experiments(named)
    own, on = Store(chosen.store), None
    if chosen.dry_run:
        listing.show(listing.missing(wanted, (Store(published_path()), own)))
        return 0

    def cluster() -> schedule.Executor:
        nonlocal on
        try:
            from repro.training.cluster import Cluster
        except ImportError as error:
            raise ReproError(f"A cluster needs the extra 'cluster' ({error}).") from error
        on = Cluster(chosen.scheduler, chosen.shared_store)
        return on.executor()

    def finished(group: Group) -> None:
        from tqdm.auto import tqdm

        experiment, replicas = group
        for replica in replicas:
            place, run = schedule.long_enough(experiment, replica, (own, Store(published_path())))
            last = place.load(run).sel(epoch=experiment.epochs).isel(replica=0)
            tqdm.write(
                f"{experiment.name} replica {replica}: {experiment.epochs} epochs, train loss "
                f"{float(last.train_loss):.4g}, test loss {float(last.test_loss):.4g}"
            )

    left = schedule.train_missing(
        wanted, own, chosen.time_limit, not chosen.quiet, chosen.lanes, chosen.together, finished,
        None if chosen.quiet else runs.announce, cluster if chosen.scheduler else None,
    )  # fmt: skip
    for worker, epochs in on.epochs.items() if on else ():
        print(f"{worker}: {epochs} epochs")
    both = (schedule.merged(wanted), left)
    all_runs, without = (sum(len(replicas) for _, replicas in part) for part in both)
    print(f"{all_runs - without} of {all_runs} runs are there.")
    if left:
        print("Stopped at the time limit; the same command goes on from here.")
    return 3 if left else 0


def _grid(chosen: argparse.Namespace) -> dict[str, object]:
    """What was given of a grid's keys."""
    return {key: value for key, value in vars(chosen).items()
            if key in grid.KEYS and value is not None}  # fmt: skip


def _results(chosen: argparse.Namespace) -> int:
    damaged: list[DamagedFile] = []
    places = {"published": Store(published_path()), "own": Store(chosen.store)}
    rows = listing.rows(places, damaged.append)
    if chosen.json:
        print(json.dumps({"runs": rows, "damaged": [str(each) for each in damaged]}, indent=1))
    else:
        listing.show(listing.table(rows))
        for name, place in places.items():
            if number := sum(row["where"] == name for row in rows):
                print(f"{name}: {number} runs in {place.path}")
    for problem in damaged:
        _complain(problem)
    return 0


def _claims(chosen: argparse.Namespace) -> int:
    from repro.claims import verdicts as claims

    if chosen.controls:
        listing.show(listing.of_frame(claims.controls()))
        return 0
    with ProcessPoolExecutor(1) as pool:  # the controls meanwhile
        beside = pool.submit(claims.controls) if chosen.json else None
        found = claims.verdicts(chosen.store and expanded(chosen.store))
        if beside is not None:
            told = [one.to_json(beside.result()) for one in found]
            print(json.dumps({"claims": told}, indent=1, ensure_ascii=False))
            return 0
    listing.show(listing.verdict_table(found))
    for one in found if chosen.why else ():
        print(f"\n{one.claim.number} {one.dataset}, measurement: {one.reason}.")
        print(f"{one.claim.number} {one.dataset}, wording: {one.wording_reason}.")
    if commands := list(dict.fromkeys(one.command for one in found if one.command)):
        print("\nTo train what is missing:", *commands, sep="\n")
    return 0


def _bench(chosen: argparse.Namespace) -> int:
    from repro.bench import benchmark_figure

    output = expanded(chosen.output) if chosen.output else None
    if output is not None and (output.is_dir() or not output.parent.is_dir()):
        raise ReproError(f"--output must name a file in a folder that is there, not {output}.")
    measured = benchmark.compare(
        chosen.widths, chosen.replicas, chosen.engines, batch_size=chosen.batch_size,
        repeats=chosen.repeats, dataset=chosen.dataset,
        steps=chosen.steps, progress=not chosen.quiet,
        # What took minutes is not lost where the rest is broken off.
        so_far=None if output is None else lambda measured: sealed_json.write(output, measured),
    )  # fmt: skip
    if output is not None:
        sealed_json.write(output, measured)
    text = sealed_json.sealed(measured, output.name if output else "").rstrip()
    print(text if chosen.json else benchmark_figure.report(measured))
    return 0


def _publish(chosen: argparse.Namespace) -> int:
    own, published = Store(chosen.store), Store(published_path())
    for path in publication.publish(own, published, chosen.minimum_epochs, chosen.unfinished):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
