#!/usr/bin/env bash
# A cluster on one machine, for trying it: a scheduler, four workers of a core each, a sweep.
#     bash sweeps/cluster/laptop.sh --datasets digits --widths 8,16 --replicas 4 --epochs 200
set -euo pipefail
trap 'kill $(jobs -p)' EXIT
address=tcp://127.0.0.1:8786
dask scheduler --host 127.0.0.1 --port 8786 &
dask worker "$address" --nworkers 4 --nthreads 1 &
repro sweep --scheduler "$address" "$@"
