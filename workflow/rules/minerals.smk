# Minerals by comparison with spectra: maps by group or of all, a second pass, zones, tables.


rule map_spectral_angles:
    input:
        **code("map_spectral_angles"),
        cube="<cube>",
        cube_record="<place>/cube/cube.json",
        references="<minerals>/library/references.csv",
        classes=classes_for("minerals"),
    output:
        classes=report(
            "<minerals>/class.tif",
            category="Maps",
            labels={"scene": "{scene}", "sensor": "{sensor}", "map": "Minerals"},
            caption="../report/class.rst",
        ),
        style="<minerals>/class.qml",
        names="<minerals>/class.tif.aux.xml",
        angle="<minerals>/angle.tif",
        angle_style="<minerals>/angle.qml",
        margin="<minerals>/margin.tif",
        margin_style="<minerals>/margin.qml",
        item="<minerals>/item.json",
    log:
        "<logs>/map_spectral_angles/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/map_spectral_angles/{scene}.{sensor}.tsv"
    wildcard_constraints:
        scene=scenes_matched(by_group=False),
    priority: FIRST
    conda:
        "../../envs/geo.yaml"
    threads: threads_up_to(4)
    resources:
        mem_mb=memory(500, 120),
    params:
        digest=digest("map_spectral_angles"),
        range_um=ranges_of,
        block_px=block_px_of,
    message:
        "Mapping spectral angles of {wildcards.sensor} of {wildcards.scene}"
    shell:
        "python {input.script:q} --cube {input.cube:q} --cube-record {input.cube_record:q}"
        " --references {input.references:q}"
        " --classes {input.classes:q} --class-map {output.classes:q} --angle {output.angle:q}"
        " --margin {output.margin:q} --item {output.item:q} {params.range_um}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule map_rules:
    input:
        **code("map_rules"),
        cube="<cube>",
        cube_record="<place>/cube/cube.json",
        references="<minerals>/library/references.csv",
        classes=classes_for("minerals"),
    output:
        rules="<minerals>/rules.tif",
        style="<minerals>/rules.qml",
    log:
        "<logs>/map_rules/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/map_rules/{scene}.{sensor}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: threads_up_to(2)
    resources:
        mem_mb=memory(700, 400),
    params:
        digest=digest("map_rules"),
        match=lambda wildcards: section("minerals")(wildcards)["match"],
        range_um=ranges_of,
        block_px=block_px_of,
    message:
        "Mapping the angle to each mineral of {wildcards.sensor} of {wildcards.scene}"
    shell:
        "python {input.script:q} --cube {input.cube:q} --cube-record {input.cube_record:q}"
        " --references {input.references:q} --classes {input.classes:q}"
        " --match {params.match} {params.range_um} --rules {output.rules:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule map_mineral_group:
    input:
        **code("map_mineral_group"),
        cube="<cube>",
        teacher=teaching_cube,
        cube_record="<place>/cube/cube.json",
        references="<minerals>/library/references.csv",
        classes=classes_for("minerals"),
    output:
        classes="<minerals>/{group}/class.tif",
        style="<minerals>/{group}/class.qml",
        names="<minerals>/{group}/class.tif.aux.xml",
        angle="<minerals>/{group}/angle.tif",
        angle_style="<minerals>/{group}/angle.qml",
        margin="<minerals>/{group}/margin.tif",
        margin_style="<minerals>/{group}/margin.qml",
        contrast="<minerals>/{group}/contrast.tif",
        contrast_style="<minerals>/{group}/contrast.qml",
        record="<minerals>/{group}/record.json",
    log:
        "<logs>/map_mineral_group/{scene}.{sensor}.{group}.log",
    benchmark:
        "<benchmarks>/map_mineral_group/{scene}.{sensor}.{group}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: threads_up_to(2)
    resources:
        mem_mb=memory(700, 300),
    params:
        digest=digest("map_mineral_group"),
        teacher=lambda wildcards, input: flags(teacher=input.get("teacher")),
        match=lambda wildcards: section("minerals")(wildcards)["match"],
        range_um=ranges_of,
        block_px=block_px_of,
    message:
        "Mapping minerals at {wildcards.group} of {wildcards.sensor} of {wildcards.scene}"
    shell:
        "python {input.script:q} --cube {input.cube:q} --cube-record {input.cube_record:q}"
        " --references {input.references:q} --classes {input.classes:q}"
        " --group {wildcards.group} --match {params.match} {params.range_um} {params.teacher}"
        " --class-map {output.classes:q}"
        " --angle {output.angle:q} --margin {output.margin:q} --contrast {output.contrast:q}"
        " --record {output.record:q} --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule teach_minerals:
    input:
        **code("teach_minerals"),
        cube="<cube>",
        classes=classes_for("minerals"),
        teacher=teaching_cube,
        class_map=first_map("class.tif"),
        angle=first_map("angle.tif"),
        contrast=first_map("contrast.tif"),
        record=first_map("record.json"),
    output:
        taught="<minerals>/{group}/taught.tif",
        style="<minerals>/{group}/taught.qml",
        names="<minerals>/{group}/taught.tif.aux.xml",
        probability="<minerals>/{group}/probability.tif",
        probability_style="<minerals>/{group}/probability.qml",
        record="<minerals>/{group}/taught.json",
    log:
        "<logs>/teach_minerals/{scene}.{sensor}.{group}.log",
    benchmark:
        "<benchmarks>/teach_minerals/{scene}.{sensor}.{group}.tsv"
    conda:
        "../../envs/learn.yaml"
    threads: threads_up_to(2)
    resources:
        mem_mb=memory(1200, 400),
    params:
        digest=digest("teach_minerals"),
        teacher=lambda wildcards, input: flags(teacher=input.get("teacher")),
        teach=lambda wildcards: flags(**section("minerals", "teach")(wildcards)),
        seed=SETTINGS["accuracy"]["seed"],
        block_px=block_px_of,
    message:
        "Teaching minerals at {wildcards.group} of {wildcards.sensor} of {wildcards.scene}"
    shell:
        "python {input.script:q} --cube {input.cube:q} --classes {input.classes:q}"
        " --class-map {input.class_map:q} --angle {input.angle:q} --contrast {input.contrast:q}"
        " --record {input.record:q} {params.teacher} {params.teach} --seed {params.seed}"
        " --taught-map {output.taught:q} --probability {output.probability:q}"
        " --taught-record {output.record:q} --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule merge_mineral_groups:
    input:
        **code("merge_mineral_groups"),
        maps=group_files("class.tif", "angle.tif", "margin.tif", "contrast.tif", "record.json"),
        classes=classes_for("minerals"),
    output:
        classes=report(
            "<minerals>/class.tif",
            category="Maps",
            labels={"scene": "{scene}", "sensor": "{sensor}", "map": "Minerals"},
            caption="../report/class.rst",
        ),
        style="<minerals>/class.qml",
        names="<minerals>/class.tif.aux.xml",
        angle="<minerals>/angle.tif",
        angle_style="<minerals>/angle.qml",
        margin="<minerals>/margin.tif",
        margin_style="<minerals>/margin.qml",
        item="<minerals>/item.json",
    log:
        "<logs>/merge_mineral_groups/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/merge_mineral_groups/{scene}.{sensor}.tsv"
    wildcard_constraints:
        scene=scenes_matched(by_group=True),
    conda:
        "../../envs/geo.yaml"
    threads: threads_up_to(2)
    resources:
        mem_mb=memory(500, 120),
    params:
        digest=digest("merge_mineral_groups"),
        groups=lambda wildcards, input: flags(
            groups=[os.path.dirname(path) for path in input.maps if path.endswith("record.json")]
        ),
        block_px=SETTINGS["block_px"],
    message:
        "Merging the mineral groups of {wildcards.sensor} of {wildcards.scene}"
    shell:
        "python {input.script:q} {params.groups} --classes {input.classes:q}"
        " --class-map {output.classes:q} --angle {output.angle:q} --margin {output.margin:q}"
        " --item {output.item:q} --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule group_zones:
    input:
        **code("group_zones"),
        class_map="<minerals>/class.tif",
        classes=classes_for("minerals"),
    output:
        zone="<minerals>/zones/{zone}.tif",
        style="<minerals>/zones/{zone}.qml",
        names="<minerals>/zones/{zone}.tif.aux.xml",
    log:
        "<logs>/group_zones/{scene}.{sensor}.{zone}.log",
    benchmark:
        "<benchmarks>/group_zones/{scene}.{sensor}.{zone}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory(400, 20),
    params:
        digest=digest("group_zones"),
        members=lambda wildcards: flags(members=zones_of(settings_of(wildcards))[wildcards.zone]),
        block_px=SETTINGS["block_px"],
    message:
        "Mapping the {wildcards.zone} zone of {wildcards.sensor} of {wildcards.scene}"
    shell:
        "python {input.script:q} --class-map {input.class_map:q} --classes {input.classes:q}"
        " --zone {wildcards.zone} {params.members} --output {output.zone:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule tabulate_classes:
    input:
        **code("tabulate_classes"),
        class_map="<minerals>/class.tif",
        angle="<minerals>/angle.tif",
        cube="<cube>",
        classes=classes_for("minerals"),
    output:
        areas="<minerals>/areas.csv",
        signatures="<minerals>/signatures.csv",
        pixels="<minerals>/pixels.gpkg",
        outlines="<minerals>/outlines.gpkg",
    log:
        "<logs>/tabulate_classes/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/tabulate_classes/{scene}.{sensor}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: threads_up_to(2)
    resources:
        mem_mb=memory(1200, 120),
    params:
        digest=digest("tabulate_classes"),
        points_per_class=lambda wildcards: section("minerals")(wildcards)["points_per_class"],
        block_px=block_px_of,
    message:
        "Tabulating class areas and coordinates of {wildcards.sensor} of {wildcards.scene}"
    shell:
        "python {input.script:q} --class-map {input.class_map:q} --angle {input.angle:q}"
        " --cube {input.cube:q} --classes {input.classes:q}"
        " --areas {output.areas:q} --signatures {output.signatures:q} --pixels {output.pixels:q}"
        " --outlines {output.outlines:q}"
        " --points-per-class {params.points_per_class}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule explain_map:
    input:
        **code("explain_map"),
        cube="<cube>",
        cube_record="<place>/cube/cube.json",
        maps=[f"<minerals>/{name}" for name in ("class.tif", "angle.tif", "areas.csv")],
        groups=group_files("class.tif", "angle.tif", "record.json"),
        taught=taught_records,
        references="<minerals>/library/references.csv",
        separable="<minerals>/library/separable.csv",
        classes=classes_for("minerals"),
    output:
        "<minerals>/explanation.json",
    log:
        "<logs>/explain_map/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/explain_map/{scene}.{sensor}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory(700, 300),
    params:
        digest=digest("explain_map"),
        folder=lambda wildcards, output: os.path.dirname(output[0]),
        groups=lambda wildcards: flags(
            match=section("minerals")(wildcards)["match"],
            groups=groups_of(settings_of(wildcards)),
            taught=taught_groups(settings_of(wildcards)),
        ),
        range_um=ranges_of,
        block_px=block_px_of,
    message:
        "Explaining the mineral maps of {wildcards.sensor} of {wildcards.scene}"
    shell:
        "python {input.script:q} --scene {wildcards.scene} --sensor {wildcards.sensor}"
        " --cube {input.cube:q} --cube-record {input.cube_record:q} --minerals {params.folder:q}"
        " --classes {input.classes:q} {params.groups} {params.range_um} --output {output:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"
