# Ground that the methods agree on, ranked as targets.


def opinions(wildcards):
    """(kind, title, paths) of the maps of each method of a scene that call ground favourable.

    A method that looks for none of the favourable minerals has no opinion.
    """
    scene, settings = SCENES[wildcards.scene], settings_of(wildcards)
    for method, sensor in PLAN.parts_of(scene):
        folder = folder_of(scene["scene"], method, sensor)
        title = " ".join(filter(None, [method, sensor]))
        if method in ("minerals", "embedding"):
            if not CONFIG.favourable_minerals(settings, method):
                continue
            file = "class.tif" if method == "minerals" else "map/class.tif"
            yield "classes", title, [f"{folder}/{file}"]
        elif method == "zones":
            zones = settings["zones"]["alteration"]
            yield "confidence", title, [f"{folder}/confidence/{zone}.tif" for zone in zones]


def opinion_flags(wildcards, input):
    """The maps that go into the agreement, a flag each, with the minerals that are favourable."""
    settings = settings_of(wildcards)
    maps, tables = list(input.maps), list(input.classes)
    tables = dict(zip((name for name in ("minerals", "embedding") if name in settings), tables))
    told = []
    for kind, title, paths in opinions(wildcards):
        words = [kind, title, *(maps.pop(0) for _ in paths)]
        if kind == "classes":
            method = title.split()[0]
            words += [tables[method], *CONFIG.favourable_minerals(settings, method)]
        told.append(flags(map=words))
    return " ".join(told)


rule map_agreement:
    input:
        **code("map_agreement"),
        maps=lambda wildcards: [path for *_, paths in opinions(wildcards) for path in paths],
        classes=lambda wildcards: [
            classes_for(method)(wildcards)
            for method in ("minerals", "embedding")
            if method in settings_of(wildcards)
        ],
    output:
        potential="<targets>/potential.tif",
        style="<targets>/potential.qml",
        names="<targets>/potential.tif.aux.xml",
        score="<targets>/score.tif",
        score_style="<targets>/score.qml",
        record="<targets>/agreement.json",
    log:
        "<logs>/map_agreement/{scene}.log",
    benchmark:
        "<benchmarks>/map_agreement/{scene}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 2
    resources:
        mem_mb=block_memory(500, 200),
    params:
        digest=digest("map_agreement"),
        maps=opinion_flags,
        levels=lambda wildcards: flags(**pick(section("targets")(wildcards), "medium", "high")),
        block_px=SETTINGS["block_px"],
    message:
        "Mapping where the methods agree on {wildcards.scene}"
    shell:
        "python {input.script:q} {params.maps} {params.levels} --scene {wildcards.scene}"
        " --potential {output.potential:q} --score {output.score:q} --record {output.record:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


def ranked_map(name):
    """A function of the wildcards: a map that targets are ranked on, of potential or agreement."""

    def find(wildcards):
        if not CONFIG.has_potential(settings_of(wildcards)):
            return f"{folder_of(wildcards.scene, 'targets')}/{name}.tif"
        [sensor] = SCENES[wildcards.scene]["methods"]["prospects"][:1]
        return f"{folder_of(wildcards.scene, 'prospects', sensor)}/potential/{name}.tif"

    return find


def ranked_uncertainty(wildcards):
    """The uncertainty of the forest behind the potential, where there is one."""
    if not CONFIG.has_potential(settings_of(wildcards)):
        return []
    [sensor] = SCENES[wildcards.scene]["methods"]["prospects"][:1]
    return f"{folder_of(wildcards.scene, 'prospects', sensor)}/iron/uncertainty.tif"


rule rank_targets:
    input:
        **code("rank_targets"),
        potential=ranked_map("potential"),
        score=ranked_map("score"),
        uncertainty=ranked_uncertainty,
        claims=survey_of("claims"),
        occurrences=survey_of("occurrences"),
        mines=survey_of("mines"),
        beside=beside(*map(survey_of, ("claims", "occurrences", "mines"))),
    output:
        targets="<targets>/targets.gpkg",
        kml="<targets>/targets.kml",
        overlay="<targets>/overlay.csv",
        curves="<targets>/curves.csv",
        record="<targets>/targets.json",
    log:
        "<logs>/rank_targets/{scene}.log",
    benchmark:
        "<benchmarks>/rank_targets/{scene}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 2
    resources:
        mem_mb=1500,
    params:
        digest=digest("rank_targets"),
        more=lambda wildcards, input: flags(
            **{
                name: input.get(name) for name in ("uncertainty", "claims", "occurrences", "mines")
            },
            substances=section("targets", "substances")(wildcards),
        ),
        ranking=lambda wildcards: flags(
            **pick(
                section("targets")(wildcards),
                *("min_area_ha", "level", "spatial_block_px", "substance_attribute"),
            ),
            **pick(SETTINGS["accuracy"], "bootstrap", "seed"),
        ),
    message:
        "Ranking targets of {wildcards.scene}"
    shell:
        "python {input.script:q} --potential {input.potential:q} --score {input.score:q}"
        " {params.more} {params.ranking} --scene {wildcards.scene}"
        " --targets {output.targets:q} --kml {output.kml:q} --overlay {output.overlay:q}"
        " --curves {output.curves:q} --record {output.record:q} --threads {threads}"
        " 2> {log:q}"
