# Figures, the report of each kind of study, and the index of all.

FIGURES = ["composite", "classes", "zones", "angle", "spectra", "areas", "confusion", "accuracy"]
CNN_FIGURES = ["patches", "training", "protocols", "reliability", "network-map", "proportions"]
ZONE_FIGURES = [
    *("composite", "signal", "histograms", "anomalies", "subbands", "profile", "wavelets"),
    *(f"confidence-{zone}" for zone in ZONES),
    *("scores", "curves", "comparison"),
]
FOREST_FIGURES = [
    *("composite", "splits", "confusions", "importance", "shap", "classes", "probability"),
]
PROSPECT_FIGURES = [
    *FOREST_FIGURES,
    *("looks", "strata", "eigenvalues", "endmembers", "scan", "robustness", "labels"),
    *("potential", "overlay", "success", "prediction-area"),
]
if SETTINGS["studies"]["bahia"]["points"]["train"]:
    PROSPECT_FIGURES = FOREST_FIGURES
SENSOR_FIGURES = ["sensors", "map", "training", "spectra"]
# Of scenes with a reference.
DETECTOR_FIGURES = ["detection", "subsets", "gain", "similarity", "coverage"]


rule draw_figures:
    input:
        **code("draw_figures"),
        cube="results/scenes/{scene}/cube/cube.tif",
        record="results/scenes/{scene}/cube/cube.json",
        class_map="results/scenes/{scene}/sam/class.tif",
        angle="results/scenes/{scene}/sam/angle.tif",
        margin="results/scenes/{scene}/sam/margin.tif",
        zones=lambda wildcards: zone_maps(wildcards.scene),
        classes=classes_of,
        references="results/scenes/{scene}/library/references.csv",
        signatures="results/scenes/{scene}/tables/signatures.csv",
        areas="results/scenes/{scene}/tables/areas.csv",
        accuracy="results/scenes/{scene}/accuracy/sam.json",
    output:
        report(
            expand("results/scenes/{{scene}}/figures/{figure}.png", figure=FIGURES),
            category="Figures",
            subcategory="{scene}",
            caption="../report/figures.rst",
        ),
    log:
        "results/logs/draw_figures/{scene}.log",
    benchmark:
        "results/benchmarks/draw_figures/{scene}.tsv"
    wildcard_constraints:
        scene=scenes_by("study", "gilgit"),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        digest=digest("draw_figures"),
        folder="results/scenes/{scene}/figures",
    message:
        "Drawing the figures of {wildcards.scene}"
    shell:
        "python {input.script:q} --cube {input.cube:q} --record {input.record:q}"
        " --class-map {input.class_map:q} --angle {input.angle:q} --margin {input.margin:q}"
        " --zones {input.zones:q} --classes {input.classes:q} --references {input.references:q}"
        " --signatures {input.signatures:q} --areas {input.areas:q}"
        " --accuracy {input.accuracy:q} --output-dir {params.folder:q}"
        " 2> {log:q}"


rule draw_networks:
    input:
        **code("draw_networks"),
        patches="results/scenes/{scene}/cnn/patches/pair/colour.npz",
        table="results/scenes/{scene}/cnn/patches/pair/patches.csv",
        classes=classes_of,
        runs=expand(
            "results/scenes/{{scene}}/cnn/networks/{network}/{name}",
            network=NETWORKS,
            name=["record.json", "history.csv", "accuracy.json"],
        ),
        class_map="results/scenes/{scene}/cnn/map/class.tif",
        probability="results/scenes/{scene}/cnn/map/probability.tif",
        proportions="results/scenes/{scene}/cnn/map/proportions.csv",
        published=source("resources/static/published.json"),
    output:
        report(
            expand("results/scenes/{{scene}}/cnn/figures/{figure}.png", figure=CNN_FIGURES),
            category="Figures",
            subcategory="{scene}",
            caption="../report/figures.rst",
        ),
    log:
        "results/logs/draw_networks/{scene}.log",
    benchmark:
        "results/benchmarks/draw_networks/{scene}.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        digest=digest("draw_networks"),
        runs=lambda wildcards: " ".join(
            f"--run {name} results/scenes/{wildcards.scene}/cnn/networks/{name}"
            for name in NETWORKS
        ),
        folder="results/scenes/{scene}/cnn/figures",
    message:
        "Drawing the networks of {wildcards.scene}"
    shell:
        "python {input.script:q} --study gilgit --patches {input.patches:q} --table {input.table:q}"
        " --classes {input.classes:q} {params.runs} --class-map {input.class_map:q}"
        " --probability {input.probability:q} --proportions {input.proportions:q}"
        " --published {input.published:q} --output-dir {params.folder:q}"
        " 2> {log:q}"


rule draw_zones:
    input:
        **code("draw_zones"),
        cube="results/scenes/{scene}/cube/cube.tif",
        record="results/scenes/{scene}/cube/cube.json",
        anomalies="results/scenes/{scene}/mad/anomalies.tif",
        anomaly_table="results/scenes/{scene}/mad/anomalies.csv",
        subbands="results/scenes/{scene}/wavelets/subbands.tif",
        profile="results/scenes/{scene}/wavelets/profile.csv",
        wavelets="results/scenes/{scene}/wavelets/comparison.csv",
        confidence=expand("results/scenes/{{scene}}/confidence/{zone}.tif", zone=ZONES),
        confidence_table="results/scenes/{scene}/confidence/confidence.csv",
        reference=reference_of,
        score=lambda wildcards: score_files(wildcards.scene),
    output:
        report(
            expand("results/scenes/{{scene}}/figures/{figure}.png", figure=ZONE_FIGURES),
            category="Figures",
            subcategory="{scene}",
            caption="../report/figures.rst",
        ),
    log:
        "results/logs/draw_zones/{scene}.log",
    benchmark:
        "results/benchmarks/draw_zones/{scene}.tsv"
    wildcard_constraints:
        scene=scenes_by("study", "zafarghand"),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        digest=digest("draw_zones"),
        reference=lambda wildcards, input: flag("reference", input.get("reference")),
        score=lambda wildcards: score_draw_flags(wildcards.scene),
        folder="results/scenes/{scene}/figures",
    message:
        "Drawing the alteration zones of {wildcards.scene}"
    shell:
        "python {input.script:q} --cube {input.cube:q} --record {input.record:q}"
        " --anomalies {input.anomalies:q} --anomaly-table {input.anomaly_table:q}"
        " --subbands {input.subbands:q} --profile {input.profile:q} --wavelets {input.wavelets:q}"
        " --confidence {input.confidence:q} --confidence-table {input.confidence_table:q}"
        " {params.reference} {params.score} --output-dir {params.folder:q}"
        " 2> {log:q}"


rule draw_prospects:
    input:
        **code("draw_prospects"),
        cube="results/scenes/{scene}/cube/cube.tif",
        record="results/scenes/{scene}/cube/cube.json",
        classes=cover_classes,
        map_classes=drawn_classes,
        accuracy=lambda wildcards: list(scene_records(wildcards.scene)),
        scores="results/scenes/{scene}/forest/validation.csv",
        importance="results/scenes/{scene}/forest/importance.csv",
        shap="results/scenes/{scene}/forest/shap.csv",
        parts=lambda wildcards: list(prospect_parts(wildcards).values()),
        published=source("resources/static/published.json"),
    output:
        report(
            expand("results/scenes/{{scene}}/figures/{figure}.png", figure=PROSPECT_FIGURES),
            category="Figures",
            subcategory="{scene}",
            caption="../report/figures.rst",
        ),
    log:
        "results/logs/draw_prospects/{scene}.log",
    benchmark:
        "results/benchmarks/draw_prospects/{scene}.tsv"
    wildcard_constraints:
        scene=scenes_by("study", "bahia"),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        digest=digest("draw_prospects"),
        parts=lambda wildcards: " ".join(
            flag(name, path) for name, path in prospect_parts(wildcards).items()
        ),
        substances=lambda wildcards: flag(
            "substances", " ".join(study_of(wildcards)["potential"]["substances"])
        ),
        folder="results/scenes/{scene}/figures",
    message:
        "Drawing the prospectivity of {wildcards.scene}"
    shell:
        "python {input.script:q} --study bahia --cube {input.cube:q} --record {input.record:q}"
        " --classes {input.classes:q} --map-classes {input.map_classes:q}"
        " --accuracy {input.accuracy:q} --scores {input.scores:q}"
        " --importance {input.importance:q} --shap {input.shap:q} {params.parts}"
        " {params.substances} --published {input.published:q} --output-dir {params.folder:q}"
        " 2> {log:q}"


rule draw_sensors:
    input:
        **code("draw_sensors"),
        record="results/scenes/{scene}/stack/stack.json",
        bands="results/scenes/{scene}/stack/bands.csv",
        classes=classes_of,
        stack="results/scenes/{scene}/stack/stack.tif",
        sensors="results/scenes/{scene}/stack/sensors.tif",
        class_map="results/scenes/{scene}/metric/map/class.tif",
        answer="results/scenes/{scene}/metric/map/answer.tif",
        distance="results/scenes/{scene}/metric/map/distance.tif",
        truth=lambda wildcards: truth_raster(wildcards),
        histories=lambda wildcards: network_paths(wildcards.scene, "history.csv").values(),
        references="results/scenes/{scene}/library/references.csv",
        published=source("resources/static/published.json"),
    output:
        report(
            expand("results/scenes/{{scene}}/figures/{figure}.png", figure=SENSOR_FIGURES),
            category="Figures",
            subcategory="{scene}",
            caption="../report/figures.rst",
        ),
    log:
        "results/logs/draw_sensors/{scene}.log",
    benchmark:
        "results/benchmarks/draw_sensors/{scene}.tsv"
    wildcard_constraints:
        scene=scenes_by("study", "cuprite"),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        digest=digest("draw_sensors"),
        truth=lambda wildcards, input: flag("truth", input.get("truth")),
        networks=lambda wildcards: " ".join(
            f"--network {name} {path}"
            for name, path in network_paths(wildcards.scene, "history.csv").items()
        ),
        folder="results/scenes/{scene}/figures",
    message:
        "Drawing the sensors and the map of {wildcards.scene}"
    shell:
        "python {input.script:q} --study cuprite --record {input.record:q} --bands {input.bands:q}"
        " --classes {input.classes:q} --stack {input.stack:q} --sensors {input.sensors:q}"
        " --class-map {input.class_map:q} --answer {input.answer:q} --distance {input.distance:q}"
        " {params.truth} {params.networks} --references {input.references:q}"
        " --published {input.published:q} --output-dir {params.folder:q}"
        " 2> {log:q}"


rule draw_detectors:
    input:
        **code("draw_sensors"),
        record="results/scenes/{scene}/stack/stack.json",
        bands="results/scenes/{scene}/stack/bands.csv",
        classes=classes_of,
        detection="results/scenes/{scene}/metric/assessment/detection.csv",
        subsets="results/scenes/{scene}/metric/assessment/subsets.csv",
        similarity="results/scenes/{scene}/metric/assessment/similarity.csv",
        coverage="results/scenes/{scene}/metric/assessment/coverage.csv",
        published=source("resources/static/published.json"),
    output:
        report(
            expand("results/scenes/{{scene}}/figures/{figure}.png", figure=DETECTOR_FIGURES),
            category="Figures",
            subcategory="{scene}",
            caption="../report/figures.rst",
        ),
    log:
        "results/logs/draw_detectors/{scene}.log",
    benchmark:
        "results/benchmarks/draw_detectors/{scene}.tsv"
    wildcard_constraints:
        scene=scenes_by("study", "cuprite"),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        digest=digest("draw_sensors"),
        folder="results/scenes/{scene}/figures",
    message:
        "Drawing the tests of {wildcards.scene}"
    shell:
        "python {input.script:q} --study cuprite --record {input.record:q} --bands {input.bands:q}"
        " --classes {input.classes:q} --detection {input.detection:q} --subsets {input.subsets:q}"
        " --similarity {input.similarity:q} --coverage {input.coverage:q}"
        " --published {input.published:q} --output-dir {params.folder:q}"
        " 2> {log:q}"


rule record_settings:
    input:
        # Written with the report and not before: an older report keeps the settings it was made by.
        "results/studies/{study}/accuracy.json",
    output:
        "results/studies/{study}/settings.json",
    log:
        "results/logs/record_settings/{study}.log",
    benchmark:
        "results/benchmarks/record_settings/{study}.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=100,
    params:
        settings=lambda wildcards: settings_text(wildcards.study),
    message:
        "Recording the settings of {wildcards.study}"
    shell:
        "printf '%s\\n' {params.settings:q} > {output:q} 2> {log:q}"


rule render_report:
    input:
        **code("render_report"),
        records=lambda wildcards: expand(
            "results/scenes/{scene}/cube/cube.json", scene=scenes_of(wildcards.study)
        ),
        figures=lambda wildcards: expand(
            "results/scenes/{scene}/figures/{figure}.png",
            scene=scenes_of(wildcards.study),
            figure=FIGURES,
        ),
        areas=lambda wildcards: expand(
            "results/scenes/{scene}/tables/areas.csv", scene=scenes_of(wildcards.study)
        ),
        spectra=lambda wildcards: expand(
            "results/scenes/{scene}/library/records.csv", scene=scenes_of(wildcards.study)
        ),
        networks=lambda wildcards: network_figures(wildcards.study),
        files=lambda wildcards: study_files(wildcards.study),
        accuracy="results/studies/{study}/accuracy.json",
        classes="results/studies/{study}/classes.csv",
        settings="results/studies/{study}/settings.json",
        residuals=source("resources/static/analytic_residuals.csv"),
        published=source("resources/static/published.json"),
        template=source("resources/static/report.html.j2"),
        base=source("resources/static/base.html.j2"),
        style=source("resources/static/report.css"),
    output:
        report(
            "results/studies/{study}/report.html",
            category="Report",
            labels={"study": "{study}"},
            caption="../report/report.rst",
        ),
    log:
        "results/logs/render_report/{study}.log",
    benchmark:
        "results/benchmarks/render_report/{study}.tsv"
    wildcard_constraints:
        study="gilgit",
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=500,
    params:
        digest=digest("render_report"),
        scenes=lambda wildcards: scene_flags(
            wildcards.study, "cube/cube.json", "figures", "tables/areas.csv", "library/records.csv"
        ),
        networks=lambda wildcards: network_flags(wildcards.study),
    message:
        "Writing the report of {wildcards.study}"
    shell:
        "python {input.script:q} --study {wildcards.study} {params.scenes} {params.networks}"
        " --accuracy {input.accuracy:q} --classes {input.classes:q}"
        " --config {input.settings:q} --residuals {input.residuals:q} --files {input.files:q}"
        " --published {input.published:q} --template {input.template:q} --base {input.base:q}"
        " --style {input.style:q} --output {output:q}"
        " 2> {log:q}"


rule render_zone_report:
    input:
        **code("render_zone_report"),
        records=lambda wildcards: expand(
            "results/scenes/{scene}/cube/cube.json", scene=scenes_of(wildcards.study)
        ),
        figures=lambda wildcards: expand(
            "results/scenes/{scene}/figures/{figure}.png",
            scene=scenes_of(wildcards.study),
            figure=ZONE_FIGURES,
        ),
        files=lambda wildcards: study_files(wildcards.study),
        accuracy="results/studies/{study}/accuracy.json",
        settings="results/studies/{study}/settings.json",
        published=source("resources/static/published.json"),
        template=source("resources/static/zones.html.j2"),
        base=source("resources/static/base.html.j2"),
        style=source("resources/static/report.css"),
    output:
        report(
            "results/studies/{study}/report.html",
            category="Report",
            labels={"study": "{study}"},
            caption="../report/report.rst",
        ),
    log:
        "results/logs/render_zone_report/{study}.log",
    benchmark:
        "results/benchmarks/render_zone_report/{study}.tsv"
    wildcard_constraints:
        study="zafarghand",
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=500,
    params:
        digest=digest("render_zone_report"),
        scenes=lambda wildcards: scene_flags(
            wildcards.study,
            *("cube/cube.json", "figures", "mad/anomalies.csv"),
            *("confidence/confidence.csv", "wavelets/comparison.csv"),
        ),
        scores=lambda wildcards: score_flags(wildcards.study),
    message:
        "Writing the report of {wildcards.study}"
    shell:
        "python {input.script:q} --study {wildcards.study} {params.scenes} {params.scores}"
        " --accuracy {input.accuracy:q} --config {input.settings:q} --files {input.files:q}"
        " --published {input.published:q} --template {input.template:q} --base {input.base:q}"
        " --style {input.style:q} --output {output:q}"
        " 2> {log:q}"


rule render_prospect_report:
    input:
        **code("render_prospect_report"),
        records=lambda wildcards: expand(
            "results/scenes/{scene}/cube/cube.json", scene=scenes_of(wildcards.study)
        ),
        figures=lambda wildcards: expand(
            "results/scenes/{scene}/figures/{figure}.png",
            scene=scenes_of(wildcards.study),
            figure=PROSPECT_FIGURES,
        ),
        files=lambda wildcards: study_files(wildcards.study),
        accuracy="results/studies/{study}/accuracy.json",
        settings="results/studies/{study}/settings.json",
        published=source("resources/static/published.json"),
        template=source("resources/static/prospects.html.j2"),
        base=source("resources/static/base.html.j2"),
        style=source("resources/static/report.css"),
    output:
        report(
            "results/studies/{study}/report.html",
            category="Report",
            labels={"study": "{study}"},
            caption="../report/report.rst",
        ),
    log:
        "results/logs/render_prospect_report/{study}.log",
    benchmark:
        "results/benchmarks/render_prospect_report/{study}.tsv"
    wildcard_constraints:
        study="bahia",
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=500,
    params:
        digest=digest("render_prospect_report"),
        scenes=lambda wildcards: scene_flags(
            wildcards.study, "cube/cube.json", "figures", "forest/validation.csv"
        ),
        tables=lambda wildcards: prospect_tables(wildcards.study),
    message:
        "Writing the report of {wildcards.study}"
    shell:
        "python {input.script:q} --study {wildcards.study} {params.scenes} {params.tables}"
        " --accuracy {input.accuracy:q} --config {input.settings:q} --files {input.files:q}"
        " --published {input.published:q} --template {input.template:q} --base {input.base:q}"
        " --style {input.style:q} --output {output:q}"
        " 2> {log:q}"


rule render_sensor_report:
    input:
        **code("render_sensor_report"),
        records=lambda wildcards: [
            path
            for scene in scenes_of(wildcards.study)
            for path in [
                *sensor_files(scene, "cube.json"),
                *(f"results/scenes/{scene}/stack/{name}" for name in ("stack.json", "bands.csv")),
                *sensor_tables(scene).values(),
            ]
        ],
        figures=lambda wildcards: [
            path for scene in scenes_of(wildcards.study) for path in sensor_figures(scene)
        ],
        trial=lambda wildcards: trial_files(wildcards.study),
        pixels=lambda wildcards: collection_summaries(wildcards.study).values(),
        files=lambda wildcards: study_files(wildcards.study),
        accuracy="results/studies/{study}/accuracy.json",
        settings="results/studies/{study}/settings.json",
        published=source("resources/static/published.json"),
        template=source("resources/static/sensors.html.j2"),
        base=source("resources/static/base.html.j2"),
        style=source("resources/static/report.css"),
    output:
        report(
            "results/studies/{study}/report.html",
            category="Report",
            labels={"study": "{study}"},
            caption="../report/report.rst",
        ),
    log:
        "results/logs/render_sensor_report/{study}.log",
    benchmark:
        "results/benchmarks/render_sensor_report/{study}.tsv"
    wildcard_constraints:
        study="cuprite",
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=500,
    params:
        digest=digest("render_sensor_report"),
        scenes=lambda wildcards: scene_flags(
            wildcards.study, "stack/stack.json", "stack/bands.csv", "figures"
        ),
        sensors=lambda wildcards: " ".join(
            f"--sensor {sensor} {scene} results/scenes/{scene}/sensors/{sensor}/cube.json"
            for scene in scenes_of(wildcards.study)
            for sensor in sensors_of(scene)
        ),
        trial=lambda wildcards: flag("trial", " ".join(trial_files(wildcards.study))),
        pixels=lambda wildcards: " ".join(
            f"--pixels {name} {path}"
            for name, path in collection_summaries(wildcards.study).items()
        ),
        tables=lambda wildcards: " ".join(
            f"--table {name} {scene} {path}"
            for scene in scenes_of(wildcards.study)
            for name, path in sensor_tables(scene).items()
        ),
    message:
        "Writing the report of {wildcards.study}"
    shell:
        "python {input.script:q} --study {wildcards.study} {params.scenes} {params.sensors}"
        " {params.tables} {params.trial} {params.pixels} --accuracy {input.accuracy:q} --config {input.settings:q}"
        " --files {input.files:q} --published {input.published:q} --template {input.template:q}"
        " --base {input.base:q} --style {input.style:q} --output {output:q}"
        " 2> {log:q}"


rule render_index:
    input:
        **code("render_index"),
        reports=expand("results/studies/{study}/report.html", study=STUDIES),
        accuracy=expand("results/studies/{study}/accuracy.json", study=STUDIES),
        published=source("resources/static/published.json"),
        template=source("resources/static/index.html.j2"),
        style=source("resources/static/report.css"),
    output:
        "results/index.html",
    log:
        "results/logs/render_index.log",
    benchmark:
        "results/benchmarks/render_index.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=300,
    params:
        digest=digest("render_index"),
        studies=" ".join(
            f"--study {study} results/studies/{study}/report.html"
            f" results/studies/{study}/accuracy.json"
            for study in STUDIES
        ),
    message:
        "Writing the index of studies"
    shell:
        "python {input.script:q} {params.studies} --published {input.published:q}"
        " --template {input.template:q} --style {input.style:q} --output {output:q}"
        " 2> {log:q}"
