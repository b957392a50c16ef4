# What a geologist opens of a scene.


rule list_layers:
    input:
        known=known_files,
    output:
        "<scene>/layers.json",
    log:
        "<logs>/list_layers/{scene}.log",
    benchmark:
        "<benchmarks>/list_layers/{scene}.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=100,
    params:
        layers=layers_text,
    message:
        "Listing the layers of {wildcards.scene}"
    shell:
        "printf '%s\\n' {params.layers:q} > {output:q} 2> {log:q}"


rule draw_scene:
    input:
        **code("draw_scene"),
        layers="<scene>/layers.json",
        files=layer_files,
        known=known_files,
    output:
        map="<scene>/map.png",
        thumbnail="<scene>/thumbnail.png",
        pictures=directory("<scene>/pictures"),
    log:
        "<logs>/draw_scene/{scene}.log",
    benchmark:
        "<benchmarks>/draw_scene/{scene}.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=memory(1500),
    params:
        digest=digest("draw_scene"),
    message:
        "Drawing the maps of {wildcards.scene}"
    shell:
        "python {input.script:q} --layers {input.layers:q} --map {output.map:q}"
        " --thumbnail {output.thumbnail:q} --pictures {output.pictures:q}"
        " 2> {log:q}"


rule draw_map:
    input:
        **code("draw_map"),
        layers="<scene>/layers.json",
        files=layer_files,
        known=known_files,
        beside=beside(known_files),
        template=static("map.html.j2"),
        page_script=static("map.js"),
        style=static("map.css"),
    output:
        "<scene>/map.html",
    log:
        "<logs>/draw_map/{scene}.log",
    benchmark:
        "<benchmarks>/draw_map/{scene}.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        digest=digest("draw_map"),
    message:
        "Drawing the interactive map of {wildcards.scene}"
    shell:
        "python {input.script:q} --layers {input.layers:q} --template {input.template:q}"
        " --script {input.page_script:q} --style {input.style:q} --output {output:q} 2> {log:q}"


rule draw_sheet:
    input:
        **code("draw_sheet"),
        layers="<scene>/layers.json",
        files=layer_files,
        known=known_files,
        beside=beside(known_files),
        tables=page_files,
        records=lambda wildcards: [path for *_, path in records_of(SCENES[wildcards.scene])],
        land=static("land.geojson"),
    output:
        "<scene>/sheet.pdf",
    log:
        "<logs>/draw_sheet/{scene}.log",
    benchmark:
        "<benchmarks>/draw_sheet/{scene}.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=memory(1500),
    params:
        digest=digest("draw_sheet"),
        records=record_flags,
        paper=lambda wildcards: settings_of(wildcards)["sheet"]["paper"],
    message:
        "Drawing the map sheet of {wildcards.scene}"
    shell:
        "python {input.script:q} --layers {input.layers:q} {params.records} --land {input.land:q}"
        " --paper {params.paper:q} --output {output:q}"
        " 2> {log:q}"


rule render_scene:
    input:
        **code("render_scene"),
        layers="<scene>/layers.json",
        files=layer_files,
        known=known_files,
        tables=page_files,
        records=lambda wildcards: [path for *_, path in records_of(SCENES[wildcards.scene])],
        map="<scene>/map.png",
        web_map="<scene>/map.html",
        pictures="<scene>/pictures",
        project="<results>/scenes/{scene}/{scene}.qgs",
        sheet="<scene>/sheet.pdf",
        template=static("scene.html.j2"),
        style=static("report.css"),
    output:
        page=report(
            "<scene>/index.html",
            category="Scenes",
            labels={"scene": "{scene}"},
            caption="../report/scene.rst",
        ),
        summary="<scene>/summary.json",
    log:
        "<logs>/render_scene/{scene}.log",
    benchmark:
        "<benchmarks>/render_scene/{scene}.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        digest=digest("render_scene"),
        records=record_flags,
        report=lambda wildcards, output: study_page(wildcards, output, "report.html"),
        index=lambda wildcards, output: Path(output[0]).parents[2] / "index.html",
    message:
        "Writing the page of {wildcards.scene}"
    shell:
        "python {input.script:q} --layers {input.layers:q} {params.records}"
        " --report {params.report:q} --index {params.index:q} --template {input.template:q}"
        " --style {input.style:q} --summary {output.summary:q} --output {output.page:q}"
        " 2> {log:q}"


rule write_catalog:
    input:
        **code("write_catalog"),
        layers=of_all_scenes("layers.json"),
        thumbnails=of_all_scenes("thumbnail.png"),
        files=catalogued_files,
        told="<results>/studies/scenes.txt",
    output:
        catalog="<results>/catalog.json",
        folder=directory("<results>/stac"),
    log:
        "<logs>/write_catalog.log",
    benchmark:
        "<benchmarks>/write_catalog.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory(500),
    params:
        digest=digest("write_catalog"),
    message:
        "Writing the STAC catalogue"
    shell:
        "python {input.script:q} @{input.told:q}"
        " --catalog {output.catalog:q} --folder {output.folder:q}"
        " 2> {log:q}"


rule write_project:
    input:
        **code("write_project"),
        layers="<scene>/layers.json",
        files=layer_files,
        known=known_files,
        beside=beside(known_files),
        classes=known_classes,
        covers=shown_covers,
    output:
        # Not <scene>, for Snakemake would then give the second wildcard a constraint of its own.
        project="<results>/scenes/{scene}/{scene}.qgs",
        known=directory("<scene>/known"),
    log:
        "<logs>/write_project/{scene}.log",
    benchmark:
        "<benchmarks>/write_project/{scene}.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=memory(700, 60),
    params:
        digest=digest("write_project"),
    message:
        "Writing the QGIS project of {wildcards.scene}"
    shell:
        "python {input.script:q} --layers {input.layers:q} --classes {input.classes:q}"
        " --method-classes prospects {input.covers:q} --known {output.known:q}"
        " --output {output.project:q}"
        " 2> {log:q}"
