# Product to cube: calibrated reflectance on one grid, clouds and fill as nodata.


rule preprocess_scene:
    input:
        **code("preprocess_scene"),
        product=product_of,
        library=quac_library,
    output:
        cube="results/scenes/{scene}/cube/cube.tif",
        record="results/scenes/{scene}/cube/cube.json",
    log:
        "results/logs/preprocess_scene/{scene}.log",
    benchmark:
        "results/benchmarks/preprocess_scene/{scene}.tsv"
    wildcard_constraints:
        scene=scenes_by("study", "gilgit", "zafarghand"),
    conda:
        "../../envs/geo.yaml"
    threads: 4
    resources:
        mem_mb=block_memory(500, 200),
    params:
        digest=digest("preprocess_scene"),
        sensor=lambda wildcards: SCENES[wildcards.scene]["sensor"],
        atmosphere=lambda wildcards: " ".join(study_of(wildcards)["atmosphere"]) or "none",
        library=lambda wildcards, input: flag("library", input.get("library")),
        normalisation=lambda wildcards: study_of(wildcards)["normalisation"],
        subset=lambda wildcards: subset_flags(study_of(wildcards)),
        block_px=SETTINGS["block_px"],
    message:
        "Calibrating and masking {wildcards.scene}"
    shell:
        "python {input.script:q} --sensor {params.sensor} --product {input.product:q}"
        " --atmosphere {params.atmosphere} {params.library} {params.subset}"
        " --normalisation {params.normalisation}"
        " --cube {output.cube:q} --record {output.record:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


# The same ground as reflectance in all bands, for band ratios and spectral angles; the cube decides
# which of its pixels are valid.
use rule preprocess_scene as calibrate_scene with:
    input:
        **code("preprocess_scene"),
        product=product_of,
    output:
        cube="results/scenes/{scene}/cube/reflectance.tif",
        record="results/scenes/{scene}/cube/reflectance.json",
    log:
        "results/logs/calibrate_scene/{scene}.log",
    benchmark:
        "results/benchmarks/calibrate_scene/{scene}.tsv"
    params:
        digest=digest("preprocess_scene"),
        sensor=lambda wildcards: SCENES[wildcards.scene]["sensor"],
        atmosphere="none",
        library="",
        normalisation="none",
        subset=lambda wildcards: f"{area_flags(study_of(wildcards))} --mask",
        block_px=SETTINGS["block_px"],
    message:
        "Calibrating {wildcards.scene} to reflectance"


# Hundreds of bands fill the memory of a block a hundred times over.
SENSOR_BLOCK_PX = min(SETTINGS["block_px"], 256)


use rule preprocess_scene as preprocess_sensor with:
    input:
        **code("preprocess_scene"),
        product=sensor_product,
    output:
        cube="results/scenes/{scene}/sensors/{sensor}/cube.tif",
        record="results/scenes/{scene}/sensors/{sensor}/cube.json",
    log:
        "results/logs/preprocess_sensor/{scene}.{sensor}.log",
    benchmark:
        "results/benchmarks/preprocess_sensor/{scene}.{sensor}.tsv"
    wildcard_constraints:
        scene=scenes_by("study", "cuprite"),
        sensor="|".join(SENSORS),
    resources:
        mem_mb=1500,
    params:
        digest=digest("preprocess_scene"),
        sensor="{sensor}",
        # Level-2 products skip it; WorldView-3 comes as it looks from above the air.
        atmosphere="dos1",
        library="",
        normalisation="none",
        subset=lambda wildcards: sensor_subset(wildcards.sensor),
        block_px=SENSOR_BLOCK_PX,
    message:
        "Calibrating and masking {wildcards.sensor} of {wildcards.scene}"
