# Product to cube: calibrated reflectance on one grid, clouds and fill as nodata; many dates or
# sensors on one.

# Hundreds of bands fill the memory of a block a hundred times over.
MANY_BANDS_BLOCK_PX = min(SETTINGS["block_px"], 256)


rule preprocess_scene:
    input:
        **code("preprocess_scene"),
        product=product_of,
        polygon=polygon_of,
        beside=beside(product_of, polygon_of),
        library=lambda wildcards: spectra_for_quac(settings_of(wildcards)["cube"]["atmosphere"]),
    output:
        cube="<cube>",
        style="<place>/cube/cube.qml",
        record="<place>/cube/cube.json",
    log:
        "<logs>/preprocess_scene/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/preprocess_scene/{scene}.{sensor}.tsv"
    wildcard_constraints:
        sensor="|".join(name for name in READERS if name != "sentinel2"),
    priority: FIRST
    conda:
        "../../envs/geo.yaml"
    threads: threads_up_to(4)
    resources:
        mem_mb=memory(1500, 200),
    params:
        digest=sensor_digest("preprocess_scene"),
        library=lambda wildcards, input: flags(library=input.get("library")),
        atmosphere=lambda wildcards: flags(
            atmosphere=settings_of(wildcards)["cube"]["atmosphere"] or ["none"]
        ),
        options=cube_of,
        numbers=numbers_of,
        block_px=block_px_of,
    message:
        "Calibrating and masking {wildcards.sensor} of {wildcards.scene}"
    shell:
        "python {input.script:q} --sensor {wildcards.sensor} --product {input.product:q}"
        " {params.atmosphere} {params.library} {params.options} {params.numbers}"
        " --cube {output.cube:q} --record {output.record:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule composite_dates:
    input:
        **code("composite_dates"),
        product=product_of,
        polygon=polygon_of,
        beside=beside(product_of, polygon_of),
    output:
        cube="<cube>",
        style="<place>/cube/cube.qml",
        looks="<place>/cube/looks.tif",
        looks_style="<place>/cube/looks.qml",
        record="<place>/cube/cube.json",
    log:
        "<logs>/composite_dates/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/composite_dates/{scene}.{sensor}.tsv"
    wildcard_constraints:
        sensor="sentinel2",
    priority: FIRST
    conda:
        "../../envs/geo.yaml"
    threads: threads_up_to(4)
    resources:
        mem_mb=memory(1500, 400),
    params:
        digest=sensor_digest("composite_dates"),
        options=cube_of,
        resolution_m=lambda wildcards: settings_of(wildcards)["cube"]["resolution_m"],
    message:
        "Making the median composite of {wildcards.scene}"
    shell:
        "python {input.script:q} --sensor {wildcards.sensor} --product {input.product:q}"
        " {params.options} --resolution-m {params.resolution_m}"
        " --cube {output.cube:q} --looks {output.looks:q} --record {output.record:q}"
        " --threads {threads}"
        " 2> {log:q}"


rule stack_sensors:
    input:
        **code("stack_sensors"),
        cubes=lambda wildcards: stack_cubes(wildcards.scene, "cube.tif").values(),
        records=lambda wildcards: stack_cubes(wildcards.scene, "cube.json").values(),
    output:
        cube="<scene>/stack/cube/cube.tif",
        style="<scene>/stack/cube/cube.qml",
        sensors="<scene>/stack/cube/sensors.tif",
        sensors_style="<scene>/stack/cube/sensors.qml",
        bands="<scene>/stack/cube/bands.csv",
        record="<scene>/stack/cube/cube.json",
    log:
        "<logs>/stack_sensors/{scene}.log",
    benchmark:
        "<benchmarks>/stack_sensors/{scene}.tsv"
    priority: FIRST
    conda:
        "../../envs/geo.yaml"
    threads: threads_up_to(2)
    resources:
        mem_mb=memory(2000),
    params:
        digest=digest("stack_sensors"),
        cubes=lambda wildcards, input: " ".join(
            flags(cube=[sensor, path])
            for sensor, path in zip(SCENES[wildcards.scene]["stack"], input.cubes)
        ),
        grid=lambda wildcards: flags(**pick(settings_of(wildcards)["stack"], "pixel_m", "extent")),
        excluded_um=lambda wildcards: " ".join(
            flags(exclude_um=span) for span in settings_of(wildcards)["stack"]["excluded_um"]
        ),
        block_px=MANY_BANDS_BLOCK_PX,
    message:
        "Laying the sensors of {wildcards.scene} over one another"
    shell:
        "python {input.script:q} {params.cubes} {params.grid} {params.excluded_um}"
        " --stack {output.cube:q} --sensors {output.sensors:q}"
        " --bands {output.bands:q} --record {output.record:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule make_images:
    input:
        **code("make_images"),
        cube="<cube>",
    output:
        composites=directory("<images>/composites"),
        ratios="<images>/ratios.tif",
        ratios_style="<images>/ratios.qml",
        components="<images>/pca.tif",
        components_style="<images>/pca.qml",
        selective="<images>/selective.tif",
        selective_style="<images>/selective.qml",
        stretch="<images>/stretch.tif",
        stretch_style="<images>/stretch.qml",
        table="<images>/images.csv",
        loadings="<images>/pca.csv",
    log:
        "<logs>/make_images/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/make_images/{scene}.{sensor}.tsv"
    wildcard_constraints:
        sensor="|".join(READERS),
    conda:
        "../../envs/geo.yaml"
    threads: threads_up_to(2)
    resources:
        mem_mb=memory(600, 400),
    params:
        digest=digest("make_images"),
        block_px=block_px_of,
    message:
        "Making images of {wildcards.sensor} of {wildcards.scene}"
    shell:
        "python {input.script:q} --cube {input.cube:q} --composites {output.composites:q}"
        " --ratios {output.ratios:q} --components {output.components:q}"
        " --selective {output.selective:q} --stretch {output.stretch:q}"
        " --table {output.table:q} --loadings {output.loadings:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"
