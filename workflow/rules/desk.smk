# What a geologist opens of a scene.


rule list_layers:
    input:
        files=layer_files,
        known=known_files,
    output:
        "<scene>/layers.json",
    log:
        "<logs>/list_layers/{scene}.log",
    benchmark:
        "<benchmarks>/list_layers/{scene}.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=100,
    params:
        layers=layers_text,
    message:
        "Listing the layers of {wildcards.scene}"
    shell:
        "printf '%s\\n' {params.layers:q} > {output:q} 2> {log:q}"
