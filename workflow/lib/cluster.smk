# Jobs on a cluster: what they find there, and what Slurm would never start. It puts a job that no
# node can hold into its queue without a word, and there it stays.

import shutil
import subprocess
import sys

# Rules say bare `python`, which must be the one that runs this, also where Snakemake was started
# by its path. A rule's conda environment goes before it.
os.environ.update(PATH=f"{os.path.dirname(sys.executable)}:{os.environ.get('PATH', os.defpath)}")


def check_cluster():
    """Raise WorkflowError with all that keeps a cluster from running the jobs of this run."""
    if workflow.non_local_exec:
        # Snakemake makes a cache in each job, and the home may be closed to nodes.
        os.environ.setdefault("XDG_CACHE_HOME", os.path.abspath(".snakemake/cache"))
    if workflow.executor_plugin.name == "slurm":
        faults = slurm_faults()
        if faults:
            listing = "\n".join(f"  {fault}" for fault in faults)
            raise WorkflowError(f"Correct the profile ({len(faults)} to mend):\n{listing}")


def slurm_faults():
    """One line for each thing that keeps Slurm from ever starting the jobs of this run."""
    try:
        said = [
            ask_slurm("sinfo", "--Node", "--noheader", f"--format={form}")
            for form in ("%R|%c|%m|%l", "%P")
        ]
    except OSError:
        return ["no command sinfo; start this where Slurm's commands are, or without the profile"]
    if said[0].returncode:
        return [f"sinfo says: {last_line(said[0].stderr)}; ask those who run the cluster"]
    nodes = {tuple(line.split("|")) for line in said[0].stdout.split()}
    default = {name[:-1] for name in said[1].stdout.split() if name.endswith("*")}
    requests = {}
    for job in slurm_jobs():
        asked = job.resources
        place = asked.get("slurm_partition"), asked.get("slurm_account")
        needs = job.threads, asked.get("mem_mb", 0), asked.get("runtime", 0)
        requests.setdefault((*place, *needs), rule_of(job))
    # What a job that is tried again may ask for.
    most_mb = workflow.global_resources.get("mem_mb").value or 0
    places = dict.fromkeys(request[:2] for request in requests)
    retries = {(*place, 1, most_mb, 0): "a job that is tried again" for place in places}
    faults = [
        fault
        for (partition, _, *needs), name in (requests | retries).items()
        for fault in request_faults(name, partition, needs, nodes, default)
    ]
    faults = faults or [fault for place in places for fault in place_faults(*place)]
    return list(dict.fromkeys(faults))


def slurm_jobs():
    """What goes to Slurm: groups of jobs, and jobs of no group."""
    jobs = [job for job in workflow.dag.needrun_jobs() if not job.is_local]
    return {
        id(whole): whole for job in jobs if (whole := workflow.dag.get_job_group(job) or job)
    }.values()


def rule_of(job):
    """The rule of a job, or of that job of a group that uses most CPUs."""
    if not job.is_group():
        return job.rule.name
    return f"{max(job.jobs, key=lambda member: member.threads).rule.name} with its group"


def request_faults(name, partition, needs, nodes, default):
    """What no node of a partition has of what a job needs: CPUs, memory (MB), minutes."""
    known = {node[0] for node in nodes}
    if partition is not None and partition not in known:
        listing = ", ".join(sorted(known))
        yield f"slurm_partition: the cluster has no partition {partition!r}; name one of {listing}"
        return
    places = {partition} if partition is not None else default or known
    there = [node for node in nodes if node[0] in places]
    where = f"partition {', '.join(sorted(places))}"
    keys = "cores", "resources: mem_mb", "runtime"
    limits = [(int(node[1]), int(node[2]), minutes_of(node[3])) for node in there]
    most = [max(limit) for limit in zip(*limits)]
    for key, need, allowed in zip(keys, needs, most):
        if need > allowed:
            yield f"{key}: {name} asks for {need}, {where} allows {allowed}; set {allowed} at most"
    fits = [all(need <= limit for need, limit in zip(needs, node)) for node in limits]
    if not any(fits) and all(need <= allowed for need, allowed in zip(needs, most)):
        yield (
            f"cores, resources: mem_mb: {name} asks for {needs[0]} CPUs and {needs[1]} MB, which "
            f"no node of {where} has together; set less of one"
        )


def minutes_of(text):
    """What Slurm tells as `infinite` or `days-hours:minutes:seconds`, in minutes."""
    if not text[0].isdigit():
        return float("inf")
    days, _, clock = text.rpartition("-")
    seconds = 0
    for part in clock.split(":"):
        seconds = 60 * seconds + int(part)
    return int(days or 0) * 24 * 60 + seconds // 60


def place_faults(partition, account):
    """What Slurm has against an account, or a node that does not see this folder."""
    named = (("partition", partition), ("account", account))
    place = [f"--{name}={value}" for name, value in named if value]
    said = ask_slurm("sbatch", "--test-only", *place, "--wrap=true")
    if said.returncode and "account" in said.stderr.lower():
        yield (
            f"slurm_account: {account or 'none is named'}, and sbatch says: "
            f"{last_line(said.stderr)}; name one that you may use"
        )
        return
    # Where no node is free at once nothing is learned, and nothing lost.
    look = f"test -e {shlex.quote(os.path.abspath('.snakemake'))} || echo absent"
    limits = ("--ntasks=1", "--mem=100", "--time=1", "--immediate=10", "--chdir=/")
    said = ask_slurm("srun", *place, *limits, "sh", "-c", look)
    if said.stdout.strip() == "absent":
        yield (
            f"{os.getcwd()}: nodes do not see this folder; run this on a disk that they share, or "
            "see profiles/README.md"
        )


def ask_slurm(*command):
    """Run a command of Slurm, whatever it says, outside of a job that this may run in."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith("SLURM_J")}
    return subprocess.run(command, env=clean, capture_output=True, text=True)


def last_line(text):
    """What a command said last."""
    return (text.strip().splitlines() or ["nothing"])[-1]
