from __future__ import annotations

import itertools

import numpy as np
import pytest

from thalweg.problems import seeds


def test_a_seed_is_the_sha256_of_what_it_is_for():
    # printf '["digits", "weights", 0]' | sha256sum
    assert f"{seeds.derive('digits', 'weights', 0):032x}" == "ae615b35ec0096039d6e5b34c35552a5"


def test_every_name_and_number_matters():
    asked = [
        *itertools.product(["digits", "ravine"], ["weights", "batches"], range(3)),
        *itertools.product(["digits"], ["batches"], range(3), range(3)),
        ("digits", "batches1", 1),
        ("digits", "batches", 11),
    ]
    assert len({seeds.derive(*words) for words in asked}) == len(asked)


def test_order_is_a_permutation_and_the_seed_decides_it():
    first = seeds.order(1000, 1)
    assert np.array_equal(np.sort(first), np.arange(1000))
    assert np.array_equal(first, seeds.order(1000, 1))
    assert not np.array_equal(first, seeds.order(1000, 2))


def test_order_sorts_the_raw_words_of_pcg64():
    # The four words that NumPy's PCG64 gives after the seed 0, which is a stream that it promises to keep.
    words = [11749869230777074271, 4976686463289251617, 755828109848996024, 304881062738325533]
    assert np.random.PCG64(0).random_raw(4).tolist() == words
    assert seeds.order(4, 0).tolist() == sorted(range(4), key=words.__getitem__)


@pytest.mark.parametrize("n", [0, 1])
def test_order_of_nothing_and_of_one(n):
    assert seeds.order(n, 0).tolist() == list(range(n))


def test_every_place_is_equally_likely():
    # 4,000 orders of 5: each number is in each place 800 times, give or take 6 standard deviations of sqrt(4000 * .16)
    counts = np.zeros((5, 5))
    for seed in range(4000):
        counts[np.arange(5), seeds.order(5, seed)] += 1
    assert np.abs(counts - 800).max() < 6 * np.sqrt(4000 * 0.2 * 0.8)
