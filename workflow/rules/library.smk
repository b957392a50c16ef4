# Reference spectra: a study's classes, and their spectra on a scene's bands.


rule select_classes:
    input:
        **code("select_classes"),
        minerals=source("resources/static/minerals.csv"),
    output:
        "results/studies/{study}/classes.csv",
    log:
        "results/logs/select_classes/{study}.log",
    benchmark:
        "results/benchmarks/select_classes/{study}.tsv"
    localrule: True
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=300,
    params:
        digest=digest("select_classes"),
        minerals=lambda wildcards: minerals_of(wildcards.study),
        angles=lambda wildcards: angle_flags(SETTINGS["studies"][wildcards.study]),
    message:
        "Selecting the classes of {wildcards.study}"
    shell:
        "python {input.script:q} --minerals {input.minerals:q}"
        " --references {params.minerals} {params.angles} --classes {output:q}"
        " 2> {log:q}"


rule resample_library:
    input:
        **code("resample_library"),
        library=library_sources,
        classes=classes_of,
        cube=cube_of,
    output:
        references="results/scenes/{scene}/library/references.csv",
        records="results/scenes/{scene}/library/records.csv",
    log:
        "results/logs/resample_library/{scene}.log",
    benchmark:
        "results/benchmarks/resample_library/{scene}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=500,
    params:
        digest=digest("resample_library"),
    message:
        "Resampling reference spectra to the bands of {wildcards.scene}"
    shell:
        "python {input.script:q} --library {input.library:q} --classes {input.classes:q}"
        " --cube {input.cube:q} --references {output.references:q}"
        " --records {output.records:q}"
        " 2> {log:q}"
