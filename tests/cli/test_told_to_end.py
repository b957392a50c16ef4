"""A tool that is told to end, as schedulers do before they kill, ends at once and tidily."""

import subprocess
import sys
import time


def simulate(root, folder):
    flags = (
        *("--ground", "porphyry", "--size-px", "512", "--seed", "1", "--difficulty", "1"),
        *("--coating", "0", "--sensor", "landsat", "--dates", "1", "--tiles", "1"),
        *("--library", root / "resources/static/analytic_library.csv", "--threads", "2"),
    )
    return subprocess.Popen(
        [
            *(sys.executable, root / "scripts/simulate_scene.py", *flags),
            *("--product", folder / "landsat.tar"),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_tool_that_is_told_to_end_several_times_leaves_nothing_and_is_quick(root, tmp_path):
    folder = tmp_path / "twin"
    with simulate(root, folder) as tool:
        while tool.poll() is None and not list(folder.glob(".*/*")):
            time.sleep(0.01)
        # Its threads write by now.
        time.sleep(0.3)
        told = time.monotonic()
        for _ in range(3):
            tool.terminate()
            time.sleep(0.005)
        said = tool.communicate()[1]
    assert tool.returncode == 143, said
    assert said.splitlines()[-1] == "error: told to end (SIGTERM); run it again"
    # Slurm kills half a minute later, and five seconds where it is set so.
    assert time.monotonic() - told < 4
    assert not folder.exists() or list(folder.iterdir()) == []
