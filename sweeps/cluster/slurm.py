"""Workers that SLURM starts: `pip install dask-jobqueue`, then, on the login node,

    python sweeps/cluster/slurm.py --plan sweeps/paper.yml

Queue, hours and jobs are examples. Here only the job's script was looked at: there was no SLURM.
"""

import sys

from dask_jobqueue import SLURMCluster

from repro.command_line import main

if __name__ == "__main__":
    cluster = SLURMCluster(
        queue="normal", walltime="04:00:00", cores=16, processes=1, memory="32GB",
        job_script_prologue=["export REPRO_DATA_DIR=$HOME/data"],
        # On a GPU node instead: cores=1, job_extra_directives=["--gres=gpu:1"],
        # worker_extra_args=["--resources", "GPU=1"]
    )  # fmt: skip
    cluster.adapt(maximum_jobs=20)
    sys.exit(main(["sweep", "--scheduler", cluster.scheduler_address, *sys.argv[1:]]))
