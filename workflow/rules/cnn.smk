# Patches of the mineral map, networks that name their dominant class, and a map by one of them.

# What each network is trained on: patches of the two labels or of all classes, painted or as
# reflectance; its layers; how training and test are kept apart.
NETWORKS = {
    "paper-blocked": ("pair", "colour", "paper", "blocked"),
    "paper-paper": ("pair", "colour", "paper", "paper"),
    "compact-blocked": ("pair", "colour", "compact", "blocked"),
    "reflectance-blocked": ("pair", "reflectance", "compact", "blocked"),
    "all-blocked": ("all", "colour", "compact", "blocked"),
}
MAPPED_BY = "compact-blocked"
CNN = SETTINGS["studies"]["gilgit"]["cnn"]


wildcard_constraints:
    store="pair|all",
    network="|".join(NETWORKS),


rule cut_patches:
    input:
        **code("cut_patches"),
        class_map="results/scenes/{scene}/sam/class.tif",
        cube="results/scenes/{scene}/cube/cube.tif",
        classes=classes_of,
    output:
        colour="results/scenes/{scene}/cnn/patches/{store}/colour.npz",
        reflectance="results/scenes/{scene}/cnn/patches/{store}/reflectance.npz",
        table="results/scenes/{scene}/cnn/patches/{store}/patches.csv",
    log:
        "results/logs/cut_patches/{scene}.{store}.log",
    benchmark:
        "results/benchmarks/cut_patches/{scene}.{store}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=800,
    params:
        digest=digest("cut_patches"),
        labels=lambda wildcards: (
            f"--labels {' '.join(CNN['labels'])}" if wildcards.store == "pair" else "--skip-rare"
        ),
        size_px=CNN["size_px"],
        stride_px=CNN["stride_px"],
        split_block_px=CNN["split_block_px"],
        seed=SETTINGS["accuracy"]["seed"],
    message:
        "Cutting patches ({wildcards.store}) of {wildcards.scene}"
    shell:
        "python {input.script:q} --class-map {input.class_map:q} --cube {input.cube:q}"
        " --classes {input.classes:q} {params.labels} --size-px {params.size_px}"
        " --stride-px {params.stride_px} --split-block-px {params.split_block_px}"
        " --seed {params.seed} --colour {output.colour:q} --reflectance {output.reflectance:q}"
        " --table {output.table:q}"
        " 2> {log:q}"


rule train_network:
    input:
        **code("train_network"),
        patches=patches_of,
        table=patch_table_of,
        classes=classes_of,
    output:
        model="results/scenes/{scene}/cnn/networks/{network}/model.keras",
        onnx="results/scenes/{scene}/cnn/networks/{network}/model.onnx",
        record="results/scenes/{scene}/cnn/networks/{network}/record.json",
        history="results/scenes/{scene}/cnn/networks/{network}/history.csv",
        answers="results/scenes/{scene}/cnn/networks/{network}/answers.csv",
        accuracy="results/scenes/{scene}/cnn/networks/{network}/accuracy.json",
    log:
        "results/logs/train_network/{scene}.{network}.log",
    benchmark:
        "results/benchmarks/train_network/{scene}.{network}.tsv"
    conda:
        "../../envs/learn.yaml"
    threads: CNN["threads"]
    resources:
        mem_mb=4000,
    params:
        digest=digest("train_network"),
        layers=lambda wildcards: NETWORKS[wildcards.network][2],
        protocol=lambda wildcards: NETWORKS[wildcards.network][3],
        cnn=CNN,
        accuracy=SETTINGS["accuracy"],
    message:
        "Training the network {wildcards.network} of {wildcards.scene}"
    shell:
        "python {input.script:q} --patches {input.patches:q} --table {input.table:q}"
        " --classes {input.classes:q} --protocol {params.protocol} --network {params.layers}"
        " --images {params.cnn[images]} --rotations {params.cnn[rotations]}"
        " --epochs {params.cnn[epochs]} --seed {params.accuracy[seed]}"
        " --threads {params.cnn[threads]} --scene {wildcards.scene}"
        " --split-block-px {params.cnn[split_block_px]} --bootstrap {params.accuracy[bootstrap]}"
        " --model {output.model:q} --onnx {output.onnx:q} --record {output.record:q}"
        " --history {output.history:q} --answers {output.answers:q}"
        " --accuracy {output.accuracy:q}"
        " 2> {log:q}"


rule classify_patches:
    input:
        **code("classify_patches"),
        onnx=f"results/scenes/{{scene}}/cnn/networks/{MAPPED_BY}/model.onnx",
        class_map="results/scenes/{scene}/sam/class.tif",
        classes=classes_of,
    output:
        class_map="results/scenes/{scene}/cnn/map/class.tif",
        style="results/scenes/{scene}/cnn/map/class.qml",
        names="results/scenes/{scene}/cnn/map/class.tif.aux.xml",
        probability="results/scenes/{scene}/cnn/map/probability.tif",
        probability_style="results/scenes/{scene}/cnn/map/probability.qml",
        proportions="results/scenes/{scene}/cnn/map/proportions.csv",
        pixels="results/scenes/{scene}/cnn/map/pixels.csv",
    log:
        "results/logs/classify_patches/{scene}.log",
    benchmark:
        "results/benchmarks/classify_patches/{scene}.tsv"
    conda:
        "../../envs/infer.yaml"
    threads: 2
    resources:
        mem_mb=1500,
    params:
        digest=digest("classify_patches"),
        block_px=SETTINGS["block_px"],
    message:
        "Classifying {wildcards.scene} patch by patch"
    shell:
        "python {input.script:q} --onnx {input.onnx:q} --class-map {input.class_map:q}"
        " --classes {input.classes:q} --output {output.class_map:q}"
        " --probability {output.probability:q} --proportions {output.proportions:q}"
        " --pixels {output.pixels:q} --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"
