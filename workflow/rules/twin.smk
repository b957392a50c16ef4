# Simulated ground, imaged as native products.


rule simulate_file:
    input:
        **code("simulate_scene"),
        library=static("analytic_library.csv"),
    output:
        "<twin>/{sensor}.{suffix}",
    log:
        "<logs>/simulate_file/{scene}.{sensor}.{suffix}.log",
    benchmark:
        "<benchmarks>/simulate_file/{scene}.{sensor}.{suffix}.tsv"
    wildcard_constraints:
        sensor="landsat|aster|prisma",
        suffix="tar|hdf|he5",
    priority: FIRST
    conda:
        "../../envs/geo.yaml"
    threads: threads_up_to(4)
    resources:
        mem_mb=memory(1500, 800),
    params:
        digest=sensor_digest("simulate_scene"),
        product=lambda wildcards, output: output[0],
        ground=lambda wildcards: ground_flags(SCENES[wildcards.scene]["ground"]),
        # It hides the ground from sensors and leaves the truth as it is.
        coating=SETTINGS["twin"]["coating"],
        campaign=campaign_flags,
    message:
        "Simulating {wildcards.sensor} of {wildcards.scene} (synthetic)"
    shell:
        "python {input.script:q} {params.ground} --coating {params.coating} --sensor {wildcards.sensor}"
        " {params.campaign} --library {input.library:q} --product {params.product:q} --threads {threads}"
        " 2> {log:q}"


# With its mask beside it.
use rule simulate_file as simulate_emit with:
    output:
        product="<twin>/{sensor}.nc",
        mask="<twin>/{sensor}_MASK.nc",
    log:
        "<logs>/simulate_emit/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/simulate_emit/{scene}.{sensor}.tsv"
    wildcard_constraints:
        sensor="emit",


use rule simulate_file as simulate_folder with:
    output:
        directory("<twin>/{sensor}"),
    log:
        "<logs>/simulate_folder/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/simulate_folder/{scene}.{sensor}.tsv"
    wildcard_constraints:
        sensor="sentinel2|enmap|worldview3",


rule simulate_truth:
    input:
        **code("simulate_truth"),
        minerals=static("minerals.csv"),
        covers=static("covers.csv"),
        iron=static("iron.csv"),
    output:
        truth="<twin>/truth.tif",
        truth_style="<twin>/truth.qml",
        truth_names="<twin>/truth.tif.aux.xml",
    log:
        "<logs>/simulate_truth/{scene}.log",
    benchmark:
        "<benchmarks>/simulate_truth/{scene}.tsv"
    wildcard_constraints:
        scene=scenes_on("porphyry", "epithermal"),
    priority: FIRST
    conda:
        "../../envs/geo.yaml"
    threads: threads_up_to(2)
    resources:
        mem_mb=memory(600, 800),
    params:
        digest=digest("simulate_truth"),
        ground=lambda wildcards: ground_flags(SCENES[wildcards.scene]["ground"]),
        folder=lambda wildcards, output: Path(output.truth).parent,
    message:
        "Writing what is known of the ground of {wildcards.scene} (synthetic)"
    shell:
        "python {input.script:q} {params.ground} --minerals {input.minerals:q}"
        " --covers {input.covers:q} --iron {input.iron:q} --output-dir {params.folder:q}"
        " --threads {threads}"
        " 2> {log:q}"


use rule simulate_truth as simulate_zones with:
    output:
        truth="<twin>/truth.tif",
        truth_style="<twin>/truth.qml",
        truth_names="<twin>/truth.tif.aux.xml",
        zones="<twin>/zones.gpkg",
        faults="<twin>/faults.gpkg",
    log:
        "<logs>/simulate_zones/{scene}.log",
    benchmark:
        "<benchmarks>/simulate_zones/{scene}.tsv"
    wildcard_constraints:
        scene=scenes_on("porphyry-zones"),


use rule simulate_truth as simulate_surveys with:
    output:
        truth="<twin>/truth.tif",
        truth_style="<twin>/truth.qml",
        truth_names="<twin>/truth.tif.aux.xml",
        iron="<twin>/iron_truth.tif",
        iron_style="<twin>/iron_truth.qml",
        iron_names="<twin>/iron_truth.tif.aux.xml",
        surveys=expand("<twin>/{name}.gpkg", name=PLAN.SURVEYS),
        rasters=expand("<twin>/{name}", name=PLAN.TWIN_RASTERS),
    log:
        "<logs>/simulate_surveys/{scene}.log",
    benchmark:
        "<benchmarks>/simulate_surveys/{scene}.tsv"
    wildcard_constraints:
        scene=scenes_on("iron"),
