# Alteration zones by median absolute deviation and wavelets, and by a score learned from both.

ZONES = list(SETTINGS["studies"]["zafarghand"]["zones"])


rule map_anomalies:
    input:
        **code("map_anomalies"),
        cube="results/scenes/{scene}/cube/cube.tif",
    output:
        anomalies=report(
            "results/scenes/{scene}/mad/anomalies.tif",
            category="Maps",
            labels={"scene": "{scene}", "map": "MAD anomalies"},
            caption="../report/anomalies.rst",
        ),
        style="results/scenes/{scene}/mad/anomalies.qml",
        names="results/scenes/{scene}/mad/anomalies.tif.aux.xml",
        table="results/scenes/{scene}/mad/anomalies.csv",
    log:
        "results/logs/map_anomalies/{scene}.log",
    benchmark:
        "results/benchmarks/map_anomalies/{scene}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 4
    resources:
        mem_mb=block_memory(500, 120),
    params:
        digest=digest("map_anomalies"),
        bands=lambda wildcards: study_of(wildcards)["bands"],
        mad=lambda wildcards: study_of(wildcards)["mad"],
        block_px=SETTINGS["block_px"],
    message:
        "Mapping MAD anomalies of {wildcards.scene}"
    shell:
        "python {input.script:q} --cube {input.cube:q} --bands {params.bands}"
        " --n {params.mad[n]} --centre {params.mad[centre]} --side {params.mad[side]}"
        " --output {output.anomalies:q} --table {output.table:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule transform_wavelets:
    input:
        **code("transform_wavelets"),
        cube="results/scenes/{scene}/cube/cube.tif",
    output:
        subbands="results/scenes/{scene}/wavelets/subbands.tif",
        style="results/scenes/{scene}/wavelets/subbands.qml",
        profile="results/scenes/{scene}/wavelets/profile.csv",
    log:
        "results/logs/transform_wavelets/{scene}.log",
    benchmark:
        "results/benchmarks/transform_wavelets/{scene}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 4
    resources:
        mem_mb=block_memory(600, 400),
    params:
        digest=digest("transform_wavelets"),
        bands=lambda wildcards: study_of(wildcards)["bands"],
        wavelet=lambda wildcards: study_of(wildcards)["wavelet"],
        block_px=SETTINGS["block_px"],
    message:
        "Splitting the bands of {wildcards.scene} into wavelet sub-bands"
    shell:
        "python {input.script:q} --cube {input.cube:q} --bands {params.bands}"
        " --wavelet {params.wavelet[name]} --level {params.wavelet[level]}"
        " --mode {params.wavelet[mode]} --transform {params.wavelet[transform]}"
        " --output {output.subbands:q} --profile {output.profile:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule compare_wavelets:
    input:
        **code("compare_wavelets"),
        cube="results/scenes/{scene}/cube/cube.tif",
        reference=reference_of,
    output:
        "results/scenes/{scene}/wavelets/comparison.csv",
    log:
        "results/logs/compare_wavelets/{scene}.log",
    benchmark:
        "results/benchmarks/compare_wavelets/{scene}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 2
    resources:
        mem_mb=800,
    params:
        digest=digest("compare_wavelets"),
        bands=lambda wildcards: study_of(wildcards)["bands"],
        wavelet=lambda wildcards: study_of(wildcards)["wavelet"],
        reference=lambda wildcards, input: flag("reference", input.get("reference")),
        zones=" ".join(f"--zone {zone}" for zone in ZONES),
        accuracy=SETTINGS["accuracy"],
    message:
        "Comparing wavelets on {wildcards.scene}"
    shell:
        "python {input.script:q} --cube {input.cube:q} --bands {params.bands}"
        " --wavelets {params.wavelet[compare]} --level {params.wavelet[level]}"
        " --mode {params.wavelet[mode]} --transform {params.wavelet[transform]}"
        " {params.reference} {params.zones} --block-px {params.accuracy[block_px]}"
        " --bootstrap {params.accuracy[bootstrap]} --seed {params.accuracy[seed]}"
        " --output {output:q} --threads {threads}"
        " 2> {log:q}"


rule map_confidence:
    input:
        **code("map_confidence"),
        subbands="results/scenes/{scene}/wavelets/subbands.tif",
    output:
        confidence="results/scenes/{scene}/confidence/{zone}.tif",
        style="results/scenes/{scene}/confidence/{zone}.qml",
        names="results/scenes/{scene}/confidence/{zone}.tif.aux.xml",
    log:
        "results/logs/map_confidence/{scene}.{zone}.log",
    benchmark:
        "results/benchmarks/map_confidence/{scene}.{zone}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 2
    resources:
        mem_mb=block_memory(500, 400),
    params:
        digest=digest("map_confidence"),
        bands=lambda wildcards: study_of(wildcards)["bands"],
        levels=lambda wildcards: study_of(wildcards)["zones"][wildcards.zone],
        block_px=SETTINGS["block_px"],
    message:
        "Mapping confidence in the {wildcards.zone} zone of {wildcards.scene}"
    shell:
        "python {input.script:q} --subbands {input.subbands:q} --bands {params.bands}"
        " --zone {wildcards.zone} --medium {params.levels[medium]} --high {params.levels[high]}"
        " --output {output.confidence:q} --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule assess_zones:
    input:
        **code("assess_zones"),
        confidence=expand("results/scenes/{{scene}}/confidence/{zone}.tif", zone=ZONES),
        reference=reference_of,
    output:
        table="results/scenes/{scene}/confidence/confidence.csv",
        records=directory("results/scenes/{scene}/accuracy/confidence"),
    log:
        "results/logs/assess_zones/{scene}.log",
    benchmark:
        "results/benchmarks/assess_zones/{scene}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 2
    resources:
        mem_mb=800,
    params:
        digest=digest("assess_zones"),
        outside=lambda wildcards: study_of(wildcards)["outside"],
        reference=lambda wildcards, input: flag("reference", input.get("reference")),
        accuracy=SETTINGS["accuracy"],
    message:
        "Assessing the confidence maps of {wildcards.scene}"
    shell:
        "python {input.script:q} --confidence {input.confidence:q} {params.reference}"
        " --outside {params.outside} --scene {wildcards.scene}"
        " --block-px {params.accuracy[block_px]} --bootstrap {params.accuracy[bootstrap]}"
        " --seed {params.accuracy[seed]} --table {output.table:q} --record-dir {output.records:q}"
        " --threads {threads}"
        " 2> {log:q}"


rule score_alteration:
    input:
        **code("score_alteration"),
        cube="results/scenes/{scene}/cube/cube.tif",
        subbands="results/scenes/{scene}/wavelets/subbands.tif",
        reflectance="results/scenes/{scene}/cube/reflectance.tif",
        references="results/scenes/{scene}/library/references.csv",
        confidence=expand("results/scenes/{{scene}}/confidence/{zone}.tif", zone=ZONES),
        reference=reference_of,
        model=score_model,
    output:
        scores=expand("results/scenes/{{scene}}/score/{zone}.tif", zone=ZONES),
        styles=expand("results/scenes/{{scene}}/score/{zone}.qml", zone=ZONES),
        record="results/scenes/{scene}/score/score.json",
        curves="results/scenes/{scene}/score/curves.csv",
        records=directory("results/scenes/{scene}/accuracy/score"),
    log:
        "results/logs/score_alteration/{scene}.log",
    benchmark:
        "results/benchmarks/score_alteration/{scene}.tsv"
    conda:
        "../../envs/learn.yaml"
    threads: 2
    resources:
        mem_mb=block_memory(700, 500),
    params:
        digest=digest("score_alteration"),
        bands=lambda wildcards: study_of(wildcards)["bands"],
        outside=lambda wildcards: study_of(wildcards)["outside"],
        score=lambda wildcards: study_of(wildcards)["score"],
        zones=ZONES,
        truth=lambda wildcards, input: flag("reference", input.get("reference"))
        or flag("model", input.get("model")),
        minerals=lambda wildcards: " ".join(
            f"--minerals {zone} {' '.join(own['minerals'])}"
            for zone, own in study_of(wildcards)["zones"].items()
        ),
        accuracy=SETTINGS["accuracy"],
    message:
        "Scoring alteration in {wildcards.scene}, tested on held-out blocks"
    shell:
        "python {input.script:q} --cube {input.cube:q} --subbands {input.subbands:q}"
        " --reflectance {input.reflectance:q} --bands {params.bands} --zone {params.zones}"
        " {params.truth} --outside {params.outside} --confidence {input.confidence:q}"
        " --references {input.references:q} {params.minerals} --scene {wildcards.scene}"
        " --block-px {params.accuracy[block_px]} --folds {params.score[folds]}"
        " --per-class {params.score[per_class]} --bootstrap {params.accuracy[bootstrap]}"
        " --seed {params.accuracy[seed]} --output {output.scores:q}"
        " --record {output.record:q} --curves {output.curves:q} --record-dir {output.records:q}"
        " --threads {threads}"
        " 2> {log:q}"
