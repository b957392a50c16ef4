# Figures, the report of each study, and the index of all.


rule draw_minerals:
    input:
        **code("draw_minerals"),
        cube=cube_files,
        files=drawn_files("minerals"),
        classes=classes_for("minerals"),
    output:
        report(
            directory("<minerals>/figures"),
            patterns=["{name}.png"],
            category="Figures",
            subcategory="{scene}",
            labels={"sensor": "{sensor}", "method": "minerals", "figure": "{name}"},
            caption="../report/figures.rst",
        ),
    log:
        "<logs>/draw_minerals/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/draw_minerals/{scene}.{sensor}.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        digest=digest("draw_minerals"),
        folder=folder_drawn,
        more=lambda wildcards, input: flags(
            classes=input.classes,
            zones=list(zones_of(settings_of(wildcards))),
            match=section("minerals")(wildcards)["match"],
            groups=groups_of(settings_of(wildcards)),
            taught=taught_groups(settings_of(wildcards)),
        ),
    message:
        "Drawing the minerals of {wildcards.scene}"
    shell:
        "python {input.script:q} --scene-dir {params.folder:q} {params.more} --output-dir {output:q}"
        " 2> {log:q}"


use rule draw_minerals as draw_mnf with:
    input:
        **code("draw_mnf"),
        cube=cube_files,
        files=drawn_files("mnf"),
    output:
        report(
            directory("<mnf>/figures"),
            patterns=["{name}.png"],
            category="Figures",
            subcategory="{scene}",
            labels={"sensor": "{sensor}", "method": "mnf", "figure": "{name}"},
            caption="../report/figures.rst",
        ),
    log:
        "<logs>/draw_mnf/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/draw_mnf/{scene}.{sensor}.tsv"
    params:
        digest=digest("draw_mnf"),
        folder=folder_drawn,
        more="",
    message:
        "Drawing the noise fractions of {wildcards.scene}"


use rule draw_minerals as draw_patches with:
    input:
        **code("draw_patches"),
        cube=cube_files,
        files=drawn_files("patches"),
        runs=lambda wildcards: network_files(wildcards),
        class_map="<minerals>/class.tif",
        classes=classes_for("minerals"),
        published=static("published.json"),
    output:
        report(
            directory("<patches>/figures"),
            patterns=["{name}.png"],
            category="Figures",
            subcategory="{scene}",
            labels={"sensor": "{sensor}", "method": "patches", "figure": "{name}"},
            caption="../report/figures.rst",
        ),
    log:
        "<logs>/draw_patches/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/draw_patches/{scene}.{sensor}.tsv"
    params:
        digest=digest("draw_patches"),
        folder=folder_drawn,
        more=lambda wildcards, input: flags(
            classes=input.classes,
            networks=networks_of(wildcards),
            labels=drawn_pair(wildcards),
            **paper_of(wildcards, input),
        ),
    message:
        "Drawing the patches of {wildcards.scene}"


use rule draw_minerals as draw_zones with:
    input:
        **code("draw_zones"),
        cube=cube_files,
        files=drawn_files("zones"),
        truth=truth_for("zones"),
        beside=beside(truth_for("zones")),
        published=static("published.json"),
    output:
        report(
            directory("<zones>/figures"),
            patterns=["{name}.png"],
            category="Figures",
            subcategory="{scene}",
            labels={"sensor": "{sensor}", "method": "zones", "figure": "{name}"},
            caption="../report/figures.rst",
        ),
    log:
        "<logs>/draw_zones/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/draw_zones/{scene}.{sensor}.tsv"
    params:
        digest=digest("draw_zones"),
        folder=folder_drawn,
        more=lambda wildcards, input: flags(
            truth=told_truth("zones")(wildcards, input),
            scored=holds("scored", "zones")(wildcards),
            as_published=holds("published", "zones")(wildcards),
            **paper_of(wildcards, input),
        ),
    message:
        "Drawing the alteration zones of {wildcards.scene}"


use rule draw_minerals as draw_prospects with:
    input:
        **code("draw_prospects"),
        cube=cube_files,
        files=drawn_files("prospects"),
        classes=cover_classes,
        iron=static("iron.csv"),
        targets=lambda wildcards: drawn_targets(wildcards),
        mines=drawn_survey("mines"),
        geology=drawn_survey("geology"),
        claims=drawn_survey("claims"),
        occurrences=drawn_survey("occurrences"),
        known_mines=drawn_survey("known_mines"),
        beside=beside(*map(drawn_survey, DRAWN_SURVEYS)),
        published=static("published.json"),
    output:
        report(
            directory("<prospects>/figures"),
            patterns=["{name}.png"],
            category="Figures",
            subcategory="{scene}",
            labels={"sensor": "{sensor}", "method": "prospects", "figure": "{name}"},
            caption="../report/figures.rst",
        ),
    log:
        "<logs>/draw_prospects/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/draw_prospects/{scene}.{sensor}.tsv"
    params:
        digest=digest("draw_prospects"),
        folder=folder_drawn,
        more=lambda wildcards, input: flags(
            classes=input.classes,
            **prospect_flags(wildcards, input),
            **paper_of(wildcards, input),
        ),
    message:
        "Drawing the prospects of {wildcards.scene}"


use rule draw_minerals as draw_targets with:
    input:
        **code("draw_targets"),
        cube=cube_files,
        files=drawn_files("targets"),
        potential="<targets>/potential.tif",
        districts=survey_of("districts"),
        beside=beside(survey_of("districts")),
        published=static("published.json"),
    output:
        report(
            directory("<targets>/figures"),
            patterns=["{name}.png"],
            category="Figures",
            subcategory="{scene}",
            labels={"method": "targets", "figure": "{name}"},
            caption="../report/figures.rst",
        ),
    log:
        "<logs>/draw_targets/{scene}.log",
    benchmark:
        "<benchmarks>/draw_targets/{scene}.tsv"
    params:
        digest=digest("draw_targets"),
        folder=folder_drawn,
        more=lambda wildcards, input: flags(
            claims=holds("claims", "targets")(wildcards),
            potential=input.potential,
            **told_surveys(wildcards, input, "districts"),
            **paper_of(wildcards, input),
        ),
    message:
        "Drawing the targets of {wildcards.scene}"


use rule draw_minerals as draw_embedding with:
    input:
        **code("draw_embedding"),
        cube=cube_files,
        files=drawn_files("embedding"),
        truth=truth_for("embedding"),
        beside=beside(truth_for("embedding")),
        histories=lambda wildcards: network_histories(wildcards),
        classes=classes_for("embedding"),
        published=static("published.json"),
    output:
        report(
            directory("<embedding>/figures"),
            patterns=["{name}.png"],
            category="Figures",
            subcategory="{scene}",
            labels={"method": "embedding", "figure": "{name}"},
            caption="../report/figures.rst",
        ),
    log:
        "<logs>/draw_embedding/{scene}.log",
    benchmark:
        "<benchmarks>/draw_embedding/{scene}.tsv"
    params:
        digest=digest("draw_embedding"),
        folder=folder_drawn,
        more=lambda wildcards, input: flags(
            classes=input.classes,
            truth=told_truth("embedding")(wildcards, input),
            networks=trained_embeddings(wildcards),
            **paper_of(wildcards, input),
        ),
    message:
        "Drawing the sensors and the map of {wildcards.scene}"


rule draw_location:
    input:
        **code("draw_location"),
        cubes=lambda wildcards: [f"{place}/cube.tif" for place in cube_folders(wildcards.scene)],
        records=lambda wildcards: [f"{place}/cube.json" for place in cube_folders(wildcards.scene)],
        land=static("land.geojson"),
    output:
        report(
            "<scene>/location.png",
            category="Figures",
            subcategory="{scene}",
            labels={"sensor": "", "method": "", "figure": "location"},
            caption="../report/figures.rst",
        ),
    log:
        "<logs>/draw_location/{scene}.log",
    benchmark:
        "<benchmarks>/draw_location/{scene}.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        digest=digest("draw_location"),
        cubes=lambda wildcards, input: " ".join(
            flags(cube=[sensor, path])
            for sensor, path in zip(cube_folders(wildcards.scene).values(), input.cubes)
        ),
    message:
        "Drawing where {wildcards.scene} lies"
    shell:
        "python {input.script:q} {params.cubes} --land {input.land:q} --output {output:q}"
        " 2> {log:q}"


# No command line holds what a study of thousands of scenes has to tell; a file does.
rule record_settings:
    input:
        template=ancient(static("text.j2")),
        # Written with the report and not before: an older report keeps the settings it was made by.
        accuracy="<study>/accuracy.json",
    output:
        "<study>/settings.json",
    log:
        "<logs>/record_settings/{study}.log",
    localrule: True
    params:
        text=lambda wildcards: settings_text(wildcards.study),
    message:
        "Recording the settings of {wildcards.study}"
    template_engine:
        "jinja2"


use rule record_settings as list_records with:
    input:
        template=ancient(static("text.j2")),
    output:
        "<study>/records.txt",
    log:
        "<logs>/list_records/{study}.log",
    localrule: True
    params:
        text=lambda wildcards, output: flag_lines(
            Path(output[0]).parents[2],
            [
                ["--records", method, sensor, path]
                for method, sensor, path in accuracy_of(wildcards.study)
            ],
        ),
    message:
        "Listing the accuracy records of {wildcards.study}"


use rule record_settings as list_scenes with:
    input:
        template=ancient(static("text.j2")),
    output:
        "<results>/studies/scenes.txt",
    log:
        "<logs>/list_scenes.log",
    localrule: True
    params:
        text=lambda wildcards, output: flag_lines(
            Path(output[0]).parents[1],
            [
                ["--layers", *(f"{folder_of(scene)}/layers.json" for scene in SCENES)],
                ["--thumbnails", *(f"{folder_of(scene)}/thumbnail.png" for scene in SCENES)],
            ],
        ),
    message:
        "Listing the scenes"


use rule record_settings as list_studies with:
    input:
        template=ancient(static("text.j2")),
    output:
        "<results>/studies/studies.txt",
    log:
        "<logs>/list_studies.log",
    localrule: True
    params:
        text=lambda wildcards, output: flag_lines(
            Path(output[0]).parents[1],
            [["--study", study, f"<results>/studies/{study}"] for study in STUDIES],
        ),
    message:
        "Listing the studies"


rule render_report:
    input:
        **code("render_report"),
        results=shown_in_report,
        trial=trial_files,
        pixels=collection_summaries,
        classes=study_classes,
        accuracy="<study>/accuracy.json",
        settings="<study>/settings.json",
        fetched=told_of_fetching,
        residuals=static("analytic_residuals.csv"),
        published=static("published.json"),
        table=static("results.csv"),
        base=static("base.html.j2"),
        cards=static("cards.html.j2"),
        templates=[static(f"{method}.html.j2") for method in CONFIG.METHODS],
        style=static("report.css"),
    output:
        page=report(
            "<study>/report.html",
            category="Report",
            labels={"study": "{study}"},
            caption="../report/report.rst",
        ),
        pages=directory("<study>/report"),
    log:
        "<logs>/render_report/{study}.log",
    benchmark:
        "<benchmarks>/render_report/{study}.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        digest=digest("render_report"),
        folder=lambda wildcards, output: Path(output[0]).parents[2],
        templates=lambda wildcards, input: " ".join(
            flags(template=[method, path]) for method, path in zip(CONFIG.METHODS, input.templates)
        ),
        fetched=lambda wildcards, input: flags(fetched=list(input.fetched)),
    message:
        "Writing the report of {wildcards.study}"
    shell:
        "python {input.script:q} --study {wildcards.study} --settings {input.settings:q}"
        " --results {params.folder:q} --accuracy {input.accuracy:q}"
        " --published {input.published:q} --residuals {input.residuals:q} --table {input.table:q}"
        " --base {input.base:q} --cards {input.cards:q} {params.templates} --style {input.style:q}"
        " {params.fetched}"
        " --output {output.page:q} --pages {output.pages:q}"
        " 2> {log:q}"


rule render_index:
    input:
        **code("render_index"),
        reports=expand("<results>/studies/{study}/report.html", study=STUDIES),
        accuracy=expand("<results>/studies/{study}/accuracy.json", study=STUDIES),
        settings=expand("<results>/studies/{study}/settings.json", study=STUDIES),
        scenes=of_all_scenes("summary.json"),
        thumbnails=of_all_scenes("thumbnail.png"),
        grounds=expand("<results>/studies/{study}/mosaic/summary.json", study=MOSAICS),
        pictures=expand("<results>/studies/{study}/mosaic/thumbnail.png", study=MOSAICS),
        studies="<results>/studies/studies.txt",
        published=static("published.json"),
        template=static("index.html.j2"),
        cards=static("cards.html.j2"),
        style=static("report.css"),
    output:
        "<results>/index.html",
    log:
        "<logs>/render_index.log",
    benchmark:
        "<benchmarks>/render_index.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=300,
    params:
        digest=digest("render_index"),
        scenes=lambda wildcards, output: Path(output[0]).parent / "scenes",
    message:
        "Writing the index of studies"
    shell:
        "python {input.script:q} @{input.studies:q} --scenes {params.scenes:q}"
        " --published {input.published:q} --template {input.template:q} --cards {input.cards:q}"
        " --style {input.style:q} --output {output:q}"
        " 2> {log:q}"


# Of all rules the last: the index and the catalogue are made of what all others leave.
rule render_run:
    input:
        **code("render_run"),
        index="<results>/index.html",
        catalog="<results>/catalog.json",
        template=static("run.html.j2"),
        style=static("report.css"),
    output:
        "<results>/run.html",
    log:
        "<logs>/render_run.log",
    benchmark:
        "<benchmarks>/render_run.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=300,
    params:
        digest=digest("render_run"),
        benchmarks=lambda wildcards, output: os.path.normpath(
            os.path.join(os.path.dirname(output[0]), BENCHMARKS)
        ),
    message:
        "Writing what ran, how long and with how much memory"
    shell:
        "python {input.script:q} --benchmarks {params.benchmarks:q} --index {input.index:q}"
        " --template {input.template:q} --style {input.style:q} --output {output:q}"
        " 2> {log:q}"
