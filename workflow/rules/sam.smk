# Spectral Angle Mapper: mineral map, alteration zones, tables.


rule map_spectral_angles:
    input:
        **code("map_spectral_angles"),
        cube="results/scenes/{scene}/cube/cube.tif",
        references="results/scenes/{scene}/library/references.csv",
        classes=classes_of,
    output:
        classes=report(
            "results/scenes/{scene}/sam/class.tif",
            category="Maps",
            labels={"scene": "{scene}", "map": "SAM class"},
            caption="../report/class.rst",
        ),
        style="results/scenes/{scene}/sam/class.qml",
        names="results/scenes/{scene}/sam/class.tif.aux.xml",
        angle="results/scenes/{scene}/sam/angle.tif",
        angle_style="results/scenes/{scene}/sam/angle.qml",
        margin="results/scenes/{scene}/sam/margin.tif",
        margin_style="results/scenes/{scene}/sam/margin.qml",
        item="results/scenes/{scene}/sam/item.json",
    log:
        "results/logs/map_spectral_angles/{scene}.log",
    benchmark:
        "results/benchmarks/map_spectral_angles/{scene}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 4
    resources:
        mem_mb=block_memory(500, 120),
    params:
        digest=digest("map_spectral_angles"),
        block_px=SETTINGS["block_px"],
    message:
        "Mapping spectral angles of {wildcards.scene}"
    shell:
        "python {input.script:q} --cube {input.cube:q} --references {input.references:q}"
        " --classes {input.classes:q} --class-map {output.classes:q} --angle {output.angle:q}"
        " --margin {output.margin:q} --item {output.item:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule group_zones:
    input:
        **code("group_zones"),
        class_map="results/scenes/{scene}/sam/class.tif",
        classes=classes_of,
    output:
        zone="results/scenes/{scene}/zones/{zone}.tif",
        style="results/scenes/{scene}/zones/{zone}.qml",
        names="results/scenes/{scene}/zones/{zone}.tif.aux.xml",
    log:
        "results/logs/group_zones/{scene}.{zone}.log",
    benchmark:
        "results/benchmarks/group_zones/{scene}.{zone}.tsv"
    group:
        "tables"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=block_memory(400, 20),
    params:
        digest=digest("group_zones"),
        members=lambda wildcards: zones_of(SCENES[wildcards.scene]["study"])[wildcards.zone],
        block_px=SETTINGS["block_px"],
    message:
        "Mapping the {wildcards.zone} zone of {wildcards.scene}"
    shell:
        "python {input.script:q} --class-map {input.class_map:q} --classes {input.classes:q}"
        " --zone {wildcards.zone} --members {params.members} --output {output.zone:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule tabulate_classes:
    input:
        **code("tabulate_classes"),
        class_map="results/scenes/{scene}/sam/class.tif",
        angle="results/scenes/{scene}/sam/angle.tif",
        cube="results/scenes/{scene}/cube/cube.tif",
        classes=classes_of,
    output:
        areas="results/scenes/{scene}/tables/areas.csv",
        signatures="results/scenes/{scene}/tables/signatures.csv",
        pixels="results/scenes/{scene}/tables/pixels.gpkg",
    log:
        "results/logs/tabulate_classes/{scene}.log",
    benchmark:
        "results/benchmarks/tabulate_classes/{scene}.tsv"
    group:
        "tables"
    conda:
        "../../envs/geo.yaml"
    threads: 2
    resources:
        mem_mb=block_memory(800, 120),
    params:
        digest=digest("tabulate_classes"),
        points_per_class=SETTINGS["tables"]["points_per_class"],
        block_px=SETTINGS["block_px"],
    message:
        "Tabulating class areas and coordinates of {wildcards.scene}"
    shell:
        "python {input.script:q} --class-map {input.class_map:q} --angle {input.angle:q}"
        " --cube {input.cube:q} --classes {input.classes:q}"
        " --areas {output.areas:q} --signatures {output.signatures:q} --pixels {output.pixels:q}"
        " --points-per-class {params.points_per_class}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"
