# Many dates, rasters or sensors to one cube; and what its bands hold of signal and noise.


rule composite_dates:
    input:
        **code("composite_dates"),
        product=product_of,
    output:
        cube="results/scenes/{scene}/cube/cube.tif",
        looks="results/scenes/{scene}/cube/looks.tif",
        looks_style="results/scenes/{scene}/cube/looks.qml",
        record="results/scenes/{scene}/cube/cube.json",
    log:
        "results/logs/composite_dates/{scene}.log",
    benchmark:
        "results/benchmarks/composite_dates/{scene}.tsv"
    wildcard_constraints:
        scene=scenes_by("sensor", "sentinel2"),
    conda:
        "../../envs/geo.yaml"
    threads: 4
    resources:
        mem_mb=block_memory(1500, 400),
    params:
        digest=digest("composite_dates"),
        bands=lambda wildcards: flag("bands", " ".join(study_of(wildcards)["bands"])),
        area=lambda wildcards: area_flags(study_of(wildcards)),
        resolution_m=lambda wildcards: study_of(wildcards)["resolution_m"],
        mask=lambda wildcards: study_of(wildcards)["mask"],
    message:
        "Making the median composite of {wildcards.scene}"
    shell:
        "python {input.script:q} --sensor sentinel2 --product {input.product:q} {params.bands}"
        " {params.area} --resolution-m {params.resolution_m} --mask {params.mask}"
        " --cube {output.cube:q} --looks {output.looks:q} --record {output.record:q}"
        " --threads {threads}"
        " 2> {log:q}"


rule stack_rasters:
    input:
        **code("stack_rasters"),
        product=product_of,
    output:
        cube="results/scenes/{scene}/cube/cube.tif",
        record="results/scenes/{scene}/cube/cube.json",
    log:
        "results/logs/stack_rasters/{scene}.log",
    benchmark:
        "results/benchmarks/stack_rasters/{scene}.tsv"
    wildcard_constraints:
        scene=scenes_by("sensor", "rasters"),
    conda:
        "../../envs/geo.yaml"
    threads: 2
    resources:
        mem_mb=block_memory(500, 200),
    params:
        digest=digest("stack_rasters"),
        bands=lambda wildcards: study_of(wildcards)["bands"],
        block_px=SETTINGS["block_px"],
    message:
        "Stacking the rasters of {wildcards.scene}"
    shell:
        "python {input.script:q} --product {input.product:q} --bands {params.bands}"
        " --cube {output.cube:q} --record {output.record:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule stack_sensors:
    input:
        **code("stack_sensors"),
        cubes=lambda wildcards: sensor_files(wildcards.scene, "cube.tif"),
        records=lambda wildcards: sensor_files(wildcards.scene, "cube.json"),
    output:
        stack="results/scenes/{scene}/stack/stack.tif",
        sensors="results/scenes/{scene}/stack/sensors.tif",
        bands="results/scenes/{scene}/stack/bands.csv",
        record="results/scenes/{scene}/stack/stack.json",
    log:
        "results/logs/stack_sensors/{scene}.log",
    benchmark:
        "results/benchmarks/stack_sensors/{scene}.tsv"
    wildcard_constraints:
        scene=scenes_by("study", "cuprite"),
    conda:
        "../../envs/geo.yaml"
    threads: 2
    resources:
        mem_mb=2000,
    params:
        digest=digest("stack_sensors"),
        cubes=lambda wildcards: " ".join(
            f"--cube {sensor} results/scenes/{wildcards.scene}/sensors/{sensor}/cube.tif"
            for sensor in sensors_of(wildcards.scene)
        ),
        stack=SETTINGS["studies"]["cuprite"]["stack"],
        excluded_um=lambda wildcards: " ".join(
            f"--exclude-um {low} {high}"
            for low, high in SETTINGS["studies"]["cuprite"]["stack"]["excluded_um"]
        ),
        block_px=SENSOR_BLOCK_PX,
    message:
        "Laying the sensors of {wildcards.scene} over one another"
    shell:
        "python {input.script:q} {params.cubes} --pixel-m {params.stack[pixel_m]}"
        " --extent {params.stack[extent]} {params.excluded_um} --stack {output.stack:q} --sensors {output.sensors:q}"
        " --bands {output.bands:q} --record {output.record:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule transform_mnf:
    input:
        **code("transform_mnf"),
        cube="results/scenes/{scene}/cube/cube.tif",
    output:
        components="results/scenes/{scene}/mnf/components.tif",
        components_style="results/scenes/{scene}/mnf/components.qml",
        purity="results/scenes/{scene}/mnf/purity.tif",
        purity_style="results/scenes/{scene}/mnf/purity.qml",
        eigenvalues="results/scenes/{scene}/mnf/eigenvalues.csv",
        endmembers="results/scenes/{scene}/mnf/endmembers.csv",
        places="results/scenes/{scene}/mnf/places.csv",
    log:
        "results/logs/transform_mnf/{scene}.log",
    benchmark:
        "results/benchmarks/transform_mnf/{scene}.tsv"
    conda:
        "../../envs/learn.yaml"
    threads: 4
    resources:
        mem_mb=block_memory(600, 300),
    params:
        digest=digest("transform_mnf"),
        mnf=lambda wildcards: study_of(wildcards)["mnf"],
        seed=SETTINGS["accuracy"]["seed"],
        block_px=SETTINGS["block_px"],
    message:
        "Finding noise fractions and pure pixels of {wildcards.scene}"
    shell:
        "python {input.script:q} --cube {input.cube:q} --components {params.mnf[components]}"
        " --skewers {params.mnf[skewers]} --seed {params.seed} --output {output.components:q}"
        " --eigenvalues {output.eigenvalues:q} --purity {output.purity:q}"
        " --endmembers {output.endmembers:q} --places {output.places:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"
