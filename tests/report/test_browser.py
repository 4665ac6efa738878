"""The page in a real browser: a silent console, nothing wider than the screen, text that can be read."""

import itertools
import json
import re
import shutil
import subprocess
from html import unescape

import pytest

from tests.lab_summary.synthetic import realistic
from thalweg.lab.summary import summarize
from thalweg.report import page

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="oracle chromium is not installed")

STUDIES = {
    "digits": realistic("digits"),
    "ravine": realistic("ravine", seeds=11),
    "names": realistic(rules=("sgd", "adam", "a_rule_of_somebody_s_own_with_a_long_name")),
}

PROBE = """
<script>
addEventListener("load", () => {
  const texts = [...document.querySelectorAll("figure.panel svg, .strip")].map(svg => {
    const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
    return [...svg.querySelectorAll("text")].map(t => {
      const box = t.getBoundingClientRect(), frame = svg.getBoundingClientRect();
      return {words: t.textContent, size: parseFloat(getComputedStyle(t).fontSize) * scale,
              box: [box.left, box.top, box.right, box.bottom],
              out: Math.max(frame.left - box.left, box.right - frame.right)};
    });
  });
  parent.postMessage({name: window.name, width: document.scrollingElement.scrollWidth, inner: innerWidth,
    room: document.documentElement.clientWidth, texts}, "*");
});
</script>
"""

WRAPPER = """<!doctype html><meta charset="utf-8"><body><script>
const seen = {};
addEventListener("message", event => {
  seen[event.data.name] = event.data;
  document.body.dataset.seen = JSON.stringify(seen);
});
</script>%s"""


def browse(folder, *arguments):
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
        "--enable-logging=stderr", "--v=0", f"--user-data-dir={folder / 'profile'}", *arguments,
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120, check=True)


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What a probe inside copies of the pages saw, by problem and width: framed, since windows have a least width."""
    folder = tmp_path_factory.mktemp("framed")
    frames = []
    for problem, (declared, records, timing) in STUDIES.items():
        html = page.html(summarize(declared, records, timing), declared, records)
        unguarded = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
        (folder / f"{problem}.html").write_text(unguarded.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
        frames += [
            f'<iframe name="{problem} {width}" src="{problem}.html" width="{width}" height="800"></iframe>'
            for width in (360, 1280)
        ]
    (folder / "wrapper.html").write_text(WRAPPER % "".join(frames), encoding="utf-8")
    dumped = browse(folder, "--virtual-time-budget=8000", "--dump-dom", (folder / "wrapper.html").as_uri()).stdout
    found = re.search(r'data-seen="([^"]*)"', dumped)
    assert found, dumped[-2000:]
    return json.loads(unescape(found[1]))


CASES = [f"{problem} {width}" for problem in STUDIES for width in (360, 1280)]


@pytest.mark.parametrize("case", CASES)
def test_the_page_is_no_wider_than_the_screen(seen, case):
    assert seen[case]["inner"] == int(case.split()[1])
    assert seen[case]["width"] <= seen[case]["room"]


@pytest.mark.parametrize("case", CASES)
def test_text_in_figures_is_large_enough_to_read(seen, case):
    sizes = [text["size"] for figure in seen[case]["texts"] for text in figure]
    assert len(sizes) > 100
    assert min(sizes) >= 10


@pytest.mark.parametrize("case", CASES)
def test_words_in_figures_do_not_collide_and_stay_inside(seen, case):
    for figure in seen[case]["texts"]:
        assert all(one["out"] < 12 for one in figure)
        for one, other in itertools.combinations(figure, 2):
            left, top = map(max, one["box"][:2], other["box"][:2])
            right, bottom = map(min, one["box"][2:], other["box"][2:])
            assert right - left < 1.5 or bottom - top < 4, (one["words"], other["words"])


def test_the_console_stays_silent(tmp_path):
    path = tmp_path / "report.html"
    page.write(*realistic(), path)
    assert "CONSOLE" not in browse(tmp_path, "--dump-dom", path.as_uri()).stderr


def test_the_policy_stops_a_script_and_the_console_would_tell(tmp_path):
    path = tmp_path / "report.html"
    page.write(*realistic(seeds=1), path)
    path.write_text(
        path.read_text("utf-8").replace("</body>", "<script>document.title = 'run'</script></body>"), "utf-8"
    )
    shown = browse(tmp_path, "--dump-dom", path.as_uri())
    assert "CONSOLE" in shown.stderr
    assert "Content Security Policy" in shown.stderr
    assert "<title>run</title>" not in shown.stdout
