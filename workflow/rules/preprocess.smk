# Product to cube: calibrated reflectance on one grid, clouds and fill as nodata.


rule preprocess_scene:
    input:
        **code("preprocess_scene"),
        product=product_of,
    output:
        cube="results/scenes/{scene}/cube/cube.tif",
        record="results/scenes/{scene}/cube/cube.json",
    log:
        "results/logs/preprocess_scene/{scene}.log",
    benchmark:
        "results/benchmarks/preprocess_scene/{scene}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 4
    resources:
        mem_mb=block_memory(500, 200),
    params:
        digest=digest("preprocess_scene"),
        sensor=lambda wildcards: SCENES[wildcards.scene]["sensor"],
        study=study_of,
        mask=lambda wildcards: flag("mask", " ".join(study_of(wildcards)["mask"])),
        block_px=SETTINGS["block_px"],
    message:
        "Calibrating and masking {wildcards.scene}"
    shell:
        "python {input.script:q} --sensor {params.sensor} --product {input.product:q}"
        " --atmosphere {params.study[atmosphere]} {params.mask}"
        " --normalisation {params.study[normalisation]}"
        " --cube {output.cube:q} --record {output.record:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"
