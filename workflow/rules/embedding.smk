# One network that names minerals from whichever sensors are there: training, tests, map.


rule train_embedding:
    input:
        **code("train_embedding"),
        library=libraries_for("embedding"),
        beside=beside(libraries_for("embedding")),
        classes=classes_for("embedding"),
        bands="<scene>/stack/cube/bands.csv",
    output:
        model="<embedding>/networks/{embedding}/model.keras",
        onnx="<embedding>/networks/{embedding}/model.onnx",
        record="<embedding>/networks/{embedding}/record.json",
        history="<embedding>/networks/{embedding}/history.csv",
    log:
        "<logs>/train_embedding/{scene}.{embedding}.log",
    benchmark:
        "<benchmarks>/train_embedding/{scene}.{embedding}.tsv"
    priority: EARLY
    conda:
        "../../envs/learn.yaml"
    threads: training_cores("embedding")
    resources:
        mem_mb=memory(3000),
    params:
        digest=digest("train_embedding"),
        network=network_flags,
        training=training_of,
        seed=SETTINGS["accuracy"]["seed"],
    message:
        "Training the {wildcards.embedding} network of {wildcards.scene}"
    shell:
        "python {input.script:q} --library {input.library:q} --classes {input.classes:q}"
        " --bands {input.bands:q} {params.training} {params.network}"
        " --seed {params.seed} --scene {wildcards.scene}"
        " --model {output.model:q} --onnx {output.onnx:q} --record {output.record:q}"
        " --history {output.history:q}"
        " 2> {log:q}"


use rule train_embedding as train_published with:
    output:
        model="<embedding>/published/networks/{embedding}/model.keras",
        onnx="<embedding>/published/networks/{embedding}/model.onnx",
        record="<embedding>/published/networks/{embedding}/record.json",
        history="<embedding>/published/networks/{embedding}/history.csv",
    log:
        "<logs>/train_published/{scene}.{embedding}.log",
    benchmark:
        "<benchmarks>/train_published/{scene}.{embedding}.tsv"
    params:
        digest=digest("train_embedding"),
        network="",
        training=published_of,
        seed=SETTINGS["accuracy"]["seed"],
    message:
        "Training the {wildcards.embedding} network of {wildcards.scene} as published"


rule train_filler:
    input:
        **code("train_filler"),
        library=libraries_for("embedding"),
        beside=beside(libraries_for("embedding")),
        classes=classes_for("embedding"),
        bands="<scene>/stack/cube/bands.csv",
    output:
        model="<embedding>/filler/model.keras",
        onnx="<embedding>/filler/model.onnx",
        record="<embedding>/filler/record.json",
        history="<embedding>/filler/history.csv",
    log:
        "<logs>/train_filler/{scene}.log",
    benchmark:
        "<benchmarks>/train_filler/{scene}.tsv"
    priority: EARLY
    conda:
        "../../envs/learn.yaml"
    threads: training_cores("embedding", "filler")
    resources:
        mem_mb=memory(3000),
    params:
        digest=digest("train_filler"),
        filler=lambda wildcards: flags(**section("embedding", "filler")(wildcards)),
        seed=SETTINGS["accuracy"]["seed"],
    message:
        "Training the network that fills in absent sensors of {wildcards.scene}"
    shell:
        "python {input.script:q} --library {input.library:q} --classes {input.classes:q}"
        " --bands {input.bands:q} {params.filler} --seed {params.seed}"
        " --scene {wildcards.scene}"
        " --model {output.model:q} --onnx {output.onnx:q} --record {output.record:q}"
        " --history {output.history:q}"
        " 2> {log:q}"


rule assess_detectors:
    input:
        **code("assess_detectors"),
        stack="<scene>/stack/cube/cube.tif",
        sensors="<scene>/stack/cube/sensors.tif",
        bands="<scene>/stack/cube/bands.csv",
        truth=truth_for("embedding"),
        classes=classes_for("embedding"),
        minerals=known_classes,
        library=libraries_for("embedding"),
        beside=beside(truth_for("embedding"), libraries_for("embedding")),
        masked="<embedding>/networks/masked/model.onnx",
        unmasked=if_several("networks/unmasked/model.onnx"),
        filler=if_several("filler/model.onnx"),
    output:
        detection="<embedding>/assessment/detection.csv",
        thresholds="<embedding>/assessment/thresholds.json",
        similarity="<embedding>/assessment/similarity.csv",
        subsets="<embedding>/assessment/subsets.csv",
        coverage="<embedding>/assessment/coverage.csv",
        records=directory("<embedding>/accuracy"),
    log:
        "<logs>/assess_detectors/{scene}.log",
    benchmark:
        "<benchmarks>/assess_detectors/{scene}.tsv"
    priority: EARLY
    conda:
        "../../envs/learn.yaml"
    threads: threads_up_to(4)
    resources:
        mem_mb=memory(4000),
    params:
        digest=digest("assess_detectors"),
        more=lambda wildcards, input: flags(
            **{name: input.get(name) for name in ("unmasked", "filler")}
        ),
        tested=tested_flags,
        detection=lambda wildcards: flags(
            **pick(
                section("embedding", "detection")(wildcards),
                *("coverage", "training_spectra", "svm_nu", "trees"),
            )
        ),
    message:
        "Testing the networks and their rivals on {wildcards.scene}"
    shell:
        "python {input.script:q} --stack {input.stack:q} --sensors {input.sensors:q}"
        " --bands {input.bands:q} {params.more} --classes {input.classes:q}"
        " --minerals {input.minerals:q} --library {input.library:q} --masked {input.masked:q}"
        " --scene {wildcards.scene} {params.tested} {params.detection}"
        " --detection {output.detection:q} --thresholds {output.thresholds:q}"
        " --similarity {output.similarity:q} --subsets {output.subsets:q}"
        " --coverage-table {output.coverage:q} --record-dir {output.records:q}"
        " --threads {threads}"
        " 2> {log:q}"


rule compare_embeddings:
    input:
        **code("compare_embeddings"),
        stack="<scene>/stack/cube/cube.tif",
        sensors="<scene>/stack/cube/sensors.tif",
        bands="<scene>/stack/cube/bands.csv",
        truth=truth_for("embedding"),
        classes=classes_for("embedding"),
        minerals=known_classes,
        library=libraries_for("embedding"),
        beside=beside(truth_for("embedding"), libraries_for("embedding")),
        masked="<embedding>/networks/masked/model.onnx",
        unmasked=if_several("networks/unmasked/model.onnx"),
        published_masked="<embedding>/published/networks/masked/model.onnx",
        published_unmasked=if_several("published/networks/unmasked/model.onnx"),
    output:
        comparison="<embedding>/published/comparison.csv",
        similarity="<embedding>/published/similarity.csv",
        records=directory("<embedding>/published/accuracy"),
    log:
        "<logs>/compare_embeddings/{scene}.log",
    benchmark:
        "<benchmarks>/compare_embeddings/{scene}.tsv"
    conda:
        "../../envs/learn.yaml"
    threads: threads_up_to(4)
    resources:
        mem_mb=memory(4000),
    params:
        digest=digest("compare_embeddings"),
        more=lambda wildcards, input: flags(
            **{name: input.get(name) for name in ("unmasked", "published_unmasked")}
        ),
        tested=tested_flags,
    message:
        "Comparing the networks of {wildcards.scene} with those as published"
    shell:
        "python {input.script:q} --stack {input.stack:q} --sensors {input.sensors:q}"
        " --bands {input.bands:q} {params.more} --classes {input.classes:q}"
        " --minerals {input.minerals:q} --library {input.library:q} --masked {input.masked:q}"
        " --published-masked {input.published_masked:q}"
        " --scene {wildcards.scene} {params.tested}"
        " --comparison {output.comparison:q} --similarity {output.similarity:q}"
        " --record-dir {output.records:q} --threads {threads}"
        " 2> {log:q}"


rule map_embedding:
    input:
        **code("map_embedding"),
        stack="<scene>/stack/cube/cube.tif",
        sensors="<scene>/stack/cube/sensors.tif",
        onnx=embedding_file("networks/masked/model.onnx"),
        classes=classes_for("embedding"),
        thresholds=embedding_file("assessment/thresholds.json"),
    output:
        class_map=report(
            "<embedding>/map/class.tif",
            category="Maps",
            labels={"scene": "{scene}", "sensor": "stack", "map": "Minerals by all sensors"},
            caption="../report/embedding.rst",
        ),
        class_style="<embedding>/map/class.qml",
        class_names="<embedding>/map/class.tif.aux.xml",
        distance="<embedding>/map/distance.tif",
        distance_style="<embedding>/map/distance.qml",
        answer="<embedding>/map/answer.tif",
        answer_style="<embedding>/map/answer.qml",
        answer_names="<embedding>/map/answer.tif.aux.xml",
        areas="<embedding>/map/areas.csv",
        sensor_areas="<embedding>/map/sensor_areas.csv",
        record="<embedding>/map/map.json",
    log:
        "<logs>/map_embedding/{scene}.log",
    benchmark:
        "<benchmarks>/map_embedding/{scene}.tsv"
    conda:
        "../../envs/infer.yaml"
    threads: threads_up_to(4)
    resources:
        mem_mb=memory(2000),
    params:
        digest=digest("map_embedding"),
        block_px=MANY_BANDS_BLOCK_PX,
    message:
        "Naming the minerals of {wildcards.scene}"
    shell:
        "python {input.script:q} --stack {input.stack:q} --sensors {input.sensors:q}"
        " --onnx {input.onnx:q} --classes {input.classes:q} --thresholds {input.thresholds:q}"
        " --class-map {output.class_map:q} --distance {output.distance:q}"
        " --answer {output.answer:q} --areas {output.areas:q}"
        " --sensor-areas {output.sensor_areas:q} --record {output.record:q}"
        " --scene {wildcards.scene}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule explain_embedding:
    input:
        **code("explain_embedding"),
        stack="<scene>/stack/cube/cube.tif",
        record="<scene>/stack/cube/cube.json",
        class_map="<embedding>/map/class.tif",
        answer="<embedding>/map/answer.tif",
        areas="<embedding>/map/areas.csv",
        separable="<embedding>/library/separable.csv",
        classes=classes_for("embedding"),
    output:
        "<embedding>/map/explanation.json",
    log:
        "<logs>/explain_embedding/{scene}.log",
    benchmark:
        "<benchmarks>/explain_embedding/{scene}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory(1500),
    params:
        digest=digest("explain_embedding"),
        block_px=MANY_BANDS_BLOCK_PX,
    message:
        "Explaining the network's map of {wildcards.scene}"
    shell:
        "python {input.script:q} --scene {wildcards.scene} --stack {input.stack:q}"
        " --stack-record {input.record:q} --class-map {input.class_map:q}"
        " --answer {input.answer:q} --areas {input.areas:q} --separable {input.separable:q}"
        " --classes {input.classes:q} --output {output:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule map_region:
    input:
        **code("map_region"),
        stack="<scene>/stack/cube/cube.tif",
        sensors="<scene>/stack/cube/sensors.tif",
        onnx=embedding_file("networks/{region}/model.onnx"),
        classes=classes_for("embedding"),
        library=libraries_for("embedding"),
        beside=beside(libraries_for("embedding")),
    output:
        class_map=report(
            "<embedding>/regions/{region}/class.tif",
            category="Maps",
            labels={"scene": "{scene}", "sensor": "stack", "map": "Minerals at {region}"},
            caption="../report/embedding.rst",
        ),
        class_style="<embedding>/regions/{region}/class.qml",
        class_names="<embedding>/regions/{region}/class.tif.aux.xml",
        margin="<embedding>/regions/{region}/margin.tif",
        margin_style="<embedding>/regions/{region}/margin.qml",
        areas="<embedding>/regions/{region}/areas.csv",
        record="<embedding>/regions/{region}/map.json",
    log:
        "<logs>/map_region/{scene}.{region}.log",
    benchmark:
        "<benchmarks>/map_region/{scene}.{region}.tsv"
    conda:
        "../../envs/learn.yaml"
    threads: threads_up_to(4)
    resources:
        mem_mb=memory(2500),
    params:
        digest=digest("map_region"),
        share=section("embedding", "regions", "named_share"),
        seed=SETTINGS["accuracy"]["seed"],
        block_px=MANY_BANDS_BLOCK_PX,
    message:
        "Naming the minerals of {wildcards.scene} at {wildcards.region}"
    shell:
        "python {input.script:q} --stack {input.stack:q} --sensors {input.sensors:q}"
        " --onnx {input.onnx:q} --classes {input.classes:q} --library {input.library:q}"
        " --named-share {params.share} --seed {params.seed} --scene {wildcards.scene}"
        " --class-map {output.class_map:q} --margin {output.margin:q}"
        " --areas {output.areas:q} --record {output.record:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


trial = section("embedding", "spectra")


rule assess_spectra:
    input:
        **code("assess_spectra"),
        training=lambda wildcards: trial(wildcards)["training"],
        test=lambda wildcards: trial(wildcards)["test"],
        sensors=lambda wildcards: trial(wildcards)["sensors"],
        classes=classes_for("embedding"),
    output:
        table="<study>/embedding/spectra/scores.csv",
        record="<study>/embedding/spectra/record.json",
    log:
        "<logs>/assess_spectra/{study}.log",
    benchmark:
        "<benchmarks>/assess_spectra/{study}.tsv"
    conda:
        "../../envs/learn.yaml"
    threads: training_cores("embedding")
    resources:
        mem_mb=memory(3000),
    params:
        digest=digest("assess_spectra"),
        network=network_flags,
        training=lambda wildcards: training_flags(trial(wildcards)),
        masking=section("embedding", "masking"),
        folds=lambda wildcards: trial(wildcards)["folds"],
        instruments=lambda wildcards: first_scene(wildcards)["stack"],
        draws=flags(**pick(SETTINGS["accuracy"], "seed", "bootstrap")),
    message:
        "Training on real spectra of one instrument, testing on another's"
    shell:
        "python {input.script:q} --training {input.training:q} --test {input.test:q}"
        " --classes {input.classes:q} --sensors {input.sensors:q}"
        " --instruments {params.instruments} --folds {params.folds}"
        " --masking {params.masking} {params.training} {params.network} {params.draws}"
        " --table {output.table:q} --record {output.record:q}"
        " 2> {log:q}"


rule tabulate_pixels:
    input:
        **code("tabulate_pixels"),
        matrix=lambda wildcards: collection_of(wildcards)["files"][0],
        wavelengths=lambda wildcards: collection_of(wildcards)["matrix"]["wavelengths"],
    output:
        table="<study>/embedding/pixels/{collection}/spectra.csv",
        record="<study>/embedding/pixels/{collection}/spectra.json",
    log:
        "<logs>/tabulate_pixels/{study}.{collection}.log",
    benchmark:
        "<benchmarks>/tabulate_pixels/{study}.{collection}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        digest=digest("tabulate_pixels"),
        matrix=lambda wildcards: flags(
            variable=collection_of(wildcards)["matrix"]["variable"],
            range_um=collection_of(wildcards)["matrix"].get("range_um"),
        ),
    message:
        "Tabulating the pixels of {wildcards.collection}"
    shell:
        "python {input.script:q} --matrix {input.matrix:q} --wavelengths {input.wavelengths:q}"
        " {params.matrix} --table {output.table:q} --record {output.record:q}"
        " 2> {log:q}"


rule name_spectra:
    input:
        **code("name_spectra"),
        spectra=collection_files,
        onnx=naming_networks,
        classes=classes_for("embedding"),
        library=libraries_for("embedding"),
        beside=beside(collection_files, libraries_for("embedding")),
    output:
        table="<study>/embedding/pixels/{collection}/named.csv",
        summary="<study>/embedding/pixels/{collection}/summary.csv",
        thresholds="<study>/embedding/pixels/{collection}/thresholds.json",
    log:
        "<logs>/name_spectra/{study}.{collection}.log",
    benchmark:
        "<benchmarks>/name_spectra/{study}.{collection}.tsv"
    conda:
        "../../envs/learn.yaml"
    threads: threads_up_to(2)
    resources:
        mem_mb=memory(2000),
    params:
        digest=digest("name_spectra"),
        sensor=lambda wildcards: collection_of(wildcards).get(
            "sensor", first_scene(wildcards)["stack"][0]
        ),
        coverage=section("embedding", "detection", "coverage"),
        share=section("embedding", "regions", "named_share"),
        seed=SETTINGS["accuracy"]["seed"],
    message:
        "Naming the spectra of {wildcards.collection}"
    shell:
        "python {input.script:q} --spectra {input.spectra:q} --sensor {params.sensor}"
        " --onnx {input.onnx:q} --classes {input.classes:q} --library {input.library:q}"
        " --coverage {params.coverage} --named-share {params.share} --seed {params.seed}"
        " --table {output.table:q} --summary {output.summary:q}"
        " --thresholds {output.thresholds:q} --threads {threads}"
        " 2> {log:q}"
