# What the bands of a cube hold of signal and noise, and its purest pixels.


rule transform_mnf:
    input:
        **code("transform_mnf"),
        cube="<cube>",
    output:
        components="<mnf>/components.tif",
        components_style="<mnf>/components.qml",
        purity="<mnf>/purity.tif",
        purity_style="<mnf>/purity.qml",
        eigenvalues="<mnf>/eigenvalues.csv",
        endmembers="<mnf>/endmembers.csv",
        places="<mnf>/places.csv",
    log:
        "<logs>/transform_mnf/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/transform_mnf/{scene}.{sensor}.tsv"
    conda:
        "../../envs/learn.yaml"
    threads: threads_up_to(4)
    resources:
        mem_mb=memory(600, 300),
    params:
        digest=digest("transform_mnf"),
        mnf=lambda wildcards: flags(
            endmember_count=section("mnf", "endmembers")(wildcards),
            **pick(section("mnf")(wildcards), "components", "skewers", "purity_threshold"),
            seed=SETTINGS["accuracy"]["seed"],
        ),
        block_px=block_px_of,
    message:
        "Finding noise fractions and pure pixels of {wildcards.sensor} of {wildcards.scene}"
    shell:
        "python {input.script:q} --cube {input.cube:q} {params.mnf} --output {output.components:q}"
        " --eigenvalues {output.eigenvalues:q} --purity {output.purity:q}"
        " --endmembers {output.endmembers:q} --places {output.places:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"
