# Reference spectra: the classes of a study, those of a method, and their spectra on a cube's bands.

SPECTRAL_METHODS = "minerals|zones|embedding"


rule list_classes:
    input:
        **code("select_classes"),
        minerals=static("minerals.csv"),
        own=lambda wildcards: settings_of(wildcards)["classes"] or [],
    output:
        "<study>/classes.csv",
    log:
        "<logs>/list_classes/{study}.log",
    benchmark:
        "<benchmarks>/list_classes/{study}.tsv"
    localrule: True
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=300,
    params:
        digest=digest("select_classes"),
        options=lambda wildcards, input: flags(own=input.get("own")),
    message:
        "Listing the classes that {wildcards.study} knows"
    shell:
        "python {input.script:q} --minerals {input.minerals:q} {params.options}"
        " --classes {output:q}"
        " 2> {log:q}"


use rule list_classes as select_classes with:
    output:
        "<study>/{method}/classes.csv",
    log:
        "<logs>/select_classes/{study}.{method}.log",
    benchmark:
        "<benchmarks>/select_classes/{study}.{method}.tsv"
    wildcard_constraints:
        method=SPECTRAL_METHODS,
    localrule: True
    params:
        digest=digest("select_classes"),
        options=lambda wildcards, input: flags(
            own=input.get("own"), **reference_flags(settings_of(wildcards), wildcards.method)
        ),
    message:
        "Selecting the classes of {wildcards.method} of {wildcards.study}"


rule measure_references:
    input:
        **code("measure_references"),
        cube="<cube>",
        points=reference_points,
        beside=beside(reference_points),
        classes=classes_for("minerals"),
    output:
        "<minerals>/library/scene.csv",
    log:
        "<logs>/measure_references/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/measure_references/{scene}.{sensor}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: threads_up_to(2)
    resources:
        mem_mb=memory(500, 60),
    params:
        digest=digest("measure_references"),
        points=points_flag("points"),
        block_px=block_px_of,
    message:
        "Measuring references in {wildcards.sensor} of {wildcards.scene}"
    shell:
        "python {input.script:q} --cube {input.cube:q} {params.points}"
        " --classes {input.classes:q} --scene-spectra {output:q}"
        " --block-px {params.block_px} --threads {threads}"
        " 2> {log:q}"


rule resample_library:
    input:
        **code("resample_library"),
        library=libraries_for("minerals"),
        beside=beside(libraries_for("minerals")),
        classes=classes_for("minerals"),
        cube="<cube>",
        from_scene=scene_spectra,
        spread=static("record_spread.csv"),
    output:
        references="<minerals>/library/references.csv",
        records="<minerals>/library/records.csv",
        separable="<minerals>/library/separable.csv",
    log:
        "<logs>/resample_library/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/resample_library/{scene}.{sensor}.tsv"
    priority: FIRST
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory(500),
    params:
        digest=digest("resample_library"),
        per_class=lambda wildcards, input: " ".join(
            [
                "all" if groups_of(settings_of(wildcards)) else "one",
                flags(from_scene=input.get("from_scene")),
            ]
        ),
    message:
        "Resampling reference spectra to the bands of {wildcards.sensor} of {wildcards.scene}"
    shell:
        "python {input.script:q} --library {input.library:q} --classes {input.classes:q}"
        " --cube {input.cube:q} --records-per-class {params.per_class}"
        " --spread {input.spread:q} --references {output.references:q}"
        " --records {output.records:q} --separable {output.separable:q}"
        " 2> {log:q}"


use rule resample_library as resample_library_for_zones with:
    input:
        **code("resample_library"),
        library=libraries_for("zones"),
        beside=beside(libraries_for("zones")),
        classes=classes_for("zones"),
        cube="<zones>/cube.tif",
        spread=static("record_spread.csv"),
    output:
        references="<zones>/library/references.csv",
        records="<zones>/library/records.csv",
        separable="<zones>/library/separable.csv",
    log:
        "<logs>/resample_library_for_zones/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/resample_library_for_zones/{scene}.{sensor}.tsv"
    params:
        digest=digest("resample_library"),
        per_class="one",


use rule resample_library as resample_library_for_embedding with:
    input:
        **code("resample_library"),
        library=libraries_for("embedding"),
        beside=beside(libraries_for("embedding")),
        classes=classes_for("embedding"),
        cube="<scene>/stack/cube/cube.tif",
        spread=static("record_spread.csv"),
    output:
        references="<embedding>/library/references.csv",
        records="<embedding>/library/records.csv",
        separable="<embedding>/library/separable.csv",
    log:
        "<logs>/resample_library_for_embedding/{scene}.log",
    benchmark:
        "<benchmarks>/resample_library_for_embedding/{scene}.tsv"
    params:
        digest=digest("resample_library"),
        per_class="one",
    message:
        "Resampling reference spectra to the stack of {wildcards.scene}"


# Spectra of the user's ore; what of the references no library has is the mean of samples.
use rule resample_library as resample_library_for_prospects with:
    input:
        **code("resample_library"),
        library=libraries_for("prospects"),
        beside=beside(libraries_for("prospects")),
        classes=static("ore_references.csv"),
        cube="<cube>",
        spread=static("record_spread.csv"),
    output:
        references="<prospects>/library/references.csv",
        records="<prospects>/library/records.csv",
        separable="<prospects>/library/separable.csv",
    log:
        "<logs>/resample_library_for_prospects/{scene}.{sensor}.log",
    benchmark:
        "<benchmarks>/resample_library_for_prospects/{scene}.{sensor}.tsv"
    params:
        digest=digest("resample_library"),
        per_class="one --skip-absent",
    message:
        "Resampling spectra of ore to the bands of {wildcards.sensor} of {wildcards.scene}"
