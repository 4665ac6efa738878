"""Numba is imported when it is needed and not before; where it is missing, one line says so and everything works."""

import os
import subprocess
import sys
import textwrap

import pytest


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | environment,
    )


def test_importing_the_engine_imports_no_numba():
    ran = run("""
        import sys
        import thalweg.engine.arrays, thalweg.engine.cache, thalweg.engine.finite, thalweg.engine.folder
        import thalweg.engine.gate, thalweg.engine.numba_support, thalweg.engine.policy, thalweg.engine.threads
        print([name for name in sys.modules if name.split(".")[0] in ("numba", "llvmlite")])
    """)
    assert (ran.stdout, ran.stderr) == ("[]\n", "")


WITHOUT = """
    import numpy as np
    from thalweg.engine.gate import Gate
    from thalweg.engine.numba_support import numba_available
    for _ in range(3):
        assert numba_available() is False
        gate = Gate(["w"])
        w, g = np.zeros(3), np.ones(3)
        assert gate.read([w], [g]) is True
        assert gate.read([w], [g]) is False
        assert gate.read([w], [w]) is True
        assert gate.stage_grad.tolist() == [True]
    print("done")
"""


@pytest.mark.parametrize(
    "before, environment, reason",
    [
        ("import sys; sys.modules['numba'] = None", {}, "Numba cannot be imported (ModuleNotFoundError: "),
        ("", {"NUMBA_DISABLE_JIT": "1"}, "Numba is switched off by NUMBA_DISABLE_JIT"),
    ],
)
def test_without_numba_one_line_says_so_once(before, environment, reason):
    ran = run(f"{before}\n{textwrap.dedent(WITHOUT)}", **environment)
    assert ran.stdout == "done\n", ran.stderr
    (line,) = ran.stderr.splitlines()
    assert line.startswith(reason)
    assert line.endswith("; thalweg runs through NumPy")


def test_an_installation_that_is_broken_in_another_way(tmp_path):
    (tmp_path / "numba.py").write_text("raise RuntimeError('two\\nlines')")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    ran = run(WITHOUT, PYTHONPATH=path)
    assert ran.stdout == "done\n", ran.stderr
    assert ran.stderr == "Numba cannot be imported (RuntimeError: two lines); thalweg runs through NumPy\n"
