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
        leaf="[^/]+",
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
        leaf="[^/]+",
