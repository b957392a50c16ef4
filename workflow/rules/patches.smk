# Patches of the mineral map, networks that name their dominant class, and a map by one of them.


rule cut_patches:
    input:
        **code("cut_patches"),
        class_map="<minerals>/class.tif",
        cube="<cube>",
        classes=classes_for("minerals"),
    output:
        colour="<patches>/cut/{cut}/colour.npz",
        reflectance="<patches>/cut/{cut}/reflectance.npz",
        table="<patches>/cut/{cut}/patches.csv",
        record="<patches>/cut/{cut}/cut.json",
    log:
        "<logs>/cut_patches/{scene}.{sensor}.{cut}.log",
    benchmark:
        "<benchmarks>/cut_patches/{scene}.{sensor}.{cut}.tsv"
    priority: FIRST
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory(800),
    params:
        digest=digest("cut_patches"),
        labels=lambda wildcards: (
            flags(labels=section("patches")(wildcards)["labels"])
            if wildcards.cut == "pair"
            else "--skip-rare"
        ),
        patches=lambda wildcards: flags(
            **pick(
                section("patches")(wildcards),
                *("size_px", "stride_px", "split_block_px", "min_label_share"),
                "max_background_share",
            )
        ),
        seed=SETTINGS["accuracy"]["seed"],
    message:
        "Cutting patches ({wildcards.cut}) of {wildcards.sensor} of {wildcards.scene}"
    shell:
        "python {input.script:q} --class-map {input.class_map:q} --cube {input.cube:q}"
        " --classes {input.classes:q} {params.labels} {params.patches}"
        " --seed {params.seed} --colour {output.colour:q} --reflectance {output.reflectance:q}"
        " --table {output.table:q} --record {output.record:q}"
        " 2> {log:q}"


rule train_network:
    input:
        **code("train_network"),
        patches=lambda wildcards: f"{cut_for(wildcards)}/{NETWORKS[wildcards.network][1]}.npz",
        table=lambda wildcards: f"{cut_for(wildcards)}/patches.csv",
        cut=lambda wildcards: f"{cut_for(wildcards)}/cut.json",
        classes=classes_for("minerals"),
    output:
        model="<patches>/networks/{network}/model.keras",
        onnx="<patches>/networks/{network}/model.onnx",
        record="<patches>/networks/{network}/record.json",
        history="<patches>/networks/{network}/history.csv",
        answers="<patches>/networks/{network}/answers.csv",
        accuracy="<patches>/networks/{network}/accuracy.json",
    log:
        "<logs>/train_network/{scene}.{sensor}.{network}.log",
    benchmark:
        "<benchmarks>/train_network/{scene}.{sensor}.{network}.tsv"
    priority: EARLY
    conda:
        "../../envs/learn.yaml"
    threads: training_cores("patches")
    resources:
        mem_mb=memory(4000),
    params:
        digest=digest("train_network"),
        layers=lambda wildcards: NETWORKS[wildcards.network][2],
        protocol="blocked",
        training=lambda wildcards: flags(
            **pick(
                section("patches")(wildcards),
                *("images", "rotations", "epochs", "threads", "split_block_px"),
            ),
            **pick(SETTINGS["accuracy"], "seed", "bootstrap"),
        ),
    message:
        "Training the network {wildcards.network} of {wildcards.sensor} of {wildcards.scene}"
    shell:
        "python {input.script:q} --patches {input.patches:q} --table {input.table:q}"
        " --cut {input.cut:q} --classes {input.classes:q} --protocol {params.protocol} --network {params.layers}"
        " {params.training} --scene {wildcards.scene}"
        " --model {output.model:q} --onnx {output.onnx:q} --record {output.record:q}"
        " --history {output.history:q} --answers {output.answers:q}"
        " --accuracy {output.accuracy:q}"
        " 2> {log:q}"


# The network as published: of the same patches, with the same test ground kept apart.
use rule train_network as train_published_network with:
    input:
        **code("train_network"),
        patches="<patches>/cut/pair/colour.npz",
        table="<patches>/cut/pair/patches.csv",
        cut="<patches>/cut/pair/cut.json",
        classes=classes_for("minerals"),
    output:
        model="<patches>/published/model.keras",
        onnx="<patches>/published/model.onnx",
        record="<patches>/published/record.json",
        history="<patches>/published/history.csv",
        answers="<patches>/published/answers.csv",
        accuracy="<patches>/published/accuracy/split.json",
        apart="<patches>/published/accuracy/apart.json",
    log:
        "<logs>/train_published_network/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/train_published_network/{scene}.{sensor}.tsv"
    params:
        digest=digest("train_network"),
        layers="paper",
        protocol="published",
        training=lambda wildcards, output: flags(
            **pick(section("patches", "published")(wildcards), "images", "rotations", "epochs"),
            source_patches=section("patches", "published")(wildcards)["patches"],
            shuffled=section("patches", "published")(wildcards)["shuffled"],
            apart=output.apart,
            **pick(section("patches")(wildcards), "threads", "split_block_px"),
            **pick(SETTINGS["accuracy"], "seed", "bootstrap"),
        ),
    message:
        "Training the network of {wildcards.sensor} of {wildcards.scene} as published"


rule classify_patches:
    input:
        **code("classify_patches"),
        onnx=mapping_network,
        class_map="<minerals>/class.tif",
        classes=classes_for("minerals"),
    output:
        class_map=report(
            "<patches>/map/class.tif",
            category="Maps",
            labels={"scene": "{scene}", "sensor": "{sensor}", "map": "Classes by patch"},
            caption="../report/patches.rst",
        ),
        style="<patches>/map/class.qml",
        names="<patches>/map/class.tif.aux.xml",
        probability="<patches>/map/probability.tif",
        probability_style="<patches>/map/probability.qml",
        proportions="<patches>/map/proportions.csv",
        pixels="<patches>/map/pixels.csv",
        record="<patches>/map/map.json",
    log:
        "<logs>/classify_patches/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/classify_patches/{scene}.{sensor}.tsv"
    conda:
        "../../envs/infer.yaml"
    threads: threads_up_to(2)
    resources:
        mem_mb=memory(1500),
    params:
        digest=digest("classify_patches"),
        shares=lambda wildcards: flags(
            **pick(
                section("patches")(wildcards),
                *("min_label_share", "max_background_share", "points_per_class"),
            )
        ),
        block_px=SETTINGS["block_px"],
    message:
        "Classifying {wildcards.sensor} of {wildcards.scene} patch by patch"
    shell:
        "python {input.script:q} --onnx {input.onnx:q} --class-map {input.class_map:q}"
        " --classes {input.classes:q} {params.shares} --scene {wildcards.scene} --output {output.class_map:q}"
        " --probability {output.probability:q} --proportions {output.proportions:q}"
        " --pixels {output.pixels:q} --record {output.record:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"
