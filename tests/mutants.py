"""Break every rule on purpose, and see whether its transcription notices: `python -m tests.mutants [RULE ...]`.

A mutant is a rule with one slip of the table that `thalweg check` explains optimizers from: each hyper-parameter moved
by 10 %, each term dropped or with the other sign, each old slot in the place of the new one, and more. Beside these
there are slips in the point of evaluation, and hyper-parameters moved where a slot starts. A mutant is found if within
40 steps it leaves the transcription by more than rounding, with the default numbers or with others. One that is not
found computes the same, and then stands in tests/equivalent_mutants.toml with its proof. Exit code 1: others, and
patterns of that file that no such mutant needs, or that speak of one that is found.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "equivalent_mutants.toml"
ENOUGH = 1e-9  # of an element's largest value: a thousand times what rounding comes to, but for what a run says of it


@dataclass(frozen=True)
class Mutant:
    """A rule that is broken.

    words: what was done to it. show: returns the lines that it changed, as they read now. make: returns the broken
    rule, or None where the language refuses it. factors: of hyper-parameters.
    """

    words: str
    show: Callable[[], str]
    make: Callable[[], Any]
    factors: dict[str, float] = field(default_factory=dict)

    @property
    def lines(self) -> str:
        return self.show()

    def __str__(self) -> str:
        return f"{self.words}  ({self.lines})" if self.lines else self.words

    def fate(self, runs):
        """Return "refused" by the language, "found" in one of these runs, where it leaves the path, or "not found"."""
        rule = self.make()
        return "refused" if rule is None else "found" if self._is_found(rule, runs) else "not found"

    def _is_found(self, rule, runs):
        from thalweg import NumberError

        for one in runs:
            moved = {name: factor * one.numbers[name] for name, factor in self.factors.items()}
            try:
                if any(not share <= 1 for _, share in one.errors(one.optimizer(rule, **moved), ENOUGH)):
                    return True
            except NumberError:  # a division by zero, or a root of what is negative
                return True
        return False


@dataclass(frozen=True)
class Verdict:
    """What became of the mutants of one form.

    counts: how many were found, are equivalent by a proof, are not found, and are refused by the language, so that
    nobody can run them. survivors: those that live without a proof. refuted: those that are found in spite of one.
    used: the patterns that were needed, as `parts` has them.
    """

    form: str
    counts: dict[str, int]
    survivors: tuple[str, ...]
    refuted: tuple[str, ...]
    used: frozenset[tuple[int, str, str]]

    def __str__(self) -> str:
        return f"{self.form:32} " + ", ".join(f"{count:3} {what}" for what, count in self.counts.items())


def proofs():
    """Return the rows of the file: patterns for rule, convention and words, if need be for lines, and the proof."""
    return tomllib.loads(FILE.read_text("utf-8")).get("mutant", []) if FILE.exists() else []


def matches(text, patterns):
    """Tell whether a text is one of some patterns, in which `*` stands for anything."""
    return any(fnmatchcase(text, pattern.replace("[", "[[]")) for pattern in listed(patterns))


def listed(x):
    """Return a list as it is, and anything else as the one element of one."""
    return x if isinstance(x, list) else [x]


def parts(rows):
    """Return every single pattern: the position of its row, what it is of, and itself."""
    return [(i, key, x) for i, row in enumerate(rows) for key in row if key != "proof" for x in listed(row[key])]


def proves(row, rule, convention, mutant):
    """Return the patterns of a row that speak of this mutant, by what they are of; nothing if the row does not."""
    lines = {"lines": mutant.lines} if "lines" in row else {}
    texts = {"rule": rule, "convention": convention, "words": mutant.words, **lines}
    found = {key: [x for x in listed(row[key]) if matches(text, x)] for key, text in texts.items()}
    return found if all(found.values()) else {}


def mutants(rule):
    """Yield every mutant of a rule."""
    from thalweg.testing import mutations
    from thalweg.testing.replay import PLAIN

    for m in mutations(rule):
        if m.timing is PLAIN:
            yield Mutant(m.words, lambda m=m: "; ".join(m.lines[1]), lambda m=m: m.rule)
    yield from _of_average(rule)
    for name in sorted({slot.start for slot in rule.slots.values() if isinstance(slot.start, str)}):
        for factor, how in ((1.1, "larger"), (0.9, "smaller")):
            yield Mutant(f"with `{name}` 10 % {how}, also where a slot starts", str, lambda: rule, {name: factor})


def _of_average(rule):
    """The slips in the point of evaluation."""
    from thalweg.language import nodes as n
    from thalweg.testing.rewrites import Slip, local_slips, rewritten

    term = rule.average.term if rule.average else None
    slips = local_slips(rule)

    def changed(x):
        yield from slips(x)
        if isinstance(x, n.Name) and x.id in rule.defaults:
            for factor, how in ((1.1, "larger"), (0.9, "smaller")):
                yield n.Bin("*", n.Num(factor), x), Slip("", f"with `{x.id}` 10 % {how}", 8)

    for new, slip in rewritten(term.text.returns[0], changed) if term else ():
        if set(n.names(new)) <= set(term.text.signature.arrays):
            words = f"{slip.words}, in the point of evaluation"
            yield Mutant(words, lambda new=new: n.shown(new), lambda new=new: _remade(rule, new))


def _remade(rule, average=None):
    """Return a rule made anew, as a mutant is; average: another expression for the point of evaluation."""
    from thalweg.language.terms import Term
    from thalweg.rule import Family, Rule

    declared = rule.declared
    if average is not None:
        declared = replace(declared, average=Term(replace(rule.average.term.text, returns=(average,))))
    return Rule(rule.text, Family(rule.name, rule.title, rule.convention_name), declared, composed=True)


def judged(form):
    """Return the verdict on all mutants of a form, `(rule, convention)`."""
    from tests.papers import PAPERS
    from tests.paths import run

    rule, convention = form
    runs = [run(rule, convention, kind) for kind in sorted(PAPERS[form].runs, reverse=True)]
    form = runs[0].rule
    counts = dict.fromkeys(("found", "equivalent", "not found", "refused"), 0)
    survivors, refuted, used, rows = [], [], set(), proofs()
    for mutant in mutants(form):
        fate = mutant.fate(runs)
        proven = {i: by for i, row in enumerate(rows) if (by := proves(row, rule, convention, mutant))}
        if fate == "not found" and proven:
            fate = "equivalent"
            used |= {(i, key, x) for i, by in proven.items() for key, xs in by.items() for x in xs}
        elif fate == "not found":
            survivors.append(str(mutant))
        elif fate == "found" and proven:
            refuted.append(f"{mutant}: {'; '.join(rows[i]['proof'] for i in proven)}")
        counts[fate] += 1
    if Mutant("", str, lambda: _remade(form)).fate(runs) != "not found":  # then nothing else says anything
        counts["not found"] += 1
        survivors.append("the rule itself is not what is transcribed")
    return Verdict(f"{rule}[{convention}]", counts, tuple(survivors), tuple(refuted), frozenset(used))


def forms(names):
    """Return every text that is transcribed, once: conventions that share one are one."""
    import thalweg as tw
    from tests.papers import PAPERS

    found, seen = [], set()
    for rule, convention in PAPERS:
        digest = tw.RULES[rule].conventions[convention].digest
        if (not names or rule in names) and (rule, digest) not in seen:
            seen.add((rule, digest))
            found.append((rule, convention))
    return found


def main(arguments=None):
    """Print one line a form, the survivors below it, and the sum."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description="Break every rule on purpose.")
    parser.add_argument("rule", nargs="*", help="rules by name; all if none is given")
    parser.add_argument("-j", type=int, default=None, help="processes; one a core if not given")
    given = parser.parse_args(arguments)
    total, used, refuted, chosen = Counter(), set(), 0, forms(given.rule)
    with ProcessPoolExecutor(given.j, initializer=without_kernels) as pool:
        for verdict in map(judged, chosen) if given.j == 1 else pool.map(judged, chosen):
            total.update(verdict.counts)
            used |= verdict.used
            refuted += len(verdict.refuted)
            say(str(verdict), *(f"    {words}" for words in verdict.survivors))
            say(*(f"    found in spite of its proof: {words}" for words in verdict.refuted))
    left_out = {rule for rule, _ in forms([])} - {rule for rule, _ in chosen}
    rows = proofs()
    idle = [
        part
        for part in parts(rows)
        if part not in used and not any(matches(rule, rows[part[0]]["rule"]) for rule in left_out)
    ]
    for i, key, x in idle:
        say(f"a pattern that nothing needs: {rows[i]['rule']}[{rows[i]['convention']}] {key}: {x}")
    say(", ".join(f"{count} {what}" for what, count in total.items()))
    return 1 if total["not found"] or refuted or idle else 0


def say(*lines):
    """Print lines at once."""
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


def without_kernels():
    """Let steps be taken by the meaning of the rules: a mutant is not worth compiling."""
    import logging

    from numba import config

    config.DISABLE_JIT = True
    logging.getLogger("thalweg").setLevel(logging.ERROR)


if __name__ == "__main__":
    without_kernels()
    sys.exit(main())
