# Maps of a study's scenes joined to one ground, targets ranked over the whole, and its page.


# Under a name of its own, or a cluster would take the jobs of all scenes for one group.
rule keep_lesson:
    input:
        "<place>/{file}",
    output:
        "<place>/lesson/{file}",
    log:
        "<logs>/keep_lesson/{scene}.{sensor}/{file}.log",
    benchmark:
        "<benchmarks>/keep_lesson/{scene}.{sensor}/{file}.tsv"
    wildcard_constraints:
        file=LESSON,
    localrule: True
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=100,
    params:
        way="-f",
    message:
        "Keeping {wildcards.file} of {wildcards.scene} for the scenes that it teaches"
    shell:
        "(ln {params.way} {input:q} {output:q} || cp {input:q} {output:q}) 2> {log:q}"


use rule record_settings as list_maps with:
    input:
        template=ancient(static("text.j2")),
    output:
        "<mosaic>/lists/{map}.txt",
    log:
        "<logs>/list_maps/{study}/{map}.log",
    wildcard_constraints:
        map=f"{joined_pattern(named=True)}|{joined_pattern(named=False)}",
    localrule: True
    params:
        text=lambda wildcards, output: flag_lines(
            Path(output[0]).parents[len(Path(wildcards.map).parts) + 3],
            [
                ["--scenes", *(scene["scene"] for scene in scenes_of(wildcards.study))],
                ["--maps", *maps_of_scenes(".tif")(wildcards)],
            ],
        ),
    message:
        "Listing {wildcards.map} of the scenes of {wildcards.study}"


use rule record_settings as list_cubes with:
    input:
        template=ancient(static("text.j2")),
    output:
        "<mosaic>/lists/cubes.txt",
    log:
        "<logs>/list_cubes/{study}.log",
    localrule: True
    params:
        text=lambda wildcards, output: flag_lines(
            Path(output[0]).parents[4], [["--cubes", *ground_cubes(wildcards)]]
        ),
    message:
        "Listing the cubes of the scenes of {wildcards.study}"


rule mosaic_classes:
    input:
        **code("mosaic_scenes"),
        told="<mosaic>/lists/{map}.txt",
        maps=maps_of_scenes(".tif"),
        styles=maps_of_scenes(".qml"),
        names=maps_of_scenes(".tif.aux.xml"),
    output:
        whole="<mosaic>/{map}.tif",
        style="<mosaic>/{map}.qml",
        names="<mosaic>/{map}.tif.aux.xml",
        record="<mosaic>/{map}.json",
    log:
        "<logs>/mosaic_classes/{study}/{map}.log",
    benchmark:
        "<benchmarks>/mosaic_classes/{study}/{map}.tsv"
    wildcard_constraints:
        map=joined_pattern(named=True),
    conda:
        "../../envs/geo.yaml"
    threads: 4
    resources:
        mem_mb=memory(500, 60),
    params:
        digest=digest("mosaic_scenes"),
        block_px=SETTINGS["block_px"],
    message:
        "Joining {wildcards.map} of the scenes of {wildcards.study}"
    shell:
        "python {input.script:q} @{input.told:q} --output {output.whole:q} --record {output.record:q} --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


use rule mosaic_classes as mosaic_numbers with:
    input:
        **code("mosaic_scenes"),
        told="<mosaic>/lists/{map}.txt",
        maps=maps_of_scenes(".tif"),
        styles=maps_of_scenes(".qml"),
    output:
        whole="<mosaic>/{map}.tif",
        style="<mosaic>/{map}.qml",
        record="<mosaic>/{map}.json",
    log:
        "<logs>/mosaic_numbers/{study}/{map}.log",
    benchmark:
        "<benchmarks>/mosaic_numbers/{study}/{map}.tsv"
    wildcard_constraints:
        map=joined_pattern(named=False),


use rule map_agreement as map_ground_agreement with:
    input:
        **code("map_agreement"),
        maps=on_ground(lambda wildcards: ranked_maps(wildcards)[0]),
        tables=of_ground(opinion_tables),
        classes=known_classes,
    output:
        potential="<mosaic>/targets/potential.tif",
        style="<mosaic>/targets/potential.qml",
        names="<mosaic>/targets/potential.tif.aux.xml",
        score="<mosaic>/targets/score.tif",
        score_style="<mosaic>/targets/score.qml",
        support="<mosaic>/targets/support.tif",
        support_style="<mosaic>/targets/support.qml",
        record="<mosaic>/targets/agreement.json",
        comparison="<mosaic>/targets/combined.csv",
    log:
        "<logs>/map_ground_agreement/{study}.log",
    benchmark:
        "<benchmarks>/map_ground_agreement/{study}.tsv"
    threads: 4
    params:
        digest=digest("map_agreement"),
        scene=name_of,
        maps=lambda wildcards, input: opinion_flags(one_of(wildcards), input),
        levels=lambda wildcards: flags(**pick(section("targets")(wildcards), "medium", "high")),
        block_px=SETTINGS["block_px"],
        truth="",
        left_out="",
        spatial=SPATIAL,
    message:
        "Mapping what the methods say together of the whole ground of {wildcards.study}"


use rule rank_targets as rank_ground_targets with:
    input:
        **code("rank_targets"),
        potential="<mosaic>/targets/potential.tif",
        score="<mosaic>/targets/score.tif",
        support="<mosaic>/targets/support.tif",
        uncertainty=on_ground(lambda wildcards: ranked_maps(wildcards)[2]),
        claims=of_ground(survey_of("claims")),
        occurrences=of_ground(survey_of("occurrences")),
        mines=of_ground(survey_of("mines")),
        known_mines=of_ground(survey_of("known_mines")),
        districts=of_ground(survey_of("districts")),
        known=known_sites,
        beside=beside(*(of_ground(survey_of(name)) for name in SITES), known_sites),
        ground=on_ground(lambda wildcards: ranked_maps(wildcards)[1]),
        ground_table=of_ground(lambda part: dominant_maps(part)[1]),
    output:
        targets="<mosaic>/targets/targets.gpkg",
        table="<mosaic>/targets/targets.csv",
        kml="<mosaic>/targets/targets.kml",
        gpx="<mosaic>/targets/targets.gpx",
        overlay="<mosaic>/targets/overlay.csv",
        curves="<mosaic>/targets/curves.csv",
        periods="<mosaic>/targets/periods.csv",
        districts="<mosaic>/targets/districts.csv",
        known_mines="<mosaic>/targets/known_mines.csv",
        record="<mosaic>/targets/targets.json",
    log:
        "<logs>/rank_ground_targets/{study}.log",
    benchmark:
        "<benchmarks>/rank_ground_targets/{study}.tsv"
    threads: 4
    message:
        "Ranking targets over the whole ground of {wildcards.study}"


rule explain_mosaic:
    input:
        **code("explain_mosaic"),
        records=joined_records,
        cubes=ground_cubes,
        told="<mosaic>/lists/cubes.txt",
    output:
        "<mosaic>/explanation.json",
    log:
        "<logs>/explain_mosaic/{study}.log",
    benchmark:
        "<benchmarks>/explain_mosaic/{study}.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=200,
    params:
        digest=digest("explain_mosaic"),
        teacher=lambda wildcards: flags(teacher=teacher_name(wildcards)),
        folder=lambda wildcards, output: os.path.dirname(output[0]),
    message:
        "Explaining the whole ground of {wildcards.study}"
    shell:
        "python {input.script:q} {params.teacher} --folder {params.folder:q}"
        " --records {input.records:q} @{input.told:q} --output {output:q}"
        " 2> {log:q}"


use rule list_layers as list_ground_layers with:
    input:
        known=ground_known,
    output:
        "<mosaic>/layers.json",
    log:
        "<logs>/list_ground_layers/{study}.log",
    benchmark:
        "<benchmarks>/list_ground_layers/{study}.tsv"
    localrule: True
    params:
        layers=ground_text,
    message:
        "Listing the layers of the whole ground of {wildcards.study}"


use rule draw_scene as draw_ground with:
    input:
        **code("draw_scene"),
        layers="<mosaic>/layers.json",
        files=ground_files,
        known=ground_known,
    output:
        map="<mosaic>/map.png",
        thumbnail="<mosaic>/thumbnail.png",
        pictures=directory("<mosaic>/pictures"),
    log:
        "<logs>/draw_ground/{study}.log",
    benchmark:
        "<benchmarks>/draw_ground/{study}.tsv"
    message:
        "Drawing the maps of the whole ground of {wildcards.study}"


use rule draw_map as draw_ground_map with:
    input:
        **code("draw_map"),
        layers="<mosaic>/layers.json",
        files=ground_files,
        known=ground_known,
        beside=beside(ground_known),
        template=static("map.html.j2"),
        page_script=static("map.js"),
        style=static("map.css"),
    output:
        "<mosaic>/map.html",
    log:
        "<logs>/draw_ground_map/{study}.log",
    benchmark:
        "<benchmarks>/draw_ground_map/{study}.tsv"
    message:
        "Drawing the interactive map of the whole ground of {wildcards.study}"


use rule write_project as write_ground_project with:
    input:
        **code("write_project"),
        layers="<mosaic>/layers.json",
        files=ground_files,
        known=ground_known,
        beside=beside(ground_known),
        classes=known_classes,
        covers=shown_covers,
    output:
        project="<results>/studies/{study}/mosaic/{study}.qgs",
        known=directory("<mosaic>/known"),
    log:
        "<logs>/write_ground_project/{study}.log",
    benchmark:
        "<benchmarks>/write_ground_project/{study}.tsv"
    message:
        "Writing the QGIS project of the whole ground of {wildcards.study}"


use rule render_scene as render_ground with:
    input:
        **code("render_scene"),
        layers="<mosaic>/layers.json",
        files=ground_files,
        known=ground_known,
        tables=lambda wildcards: ["<mosaic>/explanation.json", *target_tables(wildcards)],
        records=lambda wildcards: [path for *_, path in teacher_records(wildcards)],
        map="<mosaic>/map.png",
        web_map="<mosaic>/map.html",
        pictures="<mosaic>/pictures",
        project="<results>/studies/{study}/mosaic/{study}.qgs",
        template=static("scene.html.j2"),
        style=static("report.css"),
    output:
        page=report(
            "<mosaic>/index.html",
            category="Scenes",
            labels={"scene": "{study}, all scenes"},
            caption="../report/scene.rst",
        ),
        summary="<mosaic>/summary.json",
    log:
        "<logs>/render_ground/{study}.log",
    benchmark:
        "<benchmarks>/render_ground/{study}.tsv"
    params:
        digest=digest("render_scene"),
        records=lambda wildcards, input: records_told(teacher_records(wildcards), input),
        report=lambda wildcards, output: Path(output[0]).parents[1] / "report.html",
        index=lambda wildcards, output: Path(output[0]).parents[3] / "index.html",
    message:
        "Writing the page of the whole ground of {wildcards.study}"
