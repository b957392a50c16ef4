# Samples around known mines, labels by spectral angle, random forests and potential.


wildcard_constraints:
    target="cover|iron",


rule sample_strata:
    input:
        **code("sample_strata"),
        cube="<cube>",
        mines=survey_of("mines"),
        ore_points=survey_of("ore_points"),
        truth=truth_for("prospects"),
        beside=beside(survey_of("mines"), survey_of("ore_points"), truth_for("prospects")),
        classes=static("covers.csv"),
    output:
        samples="<prospects>/samples/samples.gpkg",
        table="<prospects>/samples/strata.csv",
    log:
        "<logs>/sample_strata/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/sample_strata/{scene}.{sensor}.tsv"
    priority: FIRST
    conda:
        "../../envs/geo.yaml"
    threads: threads_up_to(2)
    resources:
        mem_mb=memory(1500),
    params:
        digest=digest("sample_strata"),
        truth=truth_flag("prospects"),
        surveys=lambda wildcards, input: flags(
            **told_surveys(wildcards, input, "mines", "ore_points")
        ),
        strata=lambda wildcards: flags(**section("prospects", "strata")(wildcards)),
        seed=SETTINGS["accuracy"]["seed"],
    message:
        "Sampling strata around the mines of {wildcards.scene}"
    shell:
        "python {input.script:q} --cube {input.cube:q} {params.surveys}"
        " {params.truth} --classes {input.classes:q}"
        " {params.strata} --seed {params.seed} --samples {output.samples:q}"
        " --table {output.table:q} --threads {threads}"
        " 2> {log:q}"


rule sample_truth:
    input:
        **code("sample_truth"),
        cube="<cube>",
        truth=train_truth,
        beside=beside(train_truth),
        classes=cover_classes,
    output:
        "<prospects>/samples/points.csv",
    log:
        "<logs>/sample_truth/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/sample_truth/{scene}.{sensor}.tsv"
    conda:
        "../../envs/learn.yaml"
    threads: threads_up_to(2)
    resources:
        mem_mb=memory(1500),
    params:
        digest=digest("sample_truth"),
        points=lambda wildcards: flags(
            **pick(section("prospects", "points")(wildcards), "count", "test_share", "label")
        ),
        seed=SETTINGS["accuracy"]["seed"],
    message:
        "Drawing labelled points of {wildcards.scene} from its truth"
    shell:
        "python {input.script:q} --cube {input.cube:q} --truth {input.truth:q}"
        " --classes {input.classes:q} {params.points} --seed {params.seed} --samples {output:q}"
        " --threads {threads}"
        " 2> {log:q}"


rule label_iron:
    input:
        **code("label_iron"),
        cube="<cube>",
        samples="<prospects>/samples/samples.gpkg",
        references=ore_references,
        geology=survey_of("geology"),
        beside=beside(survey_of("geology")),
        classes=static("iron.csv"),
        covers=static("covers.csv"),
    output:
        similarity="<prospects>/labels/similarity.tif",
        similarity_style="<prospects>/labels/similarity.qml",
        labels="<prospects>/labels/iron.tif",
        style="<prospects>/labels/iron.qml",
        names="<prospects>/labels/iron.tif.aux.xml",
        scan="<prospects>/labels/scan.csv",
        robustness="<prospects>/labels/robustness.csv",
        spectra="<prospects>/labels/spectra.csv",
        points="<prospects>/labels/points.csv",
        record="<prospects>/labels/labels.json",
        accuracy="<prospects>/accuracy/labels.json",
    log:
        "<logs>/label_iron/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/label_iron/{scene}.{sensor}.tsv"
    priority: FIRST
    conda:
        "../../envs/geo.yaml"
    threads: threads_up_to(2)
    resources:
        mem_mb=memory(900, 200),
    params:
        digest=digest("label_iron"),
        more=lambda wildcards, input: flags(
            references=input.get("references"), **told_surveys(wildcards, input, "geology")
        ),
        labels=lambda wildcards: flags(
            max_angle_rad=[
                f"{name}={angle}"
                for name, angle in section("prospects", "max_angle_rad_of")(wildcards).items()
            ],
            theta_max_rad=section("prospects", "theta_max_rad")(wildcards) or "published",
            grades=section("prospects", "grades")(wildcards),
            **pick(SETTINGS["accuracy"], "bootstrap", "seed"),
        ),
        block_px=block_px_of,
    message:
        "Labelling iron ore of {wildcards.scene} by spectral angle"
    shell:
        "python {input.script:q} --cube {input.cube:q} --samples {input.samples:q}"
        " {params.more} --classes {input.classes:q} --covers {input.covers:q} {params.labels}"
        " --scene {wildcards.scene}"
        " --similarity {output.similarity:q} --labels {output.labels:q} --scan {output.scan:q}"
        " --robustness {output.robustness:q} --spectra {output.spectra:q}"
        " --points {output.points:q} --record {output.record:q} --accuracy {output.accuracy:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule validate_forest:
    input:
        **code("validate_forest"),
        cube="<cube>",
        rasters=rasters_of,
        samples=points_of,
        test=test_points_of,
        beside=beside(rasters_of, points_of, test_points_of),
        classes=cover_classes,
        plans=lambda wildcards: section("prospects", "forest", "plans")(wildcards)
        or static("forest_plans.json"),
    output:
        table="<prospects>/forest/validation.csv",
        importance="<prospects>/forest/importance.csv",
        shap="<prospects>/forest/shap.csv",
        chosen="<prospects>/forest/chosen.json",
        records=directory("<prospects>/accuracy/forest"),
    log:
        "<logs>/validate_forest/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/validate_forest/{scene}.{sensor}.tsv"
    priority: EARLY
    conda:
        "../../envs/learn.yaml"
    threads: threads_up_to(2)
    resources:
        mem_mb=memory(3000),
    params:
        digest=digest("validate_forest"),
        more=lambda wildcards, input: flags(
            samples=told_points(wildcards, input, "samples", "train"),
            extra=list(input.rasters),
            test=told_points(wildcards, input, "test", "test"),
        ),
        validation=lambda wildcards: flags(
            label=section("prospects", "points", "label")(wildcards),
            spatial_block_px=section("prospects", "strata", "spatial_block_px")(wildcards),
            **pick(section("prospects", "forest")(wildcards), "folds", "chosen_by"),
            **pick(SETTINGS["accuracy"], "bootstrap", "seed"),
        ),
        explain=lambda wildcards: " ".join(section("prospects", "forest", "explain")(wildcards)),
        block_px=block_px_of,
    message:
        "Testing forests of {wildcards.scene} on random and on blocked splits"
    shell:
        "python {input.script:q} --cube {input.cube:q} {params.more}"
        " --classes {input.classes:q} --plans {input.plans:q} --scene {wildcards.scene}"
        " {params.validation} --explain {params.explain}"
        " --table {output.table:q} --record-dir {output.records:q}"
        " --chosen {output.chosen:q} --importance {output.importance:q} --shap {output.shap:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule train_forest:
    input:
        **code("train_forest"),
        cube="<cube>",
        rasters=rasters_of,
        labels=labels_of,
        beside=beside(rasters_of, labels_of),
        classes=target_classes,
        plan="<prospects>/forest/chosen.json",
    output:
        forest="<prospects>/forest/{target}.npz",
        record="<prospects>/forest/{target}.json",
    log:
        "<logs>/train_forest/{scene}.{sensor}.{target}.log",
    benchmark:
        "<benchmarks>/train_forest/{scene}.{sensor}.{target}.tsv"
    conda:
        "../../envs/learn.yaml"
    threads: threads_up_to(2)
    resources:
        mem_mb=memory(1500),
    params:
        digest=digest("train_forest"),
        labels=lambda wildcards, input: flags(
            extra=list(input.rasters),
            **(
                {"label_map": input.labels}
                if wildcards.target == "iron"
                else {"samples": told_points(wildcards, input, "labels", "train")}
            ),
            label=section("prospects", "points", "label")(wildcards),
            per_class=section("prospects", "forest", "per_class")(wildcards),
        ),
        seed=SETTINGS["accuracy"]["seed"],
        block_px=block_px_of,
    message:
        "Training the {wildcards.target} forest of {wildcards.scene}"
    shell:
        "python {input.script:q} --cube {input.cube:q} {params.labels} --seed {params.seed}"
        " --classes {input.classes:q} --plan {input.plan:q} --scene {wildcards.scene}"
        " --forest {output.forest:q} --record {output.record:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule map_forest:
    input:
        **code("map_forest"),
        cube="<cube>",
        rasters=rasters_of,
        beside=beside(rasters_of),
        forest=forest_of,
        classes=target_classes,
    output:
        class_map=report(
            "<prospects>/{target}/class.tif",
            category="Maps",
            labels={"scene": "{scene}", "sensor": "{sensor}", "map": "Forest: {target}"},
            caption="../report/forest.rst",
        ),
        style="<prospects>/{target}/class.qml",
        names="<prospects>/{target}/class.tif.aux.xml",
        probability="<prospects>/{target}/probability.tif",
        probability_style="<prospects>/{target}/probability.qml",
        uncertainty="<prospects>/{target}/uncertainty.tif",
        uncertainty_style="<prospects>/{target}/uncertainty.qml",
        record="<prospects>/{target}/map.json",
    log:
        "<logs>/map_forest/{scene}.{sensor}.{target}.log",
    benchmark:
        "<benchmarks>/map_forest/{scene}.{sensor}.{target}.tsv"
    conda:
        "../../envs/learn.yaml"
    threads: threads_up_to(4)
    resources:
        mem_mb=memory(700, 800),
    params:
        digest=digest("map_forest"),
        extra=lambda wildcards, input: flags(extra=list(input.rasters)),
        block_px=block_px_of,
    message:
        "Mapping {wildcards.target} of {wildcards.scene} by its forest"
    shell:
        "python {input.script:q} --cube {input.cube:q} {params.extra} --forest {input.forest:q}"
        " --classes {input.classes:q} --class-map {output.class_map:q}"
        " --probability {output.probability:q} --uncertainty {output.uncertainty:q}"
        " --record {output.record:q} --scene {wildcards.scene}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule map_potential:
    input:
        **code("map_potential"),
        probability="<prospects>/iron/probability.tif",
        geology=survey_of("geology"),
        beside=beside(survey_of("geology")),
    output:
        potential=report(
            "<prospects>/potential/potential.tif",
            category="Maps",
            labels={"scene": "{scene}", "sensor": "{sensor}", "map": "Potential"},
            caption="../report/potential.rst",
        ),
        style="<prospects>/potential/potential.qml",
        names="<prospects>/potential/potential.tif.aux.xml",
        score="<prospects>/potential/score.tif",
        score_style="<prospects>/potential/score.qml",
    log:
        "<logs>/map_potential/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/map_potential/{scene}.{sensor}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: threads_up_to(4)
    resources:
        mem_mb=memory(500, 100),
    params:
        digest=digest("map_potential"),
        by="score",
        geology=lambda wildcards, input: flags(**told_surveys(wildcards, input, "geology")),
        potential=section("prospects", "potential"),
        block_px=SETTINGS["block_px"],
    message:
        "Mapping the potential of {wildcards.scene}"
    shell:
        "python {input.script:q} --probability {input.probability:q} {params.geology}"
        " --by {params.by} --medium {params.potential[medium]} --high {params.potential[high]}"
        " --potential {output.potential:q} --score {output.score:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


# The method as its paper has it, beside the study's own.
rule teach_grades:
    input:
        **code("teach_grades"),
        cube="<cube>",
        rasters=rasters_of,
        samples="<prospects>/samples/samples.gpkg",
        strata="<prospects>/samples/strata.csv",
        points="<prospects>/labels/points.csv",
        assignments=lambda wildcards: section("prospects", "published", "table")(wildcards)
        or static("strata_grades.csv"),
        classes=static("iron.csv"),
        label_map="<prospects>/labels/iron.tif",
        plan="<prospects>/forest/chosen.json",
        geology=survey_of("geology"),
        beside=beside(rasters_of, survey_of("geology")),
        truth=lambda wildcards: (
            in_twin(wildcards, "iron_truth.tif") if holds("twin", "prospects")(wildcards) else []
        ),
    output:
        forest="<prospects>/published/forest.npz",
        record="<prospects>/published/forest.json",
        cells="<prospects>/published/cells.csv",
        table="<prospects>/published/scores.csv",
        records=directory("<prospects>/accuracy/published"),
    log:
        "<logs>/teach_grades/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/teach_grades/{scene}.{sensor}.tsv"
    priority: EARLY
    conda:
        "../../envs/learn.yaml"
    threads: threads_up_to(2)
    resources:
        mem_mb=memory(2000),
    params:
        digest=digest("teach_grades"),
        more=lambda wildcards, input: flags(
            extra=list(input.rasters),
            truth=input.get("truth"),
            **told_surveys(wildcards, input, "geology"),
        ),
        grading=lambda wildcards: flags(
            **pick(
                section("prospects", "published")(wildcards), "theta_max_rad", "grades", "weight"
            ),
            **section("prospects", "published", "forest")(wildcards),
        ),
        compared=lambda wildcards: flags(
            spatial_block_px=section("prospects", "strata", "spatial_block_px")(wildcards),
            **pick(section("prospects", "forest")(wildcards), "folds", "per_class"),
            **section("prospects", "potential")(wildcards),
            **pick(SETTINGS["accuracy"], "bootstrap", "seed"),
        ),
        block_px=block_px_of,
    message:
        "Teaching the grades of strata of {wildcards.scene}, and testing them"
    shell:
        "python {input.script:q} --cube {input.cube:q} {params.more} --samples {input.samples:q}"
        " --strata {input.strata:q} --points {input.points:q}"
        " --assignments {input.assignments:q} --classes {input.classes:q} {params.grading}"
        " --label-map {input.label_map:q} --plan {input.plan:q} {params.compared}"
        " --scene {wildcards.scene} --forest {output.forest:q} --record {output.record:q}"
        " --cells {output.cells:q} --table {output.table:q} --record-dir {output.records:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


use rule map_forest as map_published with:
    input:
        **code("map_forest"),
        cube="<cube>",
        rasters=[],
        beside=[],
        forest="<prospects>/published/forest.npz",
        classes=static("iron.csv"),
    output:
        class_map=report(
            "<prospects>/published/class.tif",
            category="Maps",
            labels={"scene": "{scene}", "sensor": "{sensor}", "map": "Grades as published"},
            caption="../report/forest.rst",
        ),
        style="<prospects>/published/class.qml",
        names="<prospects>/published/class.tif.aux.xml",
        probability="<prospects>/published/probability.tif",
        probability_style="<prospects>/published/probability.qml",
        uncertainty="<prospects>/published/uncertainty.tif",
        uncertainty_style="<prospects>/published/uncertainty.qml",
        record="<prospects>/published/map.json",
    log:
        "<logs>/map_published/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/map_published/{scene}.{sensor}.tsv"
    params:
        digest=digest("map_forest"),
        extra="",
        block_px=block_px_of,
    message:
        "Mapping the grades of {wildcards.scene} as published"


use rule map_potential as map_published_potential with:
    input:
        **code("map_potential"),
        probability="<prospects>/published/probability.tif",
        geology=survey_of("geology"),
        beside=beside(survey_of("geology")),
    output:
        potential=report(
            "<prospects>/published/potential.tif",
            category="Maps",
            labels={"scene": "{scene}", "sensor": "{sensor}", "map": "Potential as published"},
            caption="../report/potential.rst",
        ),
        style="<prospects>/published/potential.qml",
        names="<prospects>/published/potential.tif.aux.xml",
        score="<prospects>/published/score.tif",
        score_style="<prospects>/published/score.qml",
    log:
        "<logs>/map_published_potential/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/map_published_potential/{scene}.{sensor}.tsv"
    params:
        digest=digest("map_potential"),
        by="class",
        geology=lambda wildcards, input: flags(**told_surveys(wildcards, input, "geology")),
        potential=section("prospects", "potential"),
        block_px=SETTINGS["block_px"],
    message:
        "Mapping the potential of {wildcards.scene} as published"


rule compare_potentials:
    input:
        **code("compare_potentials"),
        potential=expand(
            "<prospects>/{folder}/potential.tif",
            folder=("published", "potential"),
            allow_missing=True,
        ),
        score=expand(
            "<prospects>/{folder}/score.tif", folder=("published", "potential"), allow_missing=True
        ),
        claims=survey_of("claims"),
        occurrences=survey_of("occurrences"),
        mines=survey_of("mines"),
        known_mines=survey_of("known_mines"),
        beside=beside(*map(survey_of, SITES[:4])),
    output:
        "<prospects>/published/sites.csv",
    log:
        "<logs>/compare_potentials/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/compare_potentials/{scene}.{sensor}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: threads_up_to(2)
    resources:
        mem_mb=memory(1500),
    params:
        digest=digest("compare_potentials"),
        sites=lambda wildcards, input: flags(
            **told_surveys(wildcards, input, *SITES[:4]),
            **site_settings(wildcards),
            **pick(SETTINGS["accuracy"], "bootstrap", "seed"),
        ),
    message:
        "Comparing the potential of {wildcards.scene} as published with ours"
    shell:
        "python {input.script:q} --potential {input.potential:q} --score {input.score:q}"
        " {params.sites} --table {output:q} --threads {threads}"
        " 2> {log:q}"
