# Simulated ground, imaged as a native product.


rule simulate_scene:
    input:
        **code("simulate_scene"),
        library=source("resources/static/analytic_library.csv"),
        minerals=source("resources/static/minerals.csv"),
    output:
        product="results/scenes/{scene}/twin/product.tar",
        truth="results/scenes/{scene}/twin/truth.tif",
        truth_style="results/scenes/{scene}/twin/truth.qml",
        truth_names="results/scenes/{scene}/twin/truth.tif.aux.xml",
    log:
        "results/logs/simulate_scene/{scene}.log",
    benchmark:
        "results/benchmarks/simulate_scene/{scene}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 4
    resources:
        mem_mb=block_memory(600, 800),
    params:
        digest=digest("simulate_scene"),
        sensor=lambda wildcards: SCENES[wildcards.scene]["sensor"],
        twin=SETTINGS["twin"],
    message:
        "Simulating ground and product of {wildcards.scene} (synthetic)"
    shell:
        "python {input.script:q} --sensor {params.sensor} --seed {params.twin[seed]}"
        " --size-px {params.twin[size_px]} --difficulty {params.twin[difficulty]}"
        " --library {input.library:q} --minerals {input.minerals:q}"
        " --product {output.product:q} --truth {output.truth:q} --threads {threads}"
        " 2> {log:q}"
