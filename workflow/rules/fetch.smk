# Products of archives, by name: the only rules that use the network, and only where fetch.run says so.

workflow.global_resources.setdefault("downloads", SETTINGS["fetch"]["downloads"])


rule fetch_product:
    input:
        **code("fetch_product"),
    output:
        product="<results>/products/{name}/{leaf}",
        record="<results>/products/{name}/{leaf}.fetched.json",
    log:
        "<logs>/fetch_product/{name}.{leaf}.log",
    benchmark:
        "<benchmarks>/fetch_product/{name}.{leaf}.tsv"
    wildcard_constraints:
        name=fetched_names(folder=False),
        leaf=fetched_leaves(),
    # Where jobs run on other machines, these often have no network.
    localrule: True
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        downloads=1,
        # How, and not what: another value makes nothing again.
        attempts=SETTINGS["fetch"]["attempts"],
        offline=int(not SETTINGS["fetch"]["run"]),
    params:
        digest=digest("fetch_product"),
        # Of the lock its own entry: what is found for others changes nothing here.
        entry=lambda wildcards: entry_digest(wildcards.name),
        lock=SETTINGS["fetch"]["lock"],
        cache=SETTINGS["fetch"]["cache"],
    message:
        "Fetching {wildcards.name}"
    shell:
        "python {input.script:q} --name {wildcards.name} --lock {params.lock:q}"
        " --cache {params.cache:q} --attempts {resources.attempts} --offline {resources.offline}"
        " --product {output.product:q} --record {output.record:q}"
        " 2> {log:q}"


use rule fetch_product as fetch_folder with:
    output:
        product=directory("<results>/products/{name}/{leaf}"),
        record="<results>/products/{name}/{leaf}.fetched.json",
    log:
        "<logs>/fetch_folder/{name}.{leaf}.log",
    benchmark:
        "<benchmarks>/fetch_folder/{name}.{leaf}.tsv"
    wildcard_constraints:
        name=fetched_names(folder=True),
        leaf=fetched_leaves(),
    localrule: True


# What EMIT's own team has mapped, as a truth.
rule lay_minerals:
    input:
        **code("lay_minerals"),
        product="<results>/products/{name}/{leaf}.nc",
        classes=static("minerals.csv"),
    output:
        truth="<results>/products/{name}/{leaf}.tif",
        truth_style="<results>/products/{name}/{leaf}.qml",
        truth_names="<results>/products/{name}/{leaf}.tif.aux.xml",
    log:
        "<logs>/lay_minerals/{name}.{leaf}.log",
    benchmark:
        "<benchmarks>/lay_minerals/{name}.{leaf}.tsv"
    wildcard_constraints:
        leaf=f"{MINERALS_OF_EMIT}[^/]+",
    conda:
        "../../envs/geo.yaml"
    threads: 2
    resources:
        mem_mb=1500,
    params:
        digest=digest("lay_minerals"),
    message:
        "Making a truth of {wildcards.leaf}"
    shell:
        "python {input.script:q} --product {input.product:q} --classes {input.classes:q}"
        " --truth {output.truth:q} --threads {threads}"
        " 2> {log:q}"
