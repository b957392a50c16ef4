# Samples around known mines, SAM labels, random forests, potential and targets.


wildcard_constraints:
    target="cover|iron",


rule sample_strata:
    input:
        **code("sample_strata"),
        cube="results/scenes/{scene}/cube/cube.tif",
        mines=survey_of("mines"),
        ore_points=survey_of("ore_points"),
        reference=reference_of,
        classes=source("resources/static/covers.csv"),
    output:
        samples="results/scenes/{scene}/samples/samples.gpkg",
        table="results/scenes/{scene}/samples/strata.csv",
    log:
        "results/logs/sample_strata/{scene}.log",
    benchmark:
        "results/benchmarks/sample_strata/{scene}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 2
    resources:
        mem_mb=1500,
    params:
        digest=digest("sample_strata"),
        reference=lambda wildcards, input: flag("reference", input.get("reference")),
        strata=lambda wildcards: study_of(wildcards)["strata"],
        fewer=lambda wildcards: (
            "--allow-fewer" if study_of(wildcards)["strata"]["allow_fewer"] else ""
        ),
        seed=SETTINGS["accuracy"]["seed"],
    message:
        "Sampling strata around the mines of {wildcards.scene}"
    shell:
        "python {input.script:q} --cube {input.cube:q} --mines {input.mines:q}"
        " --ore-points {input.ore_points:q} {params.reference} --classes {input.classes:q}"
        " --distances-m {params.strata[distances_m]} --counts {params.strata[counts]}"
        " --ore-count {params.strata[ore_count]} --min-distance-m {params.strata[min_distance_m]}"
        " {params.fewer} --soil-ndvi {params.strata[soil_ndvi]}"
        " --vegetation-ndvi {params.strata[vegetation_ndvi]} --soil-bsi {params.strata[soil_bsi]}"
        " --test-share {params.strata[test_share]} --block-px {params.strata[block_px]}"
        " --seed {params.seed} --samples {output.samples:q} --table {output.table:q}"
        " --threads {threads}"
        " 2> {log:q}"


rule label_iron:
    input:
        **code("label_iron"),
        cube="results/scenes/{scene}/cube/cube.tif",
        samples="results/scenes/{scene}/samples/samples.gpkg",
        geology=survey_of("geology"),
        classes=source("resources/static/iron.csv"),
        covers=source("resources/static/covers.csv"),
    output:
        similarity="results/scenes/{scene}/labels/similarity.tif",
        similarity_style="results/scenes/{scene}/labels/similarity.qml",
        labels="results/scenes/{scene}/labels/iron.tif",
        style="results/scenes/{scene}/labels/iron.qml",
        names="results/scenes/{scene}/labels/iron.tif.aux.xml",
        scan="results/scenes/{scene}/labels/scan.csv",
        robustness="results/scenes/{scene}/labels/robustness.csv",
        spectra="results/scenes/{scene}/labels/spectra.csv",
        record="results/scenes/{scene}/labels/labels.json",
        accuracy="results/scenes/{scene}/accuracy/sam.json",
    log:
        "results/logs/label_iron/{scene}.log",
    benchmark:
        "results/benchmarks/label_iron/{scene}.tsv"
    wildcard_constraints:
        scene=scenes_by("study", "bahia"),
    conda:
        "../../envs/geo.yaml"
    threads: 2
    resources:
        mem_mb=block_memory(900, 200),
    params:
        digest=digest("label_iron"),
        geology=lambda wildcards, input: flag("geology", input.get("geology")),
        angles=lambda wildcards: flag(
            "max-angle-rad",
            " ".join(
                f"{name}={angle}"
                for name, angle in study_of(wildcards)["max_angle_rad_of"].items()
            ),
        ),
        grades=lambda wildcards: study_of(wildcards)["grades"],
        accuracy=SETTINGS["accuracy"],
        block_px=SETTINGS["block_px"],
    message:
        "Labelling iron ore of {wildcards.scene} by spectral angle"
    shell:
        "python {input.script:q} --cube {input.cube:q} --samples {input.samples:q}"
        " {params.geology} --classes {input.classes:q} --covers {input.covers:q} {params.angles}"
        " --grades {params.grades} --scene {wildcards.scene}"
        " --bootstrap {params.accuracy[bootstrap]} --seed {params.accuracy[seed]}"
        " --similarity {output.similarity:q} --labels {output.labels:q} --scan {output.scan:q}"
        " --robustness {output.robustness:q} --spectra {output.spectra:q}"
        " --record {output.record:q} --accuracy {output.accuracy:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule validate_forest:
    input:
        **code("validate_forest"),
        cube="results/scenes/{scene}/cube/cube.tif",
        rasters=rasters_of,
        samples=points_of,
        test=test_points_of,
        classes=cover_classes,
        plans=plans_of,
    output:
        table="results/scenes/{scene}/forest/validation.csv",
        importance="results/scenes/{scene}/forest/importance.csv",
        shap="results/scenes/{scene}/forest/shap.csv",
        chosen="results/scenes/{scene}/forest/chosen.json",
        records=directory("results/scenes/{scene}/accuracy/forest"),
    log:
        "results/logs/validate_forest/{scene}.log",
    benchmark:
        "results/benchmarks/validate_forest/{scene}.tsv"
    conda:
        "../../envs/learn.yaml"
    threads: 2
    resources:
        mem_mb=3000,
    params:
        digest=digest("validate_forest"),
        extra=lambda wildcards, input: flag("extra", " ".join(input.rasters)),
        test=lambda wildcards, input: flag("test", input.get("test")),
        label=lambda wildcards: study_of(wildcards)["points"]["label"],
        spatial_block_px=lambda wildcards: study_of(wildcards)["strata"]["block_px"],
        forest=lambda wildcards: study_of(wildcards)["forest"],
        accuracy=SETTINGS["accuracy"],
        block_px=SETTINGS["block_px"],
    message:
        "Testing forests of {wildcards.scene} on random and on blocked splits"
    shell:
        "python {input.script:q} --cube {input.cube:q} {params.extra} --samples {input.samples:q}"
        " {params.test} --label {params.label} --classes {input.classes:q}"
        " --plans {input.plans:q} --scene {wildcards.scene}"
        " --spatial-block-px {params.spatial_block_px} --folds {params.forest[folds]}"
        " --per-class {params.forest[per_class]} --bootstrap {params.accuracy[bootstrap]}"
        " --seed {params.accuracy[seed]} --table {output.table:q} --record-dir {output.records:q}"
        " --chosen {output.chosen:q} --importance {output.importance:q} --shap {output.shap:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule train_forest:
    input:
        **code("train_forest"),
        cube="results/scenes/{scene}/cube/cube.tif",
        rasters=rasters_of,
        labels=labels_of,
        classes=target_classes,
        plan="results/scenes/{scene}/forest/chosen.json",
    output:
        forest="results/scenes/{scene}/forest/{target}.npz",
        record="results/scenes/{scene}/forest/{target}.json",
    log:
        "results/logs/train_forest/{scene}.{target}.log",
    benchmark:
        "results/benchmarks/train_forest/{scene}.{target}.tsv"
    conda:
        "../../envs/learn.yaml"
    threads: 2
    resources:
        mem_mb=1500,
    params:
        digest=digest("train_forest"),
        extra=lambda wildcards, input: flag("extra", " ".join(input.rasters)),
        labels=lambda wildcards, input: flag(
            "label-map" if wildcards.target == "iron" else "samples", input.labels
        ),
        label=lambda wildcards: study_of(wildcards)["points"]["label"],
        per_class=lambda wildcards: study_of(wildcards)["forest"]["per_class"],
        seed=SETTINGS["accuracy"]["seed"],
        block_px=SETTINGS["block_px"],
    message:
        "Training the {wildcards.target} forest of {wildcards.scene}"
    shell:
        "python {input.script:q} --cube {input.cube:q} {params.extra} {params.labels}"
        " --label {params.label} --per-class {params.per_class} --seed {params.seed}"
        " --classes {input.classes:q}"
        " --plan {input.plan:q} --forest {output.forest:q} --record {output.record:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule map_forest:
    input:
        **code("map_forest"),
        cube="results/scenes/{scene}/cube/cube.tif",
        rasters=rasters_of,
        forest="results/scenes/{scene}/forest/{target}.npz",
        classes=target_classes,
    output:
        class_map="results/scenes/{scene}/{target}/class.tif",
        style="results/scenes/{scene}/{target}/class.qml",
        names="results/scenes/{scene}/{target}/class.tif.aux.xml",
        probability="results/scenes/{scene}/{target}/probability.tif",
        probability_style="results/scenes/{scene}/{target}/probability.qml",
        uncertainty="results/scenes/{scene}/{target}/uncertainty.tif",
        uncertainty_style="results/scenes/{scene}/{target}/uncertainty.qml",
    log:
        "results/logs/map_forest/{scene}.{target}.log",
    benchmark:
        "results/benchmarks/map_forest/{scene}.{target}.tsv"
    conda:
        "../../envs/learn.yaml"
    threads: 4
    resources:
        mem_mb=block_memory(700, 800),
    params:
        digest=digest("map_forest"),
        extra=lambda wildcards, input: flag("extra", " ".join(input.rasters)),
        block_px=SETTINGS["block_px"],
    message:
        "Mapping {wildcards.target} of {wildcards.scene} by its forest"
    shell:
        "python {input.script:q} --cube {input.cube:q} {params.extra} --forest {input.forest:q}"
        " --classes {input.classes:q} --class-map {output.class_map:q}"
        " --probability {output.probability:q} --uncertainty {output.uncertainty:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule map_potential:
    input:
        **code("map_potential"),
        probability="results/scenes/{scene}/iron/probability.tif",
        geology=survey_of("geology"),
    output:
        potential=report(
            "results/scenes/{scene}/potential/potential.tif",
            category="Maps",
            labels={"scene": "{scene}", "map": "Iron potential"},
            caption="../report/potential.rst",
        ),
        style="results/scenes/{scene}/potential/potential.qml",
        names="results/scenes/{scene}/potential/potential.tif.aux.xml",
        score="results/scenes/{scene}/potential/score.tif",
        score_style="results/scenes/{scene}/potential/score.qml",
    log:
        "results/logs/map_potential/{scene}.log",
    benchmark:
        "results/benchmarks/map_potential/{scene}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 4
    resources:
        mem_mb=block_memory(500, 100),
    params:
        digest=digest("map_potential"),
        geology=lambda wildcards, input: flag("geology", input.get("geology")),
        potential=lambda wildcards: study_of(wildcards)["potential"],
        block_px=SETTINGS["block_px"],
    message:
        "Mapping the iron potential of {wildcards.scene}"
    shell:
        "python {input.script:q} --probability {input.probability:q} {params.geology}"
        " --medium {params.potential[medium]} --high {params.potential[high]}"
        " --potential {output.potential:q} --score {output.score:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule rank_targets:
    input:
        **code("rank_targets"),
        potential="results/scenes/{scene}/potential/potential.tif",
        score="results/scenes/{scene}/potential/score.tif",
        uncertainty="results/scenes/{scene}/iron/uncertainty.tif",
        claims=survey_of("claims"),
        occurrences=survey_of("occurrences"),
        mines=survey_of("mines"),
    output:
        targets="results/scenes/{scene}/targets/targets.gpkg",
        kml="results/scenes/{scene}/targets/targets.kml",
        overlay="results/scenes/{scene}/targets/overlay.csv",
        curves="results/scenes/{scene}/targets/curves.csv",
        record="results/scenes/{scene}/targets/targets.json",
    log:
        "results/logs/rank_targets/{scene}.log",
    benchmark:
        "results/benchmarks/rank_targets/{scene}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 2
    resources:
        mem_mb=1500,
    params:
        digest=digest("rank_targets"),
        surveys=lambda wildcards, input: " ".join(
            flag(name, input.get(name)) for name in ("claims", "occurrences", "mines")
        ),
        potential=lambda wildcards: study_of(wildcards)["potential"],
        substances=lambda wildcards: flag(
            "substances", " ".join(study_of(wildcards)["potential"]["substances"])
        ),
        accuracy=SETTINGS["accuracy"],
    message:
        "Ranking targets of {wildcards.scene}"
    shell:
        "python {input.script:q} --potential {input.potential:q} --score {input.score:q}"
        " --uncertainty {input.uncertainty:q} {params.surveys} {params.substances}"
        " --min-area-ha {params.potential[min_area_ha]} --bootstrap {params.accuracy[bootstrap]}"
        " --seed {params.accuracy[seed]} --scene {wildcards.scene}"
        " --targets {output.targets:q} --kml {output.kml:q} --overlay {output.overlay:q}"
        " --curves {output.curves:q} --record {output.record:q} --threads {threads}"
        " 2> {log:q}"
