"""A sweep on a Dask cluster of processes, which are killed at random moments.

``python -m tests.clusters --times 50`` kills so many workers (another follows each), and now and
then the client, which the same command follows, or the scheduler with all its workers. Every sweep
must end with the runs of one machine, bit for bit, and nothing half-written.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from distributed import Client

from repro import provenance
from tests.faults import asked, contents, told_of

WHAT = "--datasets digits --widths 8,12,16,24 --replicas 4 --epochs 200 --quiet"
HERE = "from repro.command_line import main; import sys; sys.exit(main(sys.argv[1:]))"
THERE = f"from repro.training import cluster; cluster.SLICE_SECONDS = 0.2; {HERE}"
WORKERS = 4
KINDS = WORKER, CLIENT, SCHEDULER, SECOND = (
    "kill -9 of a worker", "kill -9 of the client", "new scheduler", "second client",
)  # fmt: skip
SECONDS = 8.0  # between two of them, on average; a worker needs some to start


def sweep(code: str, store: Path, *more: str) -> subprocess.Popen:
    command = [sys.executable, "-c", code, "sweep", *WHAT.split(), f"--store={store}", *more]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def started(folder: Path) -> tuple[list[subprocess.Popen], Client]:
    """A scheduler and workers, each a process."""
    file, folder = f"--scheduler-file={folder / 'scheduler.json'}", f"--local-directory={folder}"
    dask, quiet = [sys.executable, "-m", "dask"], {"stderr": subprocess.DEVNULL}
    place = ["--host=127.0.0.1", "--port=8797", "--no-dashboard"]
    workers = [f"--nworkers={WORKERS}", "--nthreads=1", "--no-dashboard"]
    processes = [subprocess.Popen([*dask, "scheduler", file, *place], **quiet)]
    client = Client("tcp://127.0.0.1:8797", timeout=60)
    processes.append(subprocess.Popen([*dask, "worker", file, folder, *workers], **quiet))
    client.wait_for_workers(WORKERS)
    return processes, client


def disturb(times: int, folder: Path, random: np.random.Generator) -> dict[str, Counter]:
    """So many workers killed, and what else; how often each, and what went wrong."""
    done, failed, sweeps, there = Counter(), Counter(), 0, "--scheduler=tcp://127.0.0.1:8797"
    assert sweep(HERE, folder / "alone").wait() == 0
    processes, client = started(folder)
    while done[WORKER] < times:
        sweeps += 1
        store, kind = folder / f"store-{sweeps}", WORKER
        running = [sweep(THERE, store, there)]
        while done[WORKER] < times and any(each.poll() is None for each in running):
            time.sleep(random.exponential(SECONDS))
            kind = str(random.choice(KINDS, p=[0.88, 0.05, 0.03, 0.04]))
            if kind == WORKER:
                victims = list(client.run(os.getpid, on_error="ignore").values())
                os.kill(random.choice(victims), signal.SIGKILL)
            elif kind == CLIENT:
                running[0].kill()
                running[0].wait()
                running[0] = sweep(THERE, store, there)
            elif kind == SCHEDULER:
                client.close()
                for process in processes:
                    process.kill() if process is processes[0] else process.terminate()
                    process.wait()
                processes, client = started(folder)
            else:
                running.append(sweep(THERE, store, there))
            done[kind] += 1
            print(done, file=sys.stderr, flush=True)
        left, codes = list(store.rglob("*.part")), [each.wait() for each in running]
        if any(codes) or left or contents(store) != contents(folder / "alone"):
            failed[kind] += 1
            said = [each.stderr.read() for each in running]
            print("failed:", codes, left, said, file=sys.stderr, flush=True)
    client.close()
    for process in processes:
        process.terminate()
        process.wait()
    return {"killed": done, "failed": failed, "sweeps": sweeps}


def main() -> int:
    chosen = asked("Kill a cluster's processes during sweeps.", 50, "workers")
    with tempfile.TemporaryDirectory(prefix="clusters-") as folder:
        os.environ["REPRO_PUBLISHED"] = str(Path(folder) / "none")
        # JAX starts sooner than TensorFlow, and keeps what it compiled.
        os.environ |= {
            "KERAS_BACKEND": "jax", "JAX_COMPILATION_CACHE_DIR": f"{folder}/jax",
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        }  # fmt: skip
        counts = disturb(chosen.times, Path(folder), np.random.default_rng(chosen.seed))
    told = {WORKER: KINDS[:1], "client killed, a second one, or a new scheduler": KINDS[1:]}
    killed, failed = counts["killed"], counts["failed"]
    counts["attempts"] = [
        {"what": f"sweep on a cluster: {what}", "times": sum(killed[one] for one in kinds),
         "failures": sum(failed[one] for one in kinds)} for what, kinds in told.items()
    ]  # fmt: skip
    counts |= {"code_version": provenance.code_version(), "seed": chosen.seed}
    counts["failures"] = sum(failed.values())
    return told_of(counts, chosen.output)


if __name__ == "__main__":
    sys.exit(main())
