import re
from html.parser import HTMLParser

import pytest

from tests.lab_summary.synthetic import realistic, record, study
from thalweg.lab.summary import summarize
from thalweg.report import page
from thalweg.report.markup import VOID


class Tree(HTMLParser):
    """Reads a page strictly: every element is closed, in order; keeps tags, attributes, ids and text."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.text = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        assert len({name for name, _ in attributes}) == len(attributes), f"<{tag}> has an attribute twice"
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attributes]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)

    def values(self, name):
        return [value for _, attribute, value in self.attributes if attribute == name]

    @property
    def words(self):
        return " ".join("".join(self.text).replace("\N{NON-BREAKING HYPHEN}", "-").split())


def made(problem="digits", **more):
    declared, records, timing = realistic(problem, **more)
    return page.html(summarize(declared, records, timing), declared, records)


@pytest.fixture(scope="module", params=["digits", "ravine"])
def text(request):
    return made(request.param)


def test_the_page_is_well_formed_and_its_ids_are_unique(text):
    tree = Tree(text)
    ids = tree.values("id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in tree.values("href") if link.startswith("#")} <= set(ids)
    assert tree.tags.count("h1") == 1


def test_the_page_asks_nothing_of_any_host(text):
    tree = Tree(text)
    assert not {"script", "iframe", "object", "embed", "img", "video", "audio", "base", "form"} & set(tree.tags)
    assert not tree.values("src")
    assert not tree.values("srcset")
    assert all(value.startswith(("#", "data:")) for value in tree.values("href"))
    assert not any(name.startswith("on") for _, name, _ in tree.attributes)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", text, re.IGNORECASE)


def test_the_policy_forbids_everything_but_its_own_styles(text):
    policy = next(value for value in Tree(text).values("content") if "default-src" in value)
    rules = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert rules == {
        "default-src": "'none'",
        "style-src": "'unsafe-inline'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_the_page_is_small():
    assert len(made().encode()) < 400_000
    assert len(made(seeds=12).encode()) < 1_000_000


def test_the_order_of_the_page(text):
    tree = Tree(text)
    sections = ["verdict", "protocol", "curves", "rates", "targets", "pairs", "cost", "failures", "house", "reading"]
    assert tree.values("id") == sections
    assert tree.words.index("too few seeds to tell (3; 10 needed)") < tree.words.index("Protocol")


def test_the_page_is_a_function_of_the_records(text):
    assert text in {made("digits"), made("ravine")}


@pytest.mark.parametrize("problem", ["digits", "ravine"])
def test_every_run_is_on_the_page(problem):
    declared, records, timing = realistic(problem)
    summary = summarize(declared, records, timing)
    html = page.html(summary, declared, records)
    tree, found = Tree(html), summary.findings
    lost = [r for r in records if r["status"] == "diverged"]
    assert lost
    told = html[html.index('id="failures"') : html.index('id="house"')]
    assert len(re.findall(r"seed \d: epoch \d+, step \d+: the loss is (?:nan|inf)", told)) == len(lost)
    for rule in found.rules:
        assert tree.words.count(rule.name) >= 6
    # The crosses of sensitivity panels carry the rate, the seed and the reason; so do the dots of finished runs.
    panel_marks = re.findall(r"(?:[\d.e-]+), seed (\d): ", tree.words)
    assert len(panel_marks) == len(records)


def test_every_seed_is_a_dot_in_the_ranking_and_in_the_pairs():
    html = made(seeds=4)
    ranking = html[html.index('id="verdict"') : html.index('id="protocol"')]
    assert ranking.count('class="run"') == 6 * 4
    pairs = html[html.index('id="pairs"') : html.index('id="cost"')]
    assert pairs.count('class="run"') == 15 * 4


def test_every_seed_has_a_curve_and_every_rule_a_median():
    html = made(seeds=4)
    panels = html[html.index('id="curves"') : html.index('id="rates"')]
    assert panels.count('class="seed"') == 6 * 4 * 2
    assert panels.count('class="median"') == 6 * 2 + 2 * 6 + 6  # alone, together, and beside the names
    assert panels.count('class="ghost"') == 6 * 5 * 2


def test_search_spaces_budgets_and_the_command_are_printed(text):
    words = Tree(text).words
    for piece in (
        "Adam[lr]",
        "beta1 0.9, beta2 0.999",
        "3.16e-4",
        "162 runs in all",
        "thalweg compare",
        "Python 3.11.7",
    ):
        assert piece in words


def test_numbers_of_the_summary_are_those_of_the_page():
    declared, records, timing = realistic()
    summary = summarize(declared, records, timing)
    words = Tree(page.html(summary, declared, records)).words
    for rule in summary.findings.rules:
        measure = summary.findings.measure
        assert f"{measure.text(rule.test.centre)} {measure.range_text(rule.test)}" in words
    for check in summary.checks:
        assert f"{check.rule}{check.status} {check.why}" in words
    for sentence in (summary.verdict.headline, *summary.verdict.sentences, *summary.warnings):
        assert sentence in words


HOSTILE = "</style><script>alert('x')</script>\"'><img src=x onerror=alert(1)>&amp;"


def test_nothing_that_is_shown_becomes_markup():
    rates = [0.01, 0.1]
    declared = study({HOSTILE: rates, "sgd": rates}, seeds=2, command=f"thalweg {HOSTILE}")
    records = [
        record(rule, lr, seed, [0.1, 0.5, 0.6 + lr], diverged=HOSTILE if lr > 0.05 and seed else None, epochs=2)
        | {"version": HOSTILE, "finished": HOSTILE, "convention": "book"}
        for rule in declared.rules
        for lr in rates
        for seed in range(2)
    ]
    for each in records:
        each["hyperparams"] |= {HOSTILE: 0.5}
        each["machine"]["system"] = HOSTILE
    tree = Tree(page.html(summarize(declared, records, None), declared, records))
    assert not {"script", "img"} & set(tree.tags)
    assert not any(name.startswith("on") for _, name, _ in tree.attributes)
    assert " ".join(HOSTILE.split()) in tree.words


CASES = {
    "no records": (study({"adam": [0.1, 1.0], "sgd": [0.1, 1.0]}), []),
    "one run": (study({"adam": [0.1]}, 1), [record("adam", 0.1, 0, [0.1, 0.2, 0.3])]),
    "all diverged": (
        study({"adam": [0.1], "sgd": [0.1]}, 1),
        [record(rule, 0.1, 0, [0.1], diverged="nan", epochs=2) for rule in ("adam", "sgd")],
    ),
    "perfect": (
        study({"adam": [0.1]}, 2),
        [record("adam", 0.1, s, [0.1, 1.0, 1.0], loss=[2.0, 0.0, 0.0]) for s in (0, 1)],
    ),
    "nought": (
        study({"adam": [0.1]}, 2, problem="ravine"),
        [record("adam", 0.1, s, [6.0, 1.0, 0.0], problem="ravine", loss=[6.0, 1.0, 0.0]) for s in (0, 1)],
    ),
    "one diverged at the best rate": (
        study({"adam": [0.1]}, 2, epochs=3),
        [record("adam", 0.1, 0, [0.1, 0.5, 0.6, 0.7]), record("adam", 0.1, 1, [0.1, 0.5], diverged="nan", epochs=3)],
    ),
    "one epoch": (study({"adam": [0.1]}, 1, epochs=1), [record("adam", 0.1, 0, [0.1, 0.2])]),
}


@pytest.mark.parametrize("case", CASES)
def test_unusual_studies_have_a_page(case):
    declared, records = CASES[case]
    html = page.html(summarize(declared, records, None), declared, records)
    Tree(html)
    assert "nan" not in re.sub(r"(?s)<style>.*?</style>|>[^<]*<", "", html).lower()  # no coordinate is NaN
    assert not re.search(r'="[^"]*\binf\b', html)


def test_an_unfinished_comparison_can_be_drawn():
    declared, records, timing = realistic()
    html = page.html(summarize(declared, records[:40], timing), declared, records[:40])
    assert "Not complete: 40 of 162 runs" in Tree(html).words


def test_write_replaces_the_file_in_one_step_and_returns_the_summary(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    declared, records, timing = realistic(seeds=1)
    summary = page.write(declared, iter(records), timing, path)
    assert summary == summarize(declared, records, timing)
    assert path.read_text("utf-8").startswith("<!doctype html>")
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
