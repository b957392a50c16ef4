# What a run met, told once more at its end: each fault once, however many jobs met it.

import sys

FAILED = re.compile(r"^ +log: (.+) \(check log file", re.MULTILINE)


def tell_faults(records):
    """Print what the logs of failed jobs end with, by what Snakemake itself wrote of the run."""
    logs = {}
    text = "".join(Path(path).read_text(errors="replace") for path in records)
    for listed in FAILED.findall(text):
        for path in map(Path, listed.split(", ")):
            lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
            told = [line for line in lines if line.startswith("error: ")]
            fault = told[-1].removeprefix("error: ") if told else "ended without saying why"
            logs.setdefault(fault, {})[str(path)] = None
    if logs:
        print(f"What to mend ({len(logs)}):", file=sys.stderr)
    for fault, paths in logs.items():
        first, *more = paths
        rest = f" and {len(more)} more" if more else ""
        print(f"  {fault}\n    ({first}{rest})", file=sys.stderr)
