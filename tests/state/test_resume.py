"""A run that is cut, stored and taken up again ends where the uninterrupted one does, bit for bit."""

from __future__ import annotations

import zlib

import pytest

from tests.state.cases import cases
from tests.state.runs import DTYPES, FORMS, STEPS, WAYS, check, run_of

CASES = cases()
ROWS = [(dtype, master) for dtype in DTYPES for master in ((False, True) if "float16" in dtype else (False,))]
EVERYTHING = [
    pytest.param(rule, dtype, master, id=f"{rule.name}-{rule.convention_name}-{dtype}{'-master' * master}")
    for rule in FORMS
    for dtype, master in ROWS
]


def some_cuts(name, count):
    """Return cuts that depend on a name, so that over all names each cut is crossed in each way."""
    seed, ways = zlib.crc32(name.encode()), list(WAYS)
    return [((seed + 8 * i) % (STEPS + 1), ways[(seed // 21 + i) % len(ways)]) for i in range(count)]


@pytest.mark.parametrize("rule, dtype, master", EVERYTHING)
def test_every_rule_and_dtype(rule, dtype, master, tmp_path, request):
    check(run_of(rule, dtype, master=master), some_cuts(request.node.name, 3), tmp_path)


@pytest.mark.parametrize("case", CASES)
def test_every_kind_of_optimizer(case, tmp_path):
    check(CASES[case], [(k, way) for k in (8, 13) for way in WAYS], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("rule, dtype, master", EVERYTHING)
def test_every_cut_of_every_rule_and_dtype(rule, dtype, master, tmp_path, request):
    check(run_of(rule, dtype, master=master), some_cuts(request.node.name, 42), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_every_cut_of_every_kind_of_optimizer(case, tmp_path):
    check(CASES[case], [(k, way) for k in range(STEPS + 1) for way in WAYS], tmp_path)


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("case", ["chain: many", "groups", "late and left out", "chain: accumulate"])
def test_by_kernels(case, tmp_path):
    check(CASES[case], [(k, way) for k in (0, 5, 13, 20) for way in ("file", "state_dict", "pickle")], tmp_path)


def test_over_all_rules_each_cut_is_crossed_in_each_way():
    crossed = {cut for i in range(len(EVERYTHING)) for cut in some_cuts(f"test[{EVERYTHING[i].id}]", 42)}
    assert crossed == {(k, way) for k in range(STEPS + 1) for way in WAYS}
