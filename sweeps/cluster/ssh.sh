#!/usr/bin/env bash
# Some machines by ssh; each has this package, and the data in REPRO_DATA_DIR or a network to fetch
# them. Tried with "ssh" standing for this machine alone, not between machines.
#     bash sweeps/cluster/ssh.sh "first second third" --plan sweeps/paper.yml
set -euo pipefail
hosts=$1 address=tcp://$(hostname):8786
shift
trap 'kill $(jobs -p)' EXIT
dask scheduler --port 8786 &
for host in $hosts; do
    # A thread for each core; on a machine with a GPU instead: --nthreads 1 --resources GPU=1
    ssh "$host" "dask worker $address --nthreads \$(nproc)" &
done
repro sweep --scheduler "$address" "$@"
