# Maps against what is known of the ground.


rule assess_minerals:
    input:
        **code("assess_accuracy"),
        class_map="<minerals>/class.tif",
        classes=classes_for("minerals"),
        minerals=known_classes,
        truth=truth_for("minerals"),
        points=reference_points,
        beside=beside(truth_for("minerals"), reference_points),
    output:
        "<minerals>/accuracy/minerals.json",
    log:
        "<logs>/assess_minerals/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/assess_minerals/{scene}.{sensor}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: threads_up_to(2)
    resources:
        mem_mb=memory(500, 40),
    params:
        digest=digest("assess_accuracy"),
        told=lambda wildcards: flags(
            method=CONFIG.MATCH_TITLES[section("minerals")(wildcards)["match"]]
        ),
        truth=truth_flag("minerals"),
        left_out=points_flag("left_out"),
        accuracy=flags(**SETTINGS["accuracy"]),
    message:
        "Assessing the mineral map of {wildcards.sensor} of {wildcards.scene}"
    shell:
        "python {input.script:q} --class-map {input.class_map:q} {params.truth} {params.left_out}"
        " --classes {input.classes:q} --minerals {input.minerals:q} {params.told}"
        " --scene {wildcards.scene} {params.accuracy} --output {output:q} --threads {threads}"
        " 2> {log:q}"


# A group's map says nothing of minerals of other groups, which a pixel may hold besides.
use rule assess_minerals as assess_mineral_group with:
    input:
        **code("assess_accuracy"),
        class_map="<minerals>/{group}/{map}.tif",
        classes=classes_for("minerals"),
        minerals=known_classes,
        truth=truth_for("minerals"),
        points=reference_points,
        beside=beside(truth_for("minerals"), reference_points),
    output:
        "<minerals>/accuracy/{group}-{map}.json",
    log:
        "<logs>/assess_mineral_group/{scene}.{sensor}.{group}-{map}.log",
    benchmark:
        "<benchmarks>/assess_mineral_group/{scene}.{sensor}.{group}-{map}.tsv"
    wildcard_constraints:
        map="class|taught",
    params:
        digest=digest("assess_accuracy"),
        told=lambda wildcards: flags(
            group=wildcards.group,
            method=MAP_METHODS[wildcards.map].format(group=wildcards.group),
        ),
        truth=truth_flag("minerals"),
        left_out=points_flag("left_out"),
        accuracy=flags(**SETTINGS["accuracy"]),
    message:
        "Assessing the {wildcards.map} map at {wildcards.group} of {wildcards.scene}"


# How well the forest's grades of iron meet the simulated ground, which no real scene can tell.
use rule assess_minerals as assess_iron with:
    input:
        **code("assess_accuracy"),
        class_map="<prospects>/iron/class.tif",
        classes=static("iron.csv"),
        minerals=static("iron.csv"),
        truth="<twin>/iron_truth.tif",
    output:
        "<prospects>/accuracy/iron.json",
    log:
        "<logs>/assess_iron/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/assess_iron/{scene}.{sensor}.tsv"
    params:
        digest=digest("assess_accuracy"),
        told=flags(
            method="Random forest of seven iron grades",
            split="learned from the SAM map of grades; this reference trained nothing",
        ),
        truth=lambda wildcards, input: flags(truth=input.truth),
        left_out="",
        accuracy=flags(**SETTINGS["accuracy"]),
    message:
        "Assessing the iron grades of {wildcards.scene}"


rule collect_accuracy:
    input:
        **code("collect_accuracy"),
        records=lambda wildcards: [path for *_, path in accuracy_of(wildcards.study)],
        told="<study>/records.txt",
        schema=source("workflow/schemas/accuracy.schema.json"),
    output:
        report(
            "<study>/accuracy.json",
            category="Accuracy",
            labels={"study": "{study}"},
            caption="../report/accuracy.rst",
        ),
    log:
        "<logs>/collect_accuracy/{study}.log",
    benchmark:
        "<benchmarks>/collect_accuracy/{study}.tsv"
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
        "python {input.script:q} --study {wildcards.study} @{input.told:q}"
        " --schema {input.schema:q} --output {output:q}"
        " 2> {log:q}"
