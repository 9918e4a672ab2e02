from __future__ import annotations

import subprocess
import sys


def test_importing_models_loads_no_numerical_library() -> None:
    program = (
        "import sys, gitml.models, gitml.models.pyfunc, gitml.models.flavors.sklearn\n"
        "heavy = {'numpy', 'pandas', 'sklearn', 'skops', 'cloudpickle', 'git', 'dvc'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
