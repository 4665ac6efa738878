import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.lab import statistics
from thalweg.lab.statistics import EXACT_LIMIT, holm, sign_flip_p, smallest_seeds


def brute_force(differences):
    """All 2**n sign patterns, one after another, in exact integers."""
    observed = abs(sum(differences))
    signs = itertools.product((-1, 1), repeat=len(differences))
    return sum(abs(sum(s * d for s, d in zip(pattern, differences, strict=True))) >= observed for pattern in signs) / (
        2 ** len(differences)
    )


@given(st.lists(st.integers(-6, 6), min_size=1, max_size=9))
def test_p_is_the_share_of_sign_patterns_counted_one_by_one(differences):
    assert sign_flip_p(differences) == brute_force(differences)


def test_p_agrees_with_scipy():
    stats = pytest.importorskip("scipy.stats", reason="oracle scipy is not installed")
    rng = random.Random(1)
    for n in (2, 5, 8, 11):
        differences = [rng.gauss(0.4, 1) for _ in range(n)]
        theirs = stats.permutation_test(
            (differences,), lambda x: sum(x) / len(x), permutation_type="samples", n_resamples=2**n + 1
        )
        assert sign_flip_p(differences) == pytest.approx(theirs.pvalue, abs=1e-12)


@pytest.mark.parametrize("n", [1, 3, 6, 10, EXACT_LIMIT])
def test_the_smallest_p_is_two_patterns(n):
    assert sign_flip_p([0.01 * (i + 1) for i in range(n)]) == 2 / 2**n


def test_three_values_by_hand():
    # |1 + 2 - 4| = 1: the sums +-1 +-2 +-4 are +-7, +-5, +-3, +-1, all at least 1 in magnitude.
    assert sign_flip_p([1, 2, -4]) == 1.0
    # |1 - 2 + 4| = 3: six of the eight sums reach it.
    assert sign_flip_p([1, -2, 4]) == 0.75
    assert sign_flip_p([1, 2, 4]) == 0.25


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=12), st.integers(1, 1000), st.randoms())
def test_p_does_not_depend_on_order_side_or_unit(differences, unit, rng):
    p = sign_flip_p(differences)
    shuffled = [d * unit * 1e-4 for d in differences]
    rng.shuffle(shuffled)
    assert sign_flip_p(shuffled) == p
    assert sign_flip_p([-d for d in differences]) == p


def test_rounding_does_not_break_ties():
    # In exact arithmetic these sum to nought; in floating point to 2.8e-17, which would leave out half of the ties.
    assert sum([0.3, -0.1, -0.2]) != 0
    assert sign_flip_p([0.3, -0.1, -0.2]) == 1.0
    accuracies = [(349, 346), (350, 349), (345, 347), (348, 344)]
    in_floats = [a / 359 - b / 359 for a, b in accuracies]
    assert sign_flip_p(in_floats) == brute_force([a - b for a, b in accuracies])


@pytest.mark.parametrize("level", [0.01, 0.05, 0.1, 0.5])
def test_the_level_is_kept_over_all_outcomes_of_equal_rules(level):
    sizes = [1, 2, 3, 5, 8, 13, 21, 34]
    outcomes = [
        sign_flip_p([s * d for s, d in zip(signs, sizes, strict=True)])
        for signs in itertools.product((-1, 1), repeat=8)
    ]
    assert sum(p <= level for p in outcomes) / len(outcomes) <= level


def test_beyond_the_limit_p_is_sampled_and_stays_possible():
    rng = random.Random(5)
    differences = [rng.gauss(0.2, 1) for _ in range(EXACT_LIMIT)]
    exact = sign_flip_p(differences)
    sampled = sign_flip_p([*differences, 0.0])  # a difference of nought changes nothing but the count
    draws = statistics._DRAWS
    assert sampled == pytest.approx(exact, abs=5 * math.sqrt(exact * (1 - exact) / draws))
    assert sign_flip_p([1.0] * (EXACT_LIMIT + 5)) >= 1 / (1 + draws) > 0


@pytest.mark.parametrize("bad", [[], [math.nan], [1.0, math.inf]])
def test_differences_must_be_finite_numbers(bad):
    with pytest.raises(ValueError, match="one finite number per pair"):
        sign_flip_p(bad)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.4, 0.6]) == pytest.approx([0.8, 0.8])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_lies_between_p_and_bonferroni_and_keeps_the_order(p_values):
    adjusted = holm(p_values)
    for p, q in zip(p_values, adjusted, strict=True):
        assert p <= q <= min(1.0, len(p_values) * p)
    by_p = [q for _, q in sorted(zip(p_values, adjusted, strict=True))]
    assert by_p == sorted(by_p)


@pytest.mark.parametrize("pairs, seeds", [(1, 6), (3, 7), (15, 10), (28, 11)])
def test_the_smallest_number_of_seeds_rejects_and_one_fewer_cannot(pairs, seeds):
    assert smallest_seeds(pairs) == seeds
    for n, rejects in ((seeds, True), (seeds - 1, False)):
        clearest = sign_flip_p([1.0] * n)  # one rule wins every time
        adjusted = holm([clearest] * pairs)
        assert all(p <= 0.05 for p in adjusted) is rejects
        assert any(p <= 0.05 for p in holm([clearest] + [1.0] * (pairs - 1))) is rejects


@pytest.mark.parametrize("pairs, level", [(0, 0.05), (1, 0.0), (1, 1.0)])
def test_smallest_seeds_refuses_what_has_no_answer(pairs, level):
    with pytest.raises(ValueError, match="pairs must be at least 1"):
        smallest_seeds(pairs, level)
