import os
import subprocess
import sys

LOADED = """
from gossan.networks.keras_files import UNUSED, load_keras
keras, tensorflow = load_keras()
import sys
print(sorted(UNUSED & sys.modules.keys()))
import matplotlib.pyplot, pandas, sklearn
assert load_keras() == (keras, tensorflow)
"""


def test_keras_is_loaded_without_libraries_that_only_others_use_and_they_still_can_be(root):
    run = subprocess.run(
        [sys.executable, "-c", LOADED],
        env={**os.environ, "PYTHONPATH": str(root / "scripts")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "[]\n"
