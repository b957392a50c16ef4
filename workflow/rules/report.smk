# Figures, the report of a study, and the index of all.

FIGURES = ["composite", "classes", "zones", "angle", "spectra", "areas", "confusion", "accuracy"]


rule draw_figures:
    input:
        **code("draw_figures"),
        cube="results/scenes/{scene}/cube/cube.tif",
        record="results/scenes/{scene}/cube/cube.json",
        class_map="results/scenes/{scene}/sam/class.tif",
        angle="results/scenes/{scene}/sam/angle.tif",
        margin="results/scenes/{scene}/sam/margin.tif",
        zones=zones_of,
        classes=classes_of,
        references="results/scenes/{scene}/library/references.csv",
        signatures="results/scenes/{scene}/tables/signatures.csv",
        areas="results/scenes/{scene}/tables/areas.csv",
        accuracy="results/scenes/{scene}/accuracy/sam.json",
    output:
        report(
            expand("results/scenes/{{scene}}/figures/{figure}.png", figure=FIGURES),
            category="Figures",
            subcategory="{scene}",
            caption="../report/figures.rst",
        ),
    log:
        "results/logs/draw_figures/{scene}.log",
    benchmark:
        "results/benchmarks/draw_figures/{scene}.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        digest=digest("draw_figures"),
        folder="results/scenes/{scene}/figures",
    message:
        "Drawing the figures of {wildcards.scene}"
    shell:
        "python {input.script:q} --cube {input.cube:q} --record {input.record:q}"
        " --class-map {input.class_map:q} --angle {input.angle:q} --margin {input.margin:q}"
        " --zones {input.zones:q} --classes {input.classes:q} --references {input.references:q}"
        " --signatures {input.signatures:q} --areas {input.areas:q}"
        " --accuracy {input.accuracy:q} --output-dir {params.folder:q}"
        " 2> {log:q}"
