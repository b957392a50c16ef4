# Entry for `snakemake --cores 8`. Other workflows use workflow/Snakefile as a module.


include: "workflow/Snakefile"


rule all:
    input:
        rules.products.input,


# Snakemake hears this from the file that it starts with, and from no other.
onstart:
    check_cluster()


onerror:
    tell_faults(log)
