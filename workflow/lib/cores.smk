# The cores of one machine: how many jobs share them, and when Snakemake looks for the next.

from snakemake.logging import logger
from snakemake.utils import available_cpu_count


def use_own_cores():
    """Take no more cores than this machine has, and say so where more are asked for.

    Jobs reckon with a core each. Four for each core took a seventh more of its time.
    """
    asked, there = workflow.resource_settings.cores, available_cpu_count()
    # A run on other machines has a number of nodes, and its jobs have the cores given to them.
    elsewhere = workflow.resource_settings.nodes is not None or workflow.remote_exec
    if asked is not None and asked > there and not elsewhere:
        logger.info(f"--cores {asked}: this machine has {there}, and no more are used")
        workflow.resource_settings.cores = there
        workflow.global_resources["_cores"] = there


def look_when_jobs_end():
    """Look for ready jobs only when one has ended.

    With a limit of jobs a second, which is there unasked, each look plans another a second later,
    and so does that: after a hundred jobs it looks a hundred times a second. No machine or cluster
    starts the hundred jobs a second that are the limit then; another one, asked for, stays.
    """
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if limit is not None and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None
