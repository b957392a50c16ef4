# One network that names minerals from whichever sensors are there: training, tests, map.

CUPRITE = SETTINGS["studies"]["cuprite"]
TRIAL = CUPRITE["spectra"]
# Sensors at most that training hides: any but one, or none.
EMBEDDINGS = {"masked": CUPRITE["embedding"]["masking"], "unmasked": 0}


wildcard_constraints:
    embedding="|".join(EMBEDDINGS),
    collection="|".join(CUPRITE["pixels"]) or "(?!)",


rule train_embedding:
    input:
        **code("train_embedding"),
        library=library_sources,
        classes=classes_of,
        bands="results/scenes/{scene}/stack/bands.csv",
    output:
        model="results/scenes/{scene}/metric/networks/{embedding}/model.keras",
        onnx="results/scenes/{scene}/metric/networks/{embedding}/model.onnx",
        record="results/scenes/{scene}/metric/networks/{embedding}/record.json",
        history="results/scenes/{scene}/metric/networks/{embedding}/history.csv",
    log:
        "results/logs/train_embedding/{scene}.{embedding}.log",
    benchmark:
        "results/benchmarks/train_embedding/{scene}.{embedding}.tsv"
    conda:
        "../../envs/learn.yaml"
    threads: CUPRITE["embedding"]["threads"]
    resources:
        mem_mb=3000,
    params:
        digest=digest("train_embedding"),
        embedding=CUPRITE["embedding"],
        masking=lambda wildcards: EMBEDDINGS[wildcards.embedding],
        seed=SETTINGS["accuracy"]["seed"],
    message:
        "Training the {wildcards.embedding} network of {wildcards.scene}"
    shell:
        "python {input.script:q} --library {input.library:q} --classes {input.classes:q}"
        " --bands {input.bands:q} --masking {params.masking}"
        " --triplets {params.embedding[triplets]} --epochs {params.embedding[epochs]}"
        " --hidden {params.embedding[hidden]} --embedding {params.embedding[size]}"
        " --networks {params.embedding[networks]} --margin {params.embedding[margin]}"
        " --mining {params.embedding[mining]} --seed {params.seed}"
        " --threads {params.embedding[threads]}"
        " --model {output.model:q} --onnx {output.onnx:q} --record {output.record:q}"
        " --history {output.history:q}"
        " 2> {log:q}"


rule train_filler:
    input:
        **code("train_filler"),
        library=library_sources,
        classes=classes_of,
        bands="results/scenes/{scene}/stack/bands.csv",
    output:
        model="results/scenes/{scene}/metric/filler/model.keras",
        onnx="results/scenes/{scene}/metric/filler/model.onnx",
        record="results/scenes/{scene}/metric/filler/record.json",
        history="results/scenes/{scene}/metric/filler/history.csv",
    log:
        "results/logs/train_filler/{scene}.log",
    benchmark:
        "results/benchmarks/train_filler/{scene}.tsv"
    conda:
        "../../envs/learn.yaml"
    threads: CUPRITE["filler"]["threads"]
    resources:
        mem_mb=3000,
    params:
        digest=digest("train_filler"),
        filler=CUPRITE["filler"],
        seed=SETTINGS["accuracy"]["seed"],
    message:
        "Training the network that fills in absent sensors of {wildcards.scene}"
    shell:
        "python {input.script:q} --library {input.library:q} --classes {input.classes:q}"
        " --bands {input.bands:q} --spectra {params.filler[spectra]}"
        " --epochs {params.filler[epochs]} --hidden {params.filler[hidden]}"
        " --seed {params.seed} --threads {params.filler[threads]}"
        " --model {output.model:q} --onnx {output.onnx:q} --record {output.record:q}"
        " --history {output.history:q}"
        " 2> {log:q}"


rule assess_detectors:
    input:
        **code("assess_detectors"),
        stack="results/scenes/{scene}/stack/stack.tif",
        sensors="results/scenes/{scene}/stack/sensors.tif",
        bands="results/scenes/{scene}/stack/bands.csv",
        reference=reference_of,
        classes=classes_of,
        minerals=source("resources/static/minerals.csv"),
        library=library_sources,
        masked="results/scenes/{scene}/metric/networks/masked/model.onnx",
        unmasked="results/scenes/{scene}/metric/networks/unmasked/model.onnx",
        filler="results/scenes/{scene}/metric/filler/model.onnx",
    output:
        detection="results/scenes/{scene}/metric/assessment/detection.csv",
        thresholds="results/scenes/{scene}/metric/assessment/thresholds.json",
        similarity="results/scenes/{scene}/metric/assessment/similarity.csv",
        subsets="results/scenes/{scene}/metric/assessment/subsets.csv",
        coverage="results/scenes/{scene}/metric/assessment/coverage.csv",
        records=directory("results/scenes/{scene}/accuracy/metric"),
    log:
        "results/logs/assess_detectors/{scene}.log",
    benchmark:
        "results/benchmarks/assess_detectors/{scene}.tsv"
    conda:
        "../../envs/learn.yaml"
    threads: 4
    resources:
        mem_mb=4000,
    params:
        digest=digest("assess_detectors"),
        reference=lambda wildcards, input: flag("reference", input.get("reference")),
        detection=CUPRITE["detection"],
        accuracy=SETTINGS["accuracy"],
    message:
        "Testing the networks and their rivals on {wildcards.scene}"
    shell:
        "python {input.script:q} --stack {input.stack:q} --sensors {input.sensors:q}"
        " --bands {input.bands:q} {params.reference} --classes {input.classes:q}"
        " --minerals {input.minerals:q} --library {input.library:q} --masked {input.masked:q}"
        " --unmasked {input.unmasked:q} --filler {input.filler:q} --scene {wildcards.scene}"
        " --spatial-block-px {params.detection[spatial_block_px]}"
        " --validation-share {params.detection[validation_share]}"
        " --per-class {params.detection[per_class]} --coverage {params.detection[coverage]}"
        " --training-spectra {params.detection[training_spectra]}"
        " --svm-nu {params.detection[svm_nu]} --trees {params.detection[trees]}"
        " --bootstrap {params.accuracy[bootstrap]} --seed {params.accuracy[seed]}"
        " --detection {output.detection:q} --thresholds {output.thresholds:q}"
        " --similarity {output.similarity:q} --subsets {output.subsets:q}"
        " --coverage-table {output.coverage:q} --record-dir {output.records:q}"
        " --threads {threads}"
        " 2> {log:q}"


rule map_embedding:
    input:
        **code("map_embedding"),
        stack="results/scenes/{scene}/stack/stack.tif",
        sensors="results/scenes/{scene}/stack/sensors.tif",
        onnx="results/scenes/{scene}/metric/networks/masked/model.onnx",
        classes=classes_of,
        thresholds="results/scenes/{scene}/metric/assessment/thresholds.json",
    output:
        class_map="results/scenes/{scene}/metric/map/class.tif",
        class_style="results/scenes/{scene}/metric/map/class.qml",
        class_names="results/scenes/{scene}/metric/map/class.tif.aux.xml",
        distance="results/scenes/{scene}/metric/map/distance.tif",
        distance_style="results/scenes/{scene}/metric/map/distance.qml",
        answer="results/scenes/{scene}/metric/map/answer.tif",
        answer_style="results/scenes/{scene}/metric/map/answer.qml",
        answer_names="results/scenes/{scene}/metric/map/answer.tif.aux.xml",
        areas="results/scenes/{scene}/metric/map/areas.csv",
        sensor_areas="results/scenes/{scene}/metric/map/sensor_areas.csv",
    log:
        "results/logs/map_embedding/{scene}.log",
    benchmark:
        "results/benchmarks/map_embedding/{scene}.tsv"
    conda:
        "../../envs/infer.yaml"
    threads: 4
    resources:
        mem_mb=2000,
    params:
        digest=digest("map_embedding"),
        block_px=SENSOR_BLOCK_PX,
    message:
        "Naming the minerals of {wildcards.scene}"
    shell:
        "python {input.script:q} --stack {input.stack:q} --sensors {input.sensors:q}"
        " --onnx {input.onnx:q} --classes {input.classes:q} --thresholds {input.thresholds:q}"
        " --class-map {output.class_map:q} --distance {output.distance:q}"
        " --answer {output.answer:q} --areas {output.areas:q}"
        " --sensor-areas {output.sensor_areas:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule assess_spectra:
    input:
        **code("assess_spectra"),
        training=TRIAL["training"] or [],
        test=TRIAL["test"] or [],
        sensors=TRIAL["sensors"] or [],
        classes="results/studies/{study}/classes.csv",
    output:
        table="results/studies/{study}/spectra/scores.csv",
        record="results/studies/{study}/spectra/record.json",
    log:
        "results/logs/assess_spectra/{study}.log",
    benchmark:
        "results/benchmarks/assess_spectra/{study}.tsv"
    wildcard_constraints:
        study="cuprite",
    conda:
        "../../envs/learn.yaml"
    threads: CUPRITE["embedding"]["threads"]
    resources:
        mem_mb=3000,
    params:
        digest=digest("assess_spectra"),
        trial=TRIAL,
        embedding=CUPRITE["embedding"],
        accuracy=SETTINGS["accuracy"],
    message:
        "Training on real spectra of one instrument, testing on another's"
    shell:
        "python {input.script:q} --training {input.training:q} --test {input.test:q}"
        " --classes {input.classes:q} --sensors {input.sensors:q} --folds {params.trial[folds]}"
        " --masking {params.embedding[masking]} --triplets {params.trial[triplets]}"
        " --epochs {params.trial[epochs]} --networks {params.trial[networks]}"
        " --hidden {params.embedding[hidden]} --embedding {params.embedding[size]}"
        " --margin {params.embedding[margin]} --mining {params.embedding[mining]}"
        " --seed {params.accuracy[seed]} --threads {params.embedding[threads]}"
        " --bootstrap {params.accuracy[bootstrap]}"
        " --table {output.table:q} --record {output.record:q}"
        " 2> {log:q}"


rule tabulate_pixels:
    input:
        **code("tabulate_pixels"),
        matrix=lambda wildcards: CUPRITE["pixels"][wildcards.collection]["files"][0],
        wavelengths=lambda wildcards: matrix_of(wildcards)["wavelengths"],
    output:
        table="results/studies/cuprite/pixels/{collection}/spectra.csv",
        record="results/studies/cuprite/pixels/{collection}/spectra.json",
    log:
        "results/logs/tabulate_pixels/{collection}.log",
    benchmark:
        "results/benchmarks/tabulate_pixels/{collection}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        digest=digest("tabulate_pixels"),
        variable=lambda wildcards: matrix_of(wildcards)["variable"],
        range_um=lambda wildcards: flag(
            "range-um", " ".join(map(str, matrix_of(wildcards).get("range_um", [])))
        ),
    message:
        "Tabulating the pixels of {wildcards.collection}"
    shell:
        "python {input.script:q} --matrix {input.matrix:q} --variable {params.variable:q}"
        " --wavelengths {input.wavelengths:q} {params.range_um}"
        " --table {output.table:q} --record {output.record:q}"
        " 2> {log:q}"


rule name_spectra:
    input:
        **code("name_spectra"),
        spectra=collection_files,
        onnx=lambda wildcards: f"results/scenes/{scenes_of('cuprite')[0]}/metric/networks/masked/model.onnx",
        classes="results/studies/cuprite/classes.csv",
        library=library_sources,
    output:
        table="results/studies/cuprite/pixels/{collection}/named.csv",
        summary="results/studies/cuprite/pixels/{collection}/summary.csv",
        thresholds="results/studies/cuprite/pixels/{collection}/thresholds.json",
    log:
        "results/logs/name_spectra/{collection}.log",
    benchmark:
        "results/benchmarks/name_spectra/{collection}.tsv"
    conda:
        "../../envs/learn.yaml"
    threads: 2
    resources:
        mem_mb=2000,
    params:
        digest=digest("name_spectra"),
        sensor=lambda wildcards: CUPRITE["pixels"][wildcards.collection].get("sensor", "emit"),
        coverage=CUPRITE["detection"]["coverage"],
        seed=SETTINGS["accuracy"]["seed"],
    message:
        "Naming the spectra of {wildcards.collection}"
    shell:
        "python {input.script:q} --spectra {input.spectra:q} --sensor {params.sensor}"
        " --onnx {input.onnx:q} --classes {input.classes:q} --library {input.library:q}"
        " --coverage {params.coverage} --seed {params.seed}"
        " --table {output.table:q} --summary {output.summary:q}"
        " --thresholds {output.thresholds:q} --threads {threads}"
        " 2> {log:q}"
