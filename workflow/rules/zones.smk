# Alteration zones by median absolute deviation and wavelets, and by a score learned from both.


# The bands that the method looks at, with corrections of their own, beside the cube of all methods.
rule preprocess_zones:
    input:
        **code("preprocess_scene"),
        product=product_for_zones,
        polygon=polygon_of,
        beside=beside(product_for_zones, polygon_of),
        library=lambda wildcards: spectra_for_quac(section("zones", "atmosphere")(wildcards)),
    output:
        cube="<zones>/cube.tif",
        style="<zones>/cube.qml",
        record="<zones>/cube.json",
    log:
        "<logs>/preprocess_zones/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/preprocess_zones/{scene}.{sensor}.tsv"
    priority: FIRST
    conda:
        "../../envs/geo.yaml"
    threads: threads_up_to(4)
    resources:
        mem_mb=memory(1500, 200),
    params:
        digest=lambda wildcards: digest("preprocess_scene", reader_for_zones(wildcards)),
        reader=reader_for_zones,
        library=lambda wildcards, input: flags(library=input.get("library")),
        zones=lambda wildcards: flags(
            centres_um=section("zones", "centres_um")(wildcards),
            atmosphere=section("zones", "atmosphere")(wildcards) or ["none"],
            normalisation=section("zones", "normalisation")(wildcards),
        ),
        part=part_for_zones,
        block_px=block_px_of,
    message:
        "Preparing the bands of the zones of {wildcards.sensor} of {wildcards.scene}"
    shell:
        "python {input.script:q} --sensor {params.reader} --product {input.product:q}"
        " {params.zones} {params.library} {params.part}"
        " --cube {output.cube:q} --record {output.record:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule map_anomalies:
    input:
        **code("map_anomalies"),
        cube="<zones>/cube.tif",
    output:
        anomalies=report(
            "<zones>/mad/anomalies.tif",
            category="Maps",
            labels={"scene": "{scene}", "sensor": "{sensor}", "map": "MAD anomalies"},
            caption="../report/anomalies.rst",
        ),
        style="<zones>/mad/anomalies.qml",
        names="<zones>/mad/anomalies.tif.aux.xml",
        table="<zones>/mad/anomalies.csv",
    log:
        "<logs>/map_anomalies/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/map_anomalies/{scene}.{sensor}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: threads_up_to(4)
    resources:
        mem_mb=memory(500, 120),
    params:
        digest=digest("map_anomalies"),
        mad=mad_flags("mad"),
        block_px=SETTINGS["block_px"],
    message:
        "Mapping MAD anomalies of {wildcards.sensor} of {wildcards.scene}"
    shell:
        "python {input.script:q} --cube {input.cube:q}"
        " {params.mad} --output {output.anomalies:q} --table {output.table:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule transform_wavelets:
    input:
        **code("transform_wavelets"),
        cube="<zones>/cube.tif",
    output:
        subbands="<zones>/wavelets/subbands.tif",
        style="<zones>/wavelets/subbands.qml",
        profile="<zones>/wavelets/profile.csv",
    log:
        "<logs>/transform_wavelets/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/transform_wavelets/{scene}.{sensor}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: threads_up_to(4)
    resources:
        mem_mb=memory(600, 400),
    params:
        digest=digest("transform_wavelets"),
        wavelet=lambda wildcards: wavelet_flags(wildcards, "name"),
        block_px=SETTINGS["block_px"],
    message:
        "Splitting the bands of {wildcards.sensor} of {wildcards.scene} into wavelet sub-bands"
    shell:
        "python {input.script:q} --cube {input.cube:q} {params.wavelet}"
        " --output {output.subbands:q} --profile {output.profile:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


# As the paper has it: of each band its anomalies alone go on, and their maps are tested.
use rule map_anomalies as map_published_anomalies with:
    output:
        anomalies="<zones>/published/mad/anomalies.tif",
        style="<zones>/published/mad/anomalies.qml",
        names="<zones>/published/mad/anomalies.tif.aux.xml",
        table="<zones>/published/mad/anomalies.csv",
    log:
        "<logs>/map_published_anomalies/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/map_published_anomalies/{scene}.{sensor}.tsv"
    params:
        digest=digest("map_anomalies"),
        mad=mad_flags("published", "mad"),
        block_px=SETTINGS["block_px"],
    message:
        "Mapping MAD anomalies of {wildcards.sensor} of {wildcards.scene} as published"


use rule transform_wavelets as transform_anomalies with:
    input:
        **code("transform_wavelets"),
        cube="<zones>/cube.tif",
        anomalies="<zones>/published/mad/anomalies.tif",
    output:
        subbands="<zones>/published/wavelets/subbands.tif",
        style="<zones>/published/wavelets/subbands.qml",
        profile="<zones>/published/wavelets/profile.csv",
    log:
        "<logs>/transform_anomalies/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/transform_anomalies/{scene}.{sensor}.tsv"
    params:
        digest=digest("transform_wavelets"),
        wavelet=lambda wildcards, input: (
            wavelet_flags(wildcards, "name", "published")
            + " "
            + flags(
                anomalies=input.anomalies, keep=section("zones", "published", "keep")(wildcards)
            )
        ),
        block_px=SETTINGS["block_px"],
    message:
        "Splitting the anomalies of {wildcards.sensor} of {wildcards.scene} into wavelet sub-bands"


rule compare_wavelets:
    input:
        **code("compare_wavelets"),
        cube="<zones>/cube.tif",
        truth=truth_for("zones"),
        beside=beside(truth_for("zones")),
    output:
        "<zones>/wavelets/comparison.csv",
    log:
        "<logs>/compare_wavelets/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/compare_wavelets/{scene}.{sensor}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: threads_up_to(2)
    resources:
        mem_mb=memory(800),
    params:
        digest=digest("compare_wavelets"),
        wavelet=lambda wildcards: wavelet_flags(wildcards, "compare"),
        truth=truth_flag("zones"),
        zones=zone_flags,
        spatial=SPATIAL,
    message:
        "Comparing wavelets on {wildcards.sensor} of {wildcards.scene}"
    shell:
        "python {input.script:q} --cube {input.cube:q} {params.wavelet} {params.truth}"
        " {params.zones} {params.spatial} --output {output:q} --threads {threads}"
        " 2> {log:q}"


rule map_confidence:
    input:
        **code("map_confidence"),
        subbands="<zones>/wavelets/subbands.tif",
    output:
        confidence="<zones>/confidence/{zone}.tif",
        style="<zones>/confidence/{zone}.qml",
        names="<zones>/confidence/{zone}.tif.aux.xml",
    log:
        "<logs>/map_confidence/{scene}.{sensor}.{zone}.log",
    benchmark:
        "<benchmarks>/map_confidence/{scene}.{sensor}.{zone}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: threads_up_to(2)
    resources:
        mem_mb=memory(500, 400),
    params:
        digest=digest("map_confidence"),
        levels=lambda wildcards: flags(
            **pick(section("zones", "alteration", wildcards.zone)(wildcards), "medium", "high")
        ),
        block_px=SETTINGS["block_px"],
    message:
        "Mapping confidence in the {wildcards.zone} zone of {wildcards.sensor} of {wildcards.scene}"
    shell:
        "python {input.script:q} --subbands {input.subbands:q} --zone {wildcards.zone}"
        " {params.levels} --output {output.confidence:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


use rule map_confidence as map_published_confidence with:
    input:
        **code("map_confidence"),
        subbands="<zones>/published/wavelets/subbands.tif",
    output:
        confidence="<zones>/published/confidence/{zone}.tif",
        style="<zones>/published/confidence/{zone}.qml",
        names="<zones>/published/confidence/{zone}.tif.aux.xml",
    log:
        "<logs>/map_published_confidence/{scene}.{sensor}.{zone}.log",
    benchmark:
        "<benchmarks>/map_published_confidence/{scene}.{sensor}.{zone}.tsv"
    params:
        digest=digest("map_confidence"),
        levels=lambda wildcards: flags(
            **section("zones", "published", "alteration", wildcards.zone)(wildcards)
        ),
        block_px=SETTINGS["block_px"],
    message:
        "Mapping confidence in the {wildcards.zone} zone of {wildcards.scene} as published"


rule assess_zones:
    input:
        **code("assess_zones"),
        confidence=confidence_maps,
        truth=truth_for("zones"),
        beside=beside(truth_for("zones")),
    output:
        table="<zones>/confidence/confidence.csv",
        records=directory("<zones>/accuracy/confidence"),
    log:
        "<logs>/assess_zones/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/assess_zones/{scene}.{sensor}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: threads_up_to(2)
    resources:
        mem_mb=memory(800),
    params:
        digest=digest("assess_zones"),
        outside=section("zones", "outside"),
        truth=lambda wildcards, input: flags(
            truth=told_truth("zones")(wildcards, input), anomalies=input.get("anomalies")
        ),
        spatial=SPATIAL,
    message:
        "Assessing the confidence maps of {wildcards.sensor} of {wildcards.scene}"
    shell:
        "python {input.script:q} --confidence {input.confidence:q} {params.truth}"
        " --outside {params.outside} --scene {wildcards.scene} {params.spatial}"
        " --table {output.table:q} --record-dir {output.records:q} --threads {threads}"
        " 2> {log:q}"


use rule assess_zones as assess_published_zones with:
    input:
        **code("assess_zones"),
        confidence=published_maps,
        anomalies="<zones>/published/mad/anomalies.tif",
        truth=truth_for("zones"),
        beside=beside(truth_for("zones")),
    output:
        table="<zones>/published/scores.csv",
        records=directory("<zones>/accuracy/published"),
    log:
        "<logs>/assess_published_zones/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/assess_published_zones/{scene}.{sensor}.tsv"
    message:
        "Assessing the maps of {wildcards.sensor} of {wildcards.scene} as published"


rule assess_details:
    input:
        **code("assess_details"),
        subbands="<zones>/wavelets/subbands.tif",
        faults=faults_of,
        truth=truth_for("zones"),
        beside=beside(truth_for("zones"), faults_of),
    output:
        table="<zones>/wavelets/details.csv",
        profile="<zones>/wavelets/edge.csv",
        record="<zones>/wavelets/details.json",
    log:
        "<logs>/assess_details/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/assess_details/{scene}.{sensor}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: threads_up_to(2)
    resources:
        mem_mb=memory(800, 400),
    params:
        digest=digest("assess_details"),
        told=lambda wildcards, input: flags(
            zone=names_of_zones(wildcards),
            truth=told_truth("zones")(wildcards, input),
            faults=as_named(input.get("faults"), section("zones", "faults")(wildcards)),
            fault_distance_m=section("zones", "fault_distance_m")(wildcards),
        ),
        spatial=SPATIAL,
    message:
        "Asking what the wavelet details of {wildcards.sensor} of {wildcards.scene} say"
    shell:
        "python {input.script:q} --subbands {input.subbands:q} {params.told} {params.spatial}"
        " --table {output.table:q} --profile {output.profile:q} --record {output.record:q}"
        " --threads {threads}"
        " 2> {log:q}"


use rule assess_details as assess_published_details with:
    input:
        **code("assess_details"),
        subbands="<zones>/published/wavelets/subbands.tif",
        faults=faults_of,
        truth=truth_for("zones"),
        beside=beside(truth_for("zones"), faults_of),
    output:
        table="<zones>/published/wavelets/details.csv",
        profile="<zones>/published/wavelets/edge.csv",
        record="<zones>/published/wavelets/details.json",
    log:
        "<logs>/assess_published_details/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/assess_published_details/{scene}.{sensor}.tsv"
    message:
        "Asking what the wavelet details of {wildcards.scene} say as published"


rule score_alteration:
    input:
        **code("score_alteration"),
        cube="<zones>/cube.tif",
        subbands="<zones>/wavelets/subbands.tif",
        reflectance="<cube>",
        references="<zones>/library/references.csv",
        confidence=confidence_maps,
        published=published_maps,
        anomalies=branch(
            holds("published", "zones"), then="<zones>/published/mad/anomalies.tif", otherwise=[]
        ),
        truth=truth_for("zones"),
        beside=beside(truth_for("zones")),
        model=score_model,
    output:
        maps=directory("<zones>/score/maps"),
        record="<zones>/score/score.json",
        curves="<zones>/score/curves.csv",
        records=directory("<zones>/accuracy/score"),
    log:
        "<logs>/score_alteration/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/score_alteration/{scene}.{sensor}.tsv"
    priority: EARLY
    conda:
        "../../envs/learn.yaml"
    threads: threads_up_to(2)
    resources:
        mem_mb=memory(700, 500),
    params:
        digest=digest("score_alteration"),
        outside=section("zones", "outside"),
        score=lambda wildcards: flags(
            **pick(section("zones", "score")(wildcards), "folds", "per_class", "buffer_px")
        ),
        zones=names_of_zones,
        maps=lambda wildcards, output: [
            f"{output.maps}/{zone}.tif" for zone in names_of_zones(wildcards)
        ],
        truth=lambda wildcards, input: flags(
            truth=told_truth("zones")(wildcards, input),
            **pick(input, "model", "published", "anomalies"),
        ),
        minerals=lambda wildcards: " ".join(
            flags(minerals=[zone, *own["minerals"]])
            for zone, own in section("zones", "alteration")(wildcards).items()
        ),
        spatial=SPATIAL,
    message:
        "Scoring alteration in {wildcards.sensor} of {wildcards.scene}, tested on held-out blocks"
    shell:
        "python {input.script:q} --cube {input.cube:q} --subbands {input.subbands:q}"
        " --reflectance {input.reflectance:q} --zone {params.zones:q}"
        " {params.truth} --outside {params.outside} --confidence {input.confidence:q}"
        " --references {input.references:q} {params.minerals} --scene {wildcards.scene}"
        " {params.score} {params.spatial} --output {params.maps:q}"
        " --record {output.record:q} --curves {output.curves:q} --record-dir {output.records:q}"
        " --threads {threads}"
        " 2> {log:q}"
