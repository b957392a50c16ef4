# Entry for `snakemake --cores 8`. Other workflows use workflow/Snakefile as a module.

from snakemake.logging import logger
from snakemake.utils import available_cpu_count

# Jobs reckon with a core each: more of them than the machine has cores take a seventh more of its
# time. Only runs on other machines have a number of nodes.
asked, there = workflow.resource_settings.cores, available_cpu_count()
if workflow.resource_settings.nodes is None and not workflow.remote_exec and (asked or 0) > there:
    logger.info(f"--cores {asked}: this machine has {there}, and no more are used")
    workflow.resource_settings.cores = there
    workflow.global_resources["_cores"] = there


include: "workflow/Snakefile"


rule all:
    input:
        rules.products.input,


# Snakemake hears this from the file that it starts with, and from no other.
onstart:
    check_cluster()
    # With a limit of jobs a second, which is there unasked, each look for ready jobs plans another a
    # second later, and so does that: after a hundred jobs it looks a hundred times a second.
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


onerror:
    tell_faults(log)
