# Ground that the methods agree on, ranked as targets.


rule map_agreement:
    input:
        **code("map_agreement"),
        maps=opinion_files,
        tables=opinion_tables,
        truth=truth_of_targets,
        points=reference_points,
        beside=beside(truth_of_targets, reference_points),
        classes=known_classes,
    output:
        potential="<targets>/potential.tif",
        style="<targets>/potential.qml",
        names="<targets>/potential.tif.aux.xml",
        score="<targets>/score.tif",
        score_style="<targets>/score.qml",
        support="<targets>/support.tif",
        support_style="<targets>/support.qml",
        record="<targets>/agreement.json",
        comparison="<targets>/combined.csv",
    log:
        "<logs>/map_agreement/{scene}.log",
    benchmark:
        "<benchmarks>/map_agreement/{scene}.tsv"
    conda:
        "../../envs/learn.yaml"
    threads: threads_up_to(2)
    resources:
        mem_mb=memory(700, 500),
    params:
        digest=digest("map_agreement"),
        scene=name_of,
        maps=opinion_flags,
        levels=lambda wildcards: flags(**pick(section("targets")(wildcards), "medium", "high")),
        block_px=SETTINGS["block_px"],
        truth=teaching_flags,
        left_out=points_flag("left_out"),
        spatial=SPATIAL,
    message:
        "Mapping what the methods say together of {wildcards.scene}"
    shell:
        "python {input.script:q} {params.maps} {params.levels} --scene {params.scene}"
        " {params.truth} {params.left_out} {params.spatial}"
        " --potential {output.potential:q} --score {output.score:q}"
        " --support {output.support:q} --record {output.record:q}"
        " --comparison {output.comparison:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule rank_targets:
    input:
        **code("rank_targets"),
        potential="<targets>/potential.tif",
        score="<targets>/score.tif",
        support="<targets>/support.tif",
        uncertainty=ranked_uncertainty,
        claims=survey_of("claims"),
        occurrences=survey_of("occurrences"),
        mines=survey_of("mines"),
        known_mines=survey_of("known_mines"),
        districts=survey_of("districts"),
        known=known_sites,
        beside=beside(*map(survey_of, SITES), known_sites),
        ground=lambda wildcards: dominant_maps(wildcards)[0],
        ground_table=lambda wildcards: dominant_maps(wildcards)[1],
    output:
        targets="<targets>/targets.gpkg",
        table="<targets>/targets.csv",
        kml="<targets>/targets.kml",
        gpx="<targets>/targets.gpx",
        overlay="<targets>/overlay.csv",
        curves="<targets>/curves.csv",
        periods="<targets>/periods.csv",
        districts="<targets>/districts.csv",
        known_mines="<targets>/known_mines.csv",
        record="<targets>/targets.json",
    log:
        "<logs>/rank_targets/{scene}.log",
    benchmark:
        "<benchmarks>/rank_targets/{scene}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: threads_up_to(2)
    resources:
        mem_mb=memory(1500),
    params:
        digest=digest("rank_targets"),
        scene=name_of,
        more=lambda wildcards, input: flags(
            uncertainty=input.get("uncertainty"),
            **told_surveys(wildcards, input, *SITES),
            known=as_named(input.get("known"), section("targets")(wildcards)["known"]),
            **pick(section("targets")(wildcards), "substances", "periods"),
        ),
        ground=dominant_flags,
        ranking=lambda wildcards: flags(
            **pick(
                section("targets")(wildcards),
                *("min_area_ha", "level", "spatial_block_px", "substance_attribute"),
                "date_attribute",
            ),
            **pick(SETTINGS["accuracy"], "bootstrap", "seed"),
        ),
    message:
        "Ranking targets of {wildcards.scene}"
    shell:
        "python {input.script:q} --potential {input.potential:q} --score {input.score:q}"
        " --support {input.support:q} {params.more} {params.ground} {params.ranking} --scene {params.scene}"
        " --targets {output.targets:q} --table {output.table:q} --kml {output.kml:q}"
        " --gpx {output.gpx:q} --overlay {output.overlay:q}"
        " --curves {output.curves:q} --period-table {output.periods:q}"
        " --district-table {output.districts:q} --mine-table {output.known_mines:q}"
        " --record {output.record:q} --threads {threads}"
        " 2> {log:q}"
