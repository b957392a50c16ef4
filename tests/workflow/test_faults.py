"""A sample of the campaign of injected faults; benchmarks/faults.py makes all of it."""

import json
import subprocess
import sys

COUNT = 150


def test_no_fault_of_a_sample_is_silent_half_written_or_untold(root, tmp_path):
    path = tmp_path / "faults.json"
    run = subprocess.run(
        [
            *(sys.executable, root / "benchmarks/faults.py", "--count", str(COUNT)),
            *("--kills", "0", "--quick", "--json", path),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert path.exists(), run.stderr[-2000:]
    told = json.loads(path.read_text())
    counts = told["counts"]
    assert sum(counts.values()) == COUNT
    found = json.dumps(told["bad"], indent=1)
    for outcome in ("silent", "half", "traceback", "hang"):
        assert counts[outcome] == 0, found
    assert counts["unclear"] <= 10, found
    assert counts["refused"] > COUNT / 3
    assert "left out, for it" not in run.stderr
