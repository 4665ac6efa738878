"""The Python of the README runs as printed, and prints what stands behind each `print`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def script():
    """The README with everything but its Python blanked out, so that a traceback names the README's own lines."""
    lines, inside = [], False
    for line in README.splitlines():
        if line.startswith("```"):
            inside = line == "```python"
            lines.append("")
        else:
            lines.append(line if inside else "")
    return "\n".join(lines) + "\n"


def test_the_python_runs_as_printed(tmp_path):
    file = tmp_path / "readme.py"
    file.write_text(script(), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    promised = re.findall(r"^ *print\(.*\) +# (.*)$", script(), re.MULTILINE)
    assert len(promised) == len(re.findall(r"^ *print\(", script(), re.MULTILINE)), "each print says what it prints"
    assert done.stdout.splitlines() == promised


def test_it_opens_with_the_two_commands_and_a_picture():
    first, second = re.search(r"```sh\n(.*)\n(.*)\n```\n\n!\[", README).groups()
    assert first.startswith("make compare ")
    assert second.startswith("make test ")


def test_the_rule_in_it_has_five_lines():
    rule = re.search(r"^@tw\.rule.*?^    return .*?$", README, re.MULTILINE | re.DOTALL).group()
    assert len(rule.splitlines()) == 5


def test_its_links_and_pictures_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
