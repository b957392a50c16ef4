# Figures, the report of each study, and the index of all.


def drawn_files(method):
    """A function of the wildcards: what a method leaves, which its figures are drawn from."""

    def find(wildcards):
        sensor = getattr(wildcards, "sensor", "")
        kinds = {row["kind"] for row in RESULTS_TABLE} - {"figure"}
        return files_of(SCENES[wildcards.scene], method, sensor, *kinds)

    return find


def cube_files(wildcards):
    """What the cube of a sensor, or of the whole scene, consists of."""
    scene = SCENES[wildcards.scene]
    cubes = [sensor for method, sensor in PLAN.parts_of(scene) if method == "cube"]
    sensor = getattr(wildcards, "sensor", PLAN.STACK)
    return files_of(scene, "cube", sensor) if sensor in cubes else []


def folder_drawn(wildcards, output):
    """The folder below which a method's own folder lies, with its figures in it."""
    return Path(output[0]).parents[1]


def paper_of(wildcards, input):
    """The paper whose numbers are drawn beside ours, and where they stand."""
    return {"paper": settings_of(wildcards)["paper"], "published": input.published}


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
        mem_mb=2000,
    params:
        digest=digest("draw_minerals"),
        folder=folder_drawn,
        more=lambda wildcards, input: flags(
            classes=input.classes, zones=list(zones_of(settings_of(wildcards)))
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
            truth=input.get("truth"), scored=holds("scored", "zones")(wildcards)
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
        mines=survey_of("mines"),
        geology=survey_of("geology"),
        claims=survey_of("claims"),
        occurrences=survey_of("occurrences"),
        beside=beside(*map(survey_of, ("mines", "geology", "claims", "occurrences"))),
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
        more=lambda wildcards, input: flags(**paper_of(wildcards, input)),
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
            truth=input.get("truth"),
            networks=trained_embeddings(wildcards),
            **paper_of(wildcards, input),
        ),
    message:
        "Drawing the sensors and the map of {wildcards.scene}"


def networks_of(wildcards):
    """Networks that are trained on the patches of a scene."""
    return list(NETWORKS) if holds("trained", "patches")(wildcards) else []


def network_files(wildcards):
    """What the networks of a scene's patches leave of their training, and the patches."""
    folder = folder_of(wildcards.scene, "patches", wildcards.sensor)
    names = ("record.json", "history.csv", "accuracy.json")
    runs = networks_of(wildcards)
    cut = [f"{folder}/cut/pair/{name}" for name in ("colour.npz", "patches.csv")] if runs else []
    return cut + [f"{folder}/networks/{run}/{name}" for run in runs for name in names]


def trained_embeddings(wildcards):
    """Networks that are trained for the embedding of a scene."""
    if not holds("trained", "embedding")(wildcards):
        return []
    trained = embeddings_of(SCENES[wildcards.scene])
    return [*trained, *(["filler"] if len(trained) > 1 else [])]


def network_histories(wildcards):
    """Records and histories of an embedding's networks."""
    folder = folder_of(wildcards.scene, "embedding")
    places = {"filler": f"{folder}/filler"}
    return [
        f"{places.get(name, f'{folder}/networks/{name}')}/{file}"
        for name in trained_embeddings(wildcards)
        for file in ("record.json", "history.csv")
    ]


def drawn_targets(wildcards):
    """The targets that are drawn over the potential, where they are ranked on it."""
    settings = settings_of(wildcards)
    if "targets" not in settings or not CONFIG.has_potential(settings):
        return []
    return [
        f"{folder_of(wildcards.scene, 'targets')}/{name}"
        for name in ("targets.gpkg", "targets.json")
    ]


def prospect_flags(wildcards, input):
    """What the figures of prospects show beside the scene's own files."""
    settings = settings_of(wildcards)
    targets = input.get("targets")
    surveys = ("mines", "geology", "claims", "occurrences")
    return {
        "map_classes": input.iron if CONFIG.has_potential(settings) else None,
        "sampled": holds("sampled", "prospects")(wildcards),
        "untested": not holds("trained", "prospects")(wildcards),
        "targets": Path(targets[0]).parent if targets else None,
        "substances": settings.get("targets", {}).get("substances"),
        **{name: input.get(name) for name in surveys},
    }


rule record_settings:
    input:
        # Written with the report and not before: an older report keeps the settings it was made by.
        "<study>/accuracy.json",
    output:
        "<study>/settings.json",
    log:
        "<logs>/record_settings/{study}.log",
    benchmark:
        "<benchmarks>/record_settings/{study}.tsv"
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


def settings_text(study):
    """The settings that made a study, with the plan of its scenes, as JSON."""
    settings = SETTINGS["studies"][study]
    scenes = [
        {
            **scene,
            "synthetic": bool(scene["ground"]),
            "held": {
                f"{sensor}/{method}": sorted(conditions(scene, method, sensor))
                for method, sensor in PLAN.parts_of(scene)
            },
        }
        for scene in scenes_of(study)
    ]
    shared = pick(SETTINGS, "accuracy", "twin")
    return json.dumps({"study": study, "settings": settings, **shared, "scenes": scenes})


def trial_files(wildcards):
    """Scores and record of the trial on real spectra, where a study has one."""
    settings = settings_of(wildcards).get("embedding")
    if not settings or not settings["spectra"]["training"]:
        return []
    place = f"<results>/studies/{wildcards.study}/embedding/spectra"
    return [f"{place}/{name}" for name in ("scores.csv", "record.json")]


def collection_summaries(wildcards):
    """Summaries of a study's named collections of spectra."""
    names = settings_of(wildcards).get("embedding", {"pixels": {}})["pixels"]
    place = f"<results>/studies/{wildcards.study}/embedding/pixels"
    return [f"{place}/{name}/summary.csv" for name in names]


def study_classes(wildcards):
    """Tables of the classes that a study's methods look for."""
    settings = settings_of(wildcards)
    return [classes_for(name)(wildcards) for name in CONFIG.COMPARING if name in settings]


def records_of_networks(wildcards):
    """Records of the networks that a study's scenes train."""
    for scene, method, sensor in parts_of(wildcards.study):
        part = SimpleNamespace(scene=scene["scene"], sensor=sensor)
        if method == "patches":
            yield from network_files(part)
        if method == "embedding":
            yield from network_histories(part)


rule render_report:
    input:
        **code("render_report"),
        results=lambda wildcards: results_of(wildcards.study),
        figures=lambda wildcards: figures_of(wildcards.study),
        networks=lambda wildcards: list(records_of_networks(wildcards)),
        trial=trial_files,
        pixels=collection_summaries,
        classes=study_classes,
        accuracy="<study>/accuracy.json",
        settings="<study>/settings.json",
        residuals=static("analytic_residuals.csv"),
        published=static("published.json"),
        table=static("results.csv"),
        base=static("base.html.j2"),
        templates=[static(f"{method}.html.j2") for method in CONFIG.METHODS],
        style=static("report.css"),
    output:
        report(
            "<study>/report.html",
            category="Report",
            labels={"study": "{study}"},
            caption="../report/report.rst",
        ),
    log:
        "<logs>/render_report/{study}.log",
    benchmark:
        "<benchmarks>/render_report/{study}.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        digest=digest("render_report"),
        folder=lambda wildcards, output: Path(output[0]).parents[2],
        templates=lambda wildcards, input: " ".join(
            flags(template=[method, path]) for method, path in zip(CONFIG.METHODS, input.templates)
        ),
    message:
        "Writing the report of {wildcards.study}"
    shell:
        "python {input.script:q} --study {wildcards.study} --settings {input.settings:q}"
        " --results {params.folder:q} --accuracy {input.accuracy:q}"
        " --published {input.published:q} --residuals {input.residuals:q} --table {input.table:q}"
        " --base {input.base:q} {params.templates} --style {input.style:q} --output {output:q}"
        " 2> {log:q}"


rule render_index:
    input:
        **code("render_index"),
        reports=expand("<results>/studies/{study}/report.html", study=STUDIES),
        accuracy=expand("<results>/studies/{study}/accuracy.json", study=STUDIES),
        settings=expand("<results>/studies/{study}/settings.json", study=STUDIES),
        published=static("published.json"),
        template=static("index.html.j2"),
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
        studies=lambda wildcards, input: " ".join(
            flags(study=[study, Path(report).parent])
            for study, report in zip(STUDIES, input.reports)
        ),
    message:
        "Writing the index of studies"
    shell:
        "python {input.script:q} {params.studies} --published {input.published:q}"
        " --template {input.template:q} --style {input.style:q} --output {output:q}"
        " 2> {log:q}"
