# Pages of an earlier run do not stand beside the results of one that failed.

import shutil

# Rules that write pages of results.
PAGE_RULES = ("render_scene", "render_ground", "render_report", "render_index", "render_run")


def clear_pages(dag):
    """Take away the pages that this run is to write anew.

    Snakemake does so only just before it writes one, which a run that fails earlier never does.
    """
    for job in dag.needrun_jobs():
        if job.rule.name in PAGE_RULES:
            for path in map(Path, job.output):
                if path.is_dir():
                    shutil.rmtree(path)
                elif path.suffix == ".html":
                    path.unlink(missing_ok=True)


onstart:
    clear_pages(workflow.dag)
