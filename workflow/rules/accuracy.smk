# Maps against a reference.


rule assess_accuracy:
    input:
        **code("assess_accuracy"),
        class_map="results/scenes/{scene}/sam/class.tif",
        classes=classes_of,
        minerals=source("resources/static/minerals.csv"),
        reference=reference_of,
    output:
        "results/scenes/{scene}/accuracy/sam.json",
    log:
        "results/logs/assess_accuracy/{scene}.log",
    benchmark:
        "results/benchmarks/assess_accuracy/{scene}.tsv"
    wildcard_constraints:
        scene=scenes_by("study", "gilgit"),
    group:
        "tables"
    conda:
        "../../envs/geo.yaml"
    threads: 2
    resources:
        mem_mb=block_memory(500, 40),
    params:
        digest=digest("assess_accuracy"),
        method="Spectral Angle Mapper",
        split="",
        reference=lambda wildcards, input: flag("reference", input.get("reference")),
        accuracy=SETTINGS["accuracy"],
    message:
        "Assessing the SAM map of {wildcards.scene}"
    shell:
        "python {input.script:q} --class-map {input.class_map:q} {params.reference}"
        " --classes {input.classes:q} --minerals {input.minerals:q} --method {params.method:q} {params.split}"
        " --scene {wildcards.scene} --design {params.accuracy[design]}"
        " --per-class {params.accuracy[per_class]} --block-px {params.accuracy[block_px]}"
        " --bootstrap {params.accuracy[bootstrap]} --seed {params.accuracy[seed]}"
        " --output {output:q} --threads {threads}"
        " 2> {log:q}"


# How well the forest's grades of iron meet the simulated ground, which no real scene can tell.
use rule assess_accuracy as assess_iron with:
    input:
        **code("assess_accuracy"),
        class_map="results/scenes/{scene}/iron/class.tif",
        classes=source("resources/static/iron.csv"),
        minerals=source("resources/static/iron.csv"),
        reference="results/scenes/{scene}/twin/iron_truth.tif",
    output:
        "results/scenes/{scene}/accuracy/iron.json",
    log:
        "results/logs/assess_iron/{scene}.log",
    benchmark:
        "results/benchmarks/assess_iron/{scene}.tsv"
    wildcard_constraints:
        scene=scenes_by("study", "bahia"),
    params:
        digest=digest("assess_accuracy"),
        method="Random forest of seven iron grades",
        split="--split 'learned from the SAM map of grades; this reference trained nothing'",
        reference=lambda wildcards, input: flag("reference", input.reference),
        accuracy=SETTINGS["accuracy"],
    message:
        "Assessing the iron grades of {wildcards.scene}"


rule collect_accuracy:
    input:
        **code("collect_accuracy"),
        records=lambda wildcards: accuracy_records(wildcards.study),
        schema=source("workflow/schemas/accuracy.schema.json"),
    output:
        report(
            "results/studies/{study}/accuracy.json",
            category="Accuracy",
            labels={"study": "{study}"},
            caption="../report/accuracy.rst",
        ),
    log:
        "results/logs/collect_accuracy/{study}.log",
    benchmark:
        "results/benchmarks/collect_accuracy/{study}.tsv"
    localrule: True
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=300,
    params:
        digest=digest("collect_accuracy"),
    message:
        "Collecting the accuracy records of {wildcards.study}"
    shell:
        "python {input.script:q} --study {wildcards.study} --records {input.records:q}"
        " --schema {input.schema:q} --output {output:q}"
        " 2> {log:q}"
