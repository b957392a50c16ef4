# Simulated ground, imaged as a native product.


rule simulate_landsat:
    input:
        **code("simulate_landsat"),
        library=source("resources/static/analytic_library.csv"),
        minerals=source("resources/static/minerals.csv"),
    output:
        product="results/scenes/{scene}/twin/product.tar",
        truth="results/scenes/{scene}/twin/truth.tif",
        truth_style="results/scenes/{scene}/twin/truth.qml",
        truth_names="results/scenes/{scene}/twin/truth.tif.aux.xml",
    log:
        "results/logs/simulate_landsat/{scene}.log",
    benchmark:
        "results/benchmarks/simulate_landsat/{scene}.tsv"
    wildcard_constraints:
        scene=scenes_by("sensor", "landsat"),
    conda:
        "../../envs/geo.yaml"
    threads: 4
    resources:
        mem_mb=block_memory(600, 800),
    params:
        digest=digest("simulate_landsat"),
        seed=SETTINGS["twin"]["seed"],
        size_px=SETTINGS["twin"]["size_px"]["landsat"],
        difficulty=SETTINGS["twin"]["difficulty"],
    message:
        "Simulating ground and Landsat product of {wildcards.scene} (synthetic)"
    shell:
        "python {input.script:q} --seed {params.seed}"
        " --size-px {params.size_px} --difficulty {params.difficulty}"
        " --library {input.library:q} --minerals {input.minerals:q}"
        " --product {output.product:q} --truth {output.truth:q} --threads {threads}"
        " 2> {log:q}"


rule simulate_aster:
    input:
        **code("simulate_aster"),
        library=source("resources/static/analytic_library.csv"),
        minerals=source("resources/static/minerals.csv"),
    output:
        product="results/scenes/{scene}/twin/product.hdf",
        zones="results/scenes/{scene}/twin/zones.gpkg",
        truth="results/scenes/{scene}/twin/truth.tif",
        truth_style="results/scenes/{scene}/twin/truth.qml",
        truth_names="results/scenes/{scene}/twin/truth.tif.aux.xml",
    log:
        "results/logs/simulate_aster/{scene}.log",
    benchmark:
        "results/benchmarks/simulate_aster/{scene}.tsv"
    wildcard_constraints:
        scene=scenes_by("sensor", "aster"),
    conda:
        "../../envs/geo.yaml"
    threads: 4
    resources:
        mem_mb=block_memory(600, 800),
    params:
        digest=digest("simulate_aster"),
        seed=SETTINGS["twin"]["seed"],
        size_px=SETTINGS["twin"]["size_px"]["aster"],
        difficulty=SETTINGS["twin"]["difficulty"],
    message:
        "Simulating ground and ASTER product of {wildcards.scene} (synthetic)"
    shell:
        "python {input.script:q} --seed {params.seed}"
        " --size-px {params.size_px} --difficulty {params.difficulty}"
        " --library {input.library:q} --minerals {input.minerals:q}"
        " --product {output.product:q} --truth {output.truth:q} --reference {output.zones:q}"
        " --threads {threads}"
        " 2> {log:q}"


rule simulate_sentinel2:
    input:
        **code("simulate_sentinel2"),
        library=source("resources/static/analytic_library.csv"),
        covers=source("resources/static/covers.csv"),
        iron=source("resources/static/iron.csv"),
    output:
        dates=directory("results/scenes/{scene}/twin/dates"),
        truth="results/scenes/{scene}/twin/truth.tif",
        truth_style="results/scenes/{scene}/twin/truth.qml",
        truth_names="results/scenes/{scene}/twin/truth.tif.aux.xml",
        iron_truth="results/scenes/{scene}/twin/iron_truth.tif",
        iron_style="results/scenes/{scene}/twin/iron_truth.qml",
        iron_names="results/scenes/{scene}/twin/iron_truth.tif.aux.xml",
        surveys=expand("results/scenes/{{scene}}/twin/{name}.gpkg", name=SURVEYS),
        rasters=expand("results/scenes/{{scene}}/twin/{name}.tif", name=TWIN_RASTERS),
    log:
        "results/logs/simulate_sentinel2/{scene}.log",
    benchmark:
        "results/benchmarks/simulate_sentinel2/{scene}.tsv"
    wildcard_constraints:
        scene=scenes_by("sensor", "sentinel2"),
    conda:
        "../../envs/geo.yaml"
    threads: 4
    resources:
        mem_mb=block_memory(1200, 800),
    params:
        digest=digest("simulate_sentinel2"),
        seed=SETTINGS["twin"]["seed"],
        size_px=SETTINGS["twin"]["size_px"]["sentinel2"],
        dates=SETTINGS["twin"]["dates"],
        difficulty=SETTINGS["twin"]["difficulty"],
        folder="results/scenes/{scene}/twin",
    message:
        "Simulating ground and Sentinel-2 dates of {wildcards.scene} (synthetic)"
    shell:
        "python {input.script:q} --seed {params.seed}"
        " --size-px {params.size_px} --dates {params.dates} --difficulty {params.difficulty}"
        " --library {input.library:q} --covers {input.covers:q} --iron {input.iron:q}"
        " --output-dir {params.folder:q} --threads {threads}"
        " 2> {log:q}"


rule simulate_sensors:
    input:
        **code("simulate_sensors"),
        library=source("resources/static/analytic_library.csv"),
        minerals=source("resources/static/minerals.csv"),
    output:
        emit="results/scenes/{scene}/twin/emit.nc",
        emit_mask="results/scenes/{scene}/twin/emit_MASK.nc",
        enmap=directory("results/scenes/{scene}/twin/enmap"),
        prisma="results/scenes/{scene}/twin/prisma.he5",
        sentinel2=directory("results/scenes/{scene}/twin/sentinel2"),
        worldview3=directory("results/scenes/{scene}/twin/worldview3"),
        truth="results/scenes/{scene}/twin/truth.tif",
        truth_style="results/scenes/{scene}/twin/truth.qml",
        truth_names="results/scenes/{scene}/twin/truth.tif.aux.xml",
    log:
        "results/logs/simulate_sensors/{scene}.log",
    benchmark:
        "results/benchmarks/simulate_sensors/{scene}.tsv"
    wildcard_constraints:
        scene=scenes_by("study", "cuprite"),
    conda:
        "../../envs/geo.yaml"
    threads: 4
    resources:
        mem_mb=block_memory(1500, 800),
    params:
        digest=digest("simulate_sensors"),
        seed=SETTINGS["twin"]["seed"],
        size_px=SETTINGS["twin"]["size_px"]["sensors"],
        difficulty=SETTINGS["twin"]["difficulty"],
        folder="results/scenes/{scene}/twin",
    message:
        "Simulating ground and products of five sensors of {wildcards.scene} (synthetic)"
    shell:
        "python {input.script:q} --seed {params.seed} --size-px {params.size_px}"
        " --difficulty {params.difficulty} --library {input.library:q}"
        " --minerals {input.minerals:q} --output-dir {params.folder:q} --threads {threads}"
        " 2> {log:q}"
