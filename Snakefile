# Entry for `snakemake --cores 8`. Other workflows use workflow/Snakefile as a module.


include: "workflow/Snakefile"


use_own_cores()


rule all:
    input:
        rules.products.input,


# Snakemake hears this from the file that it starts with, and from no other.
onstart:
    check_cluster()
    look_when_jobs_end()


onerror:
    tell_faults(log)
