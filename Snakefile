# Entry for `snakemake --cores 8`. Other workflows use workflow/Snakefile as a module.


include: "workflow/Snakefile"


rule all:
    input:
        rules.products.input,


# Snakemake hears this from the file that it starts with, and from no other.
onstart:
    check_cluster()
    # With a limit of jobs a second, which is there unasked, each look for ready jobs plans another a
    # second later, and so does that: after a hundred jobs it looks a hundred times a second.
    if vars(workflow.scheduling_settings.max_jobs_per_timespan) == {"max_jobs": 100, "timespan": 1}:
        workflow.scheduler.job_rate_limiter = None


onerror:
    tell_faults(log)
