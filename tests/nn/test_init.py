from __future__ import annotations

import math

import numpy as np
import pytest

from thalweg.nn import init

SHAPE = (100, 400)
COUNT = 40_000
EXPECTED = {  # of layers from 100 to 400 units, worked by hand: where n_in and n_out differ, so do all four
    "normal": 0.01,
    "xavier": 0.1,  # sqrt(1/100)
    "glorot": math.sqrt(2 / 500),
    "he": math.sqrt(2 / 100),
}


def rng(seed=0):
    return np.random.Generator(np.random.PCG64(seed))


def test_the_table_of_names_is_tested_in_full():
    assert init.INITS.keys() == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_mean_and_standard_deviation(name):
    weights, std = init.INITS[name](rng(), SHAPE, np.float64), EXPECTED[name]
    # Standard errors of N normal draws: std / sqrt(N) of the mean, std / sqrt(2 N) of the standard deviation.
    assert abs(weights.mean()) < 6 * std / math.sqrt(COUNT)
    assert abs(weights.std() - std) < 6 * std / math.sqrt(2 * COUNT)
    beyond = np.mean(np.abs(weights) > 1.96 * std)  # 5 % of a normal; 0 % or 11 % of a uniform of that deviation
    assert abs(beyond - 0.05) < 6 * math.sqrt(0.05 * 0.95 / COUNT)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_same_generator_gives_the_same_weights_in_the_dtype_asked_for(name):
    draw = init.INITS[name]
    double, single = draw(rng(1), (3, 5), np.float64), draw(rng(1), (3, 5), np.float32)
    assert (double.shape, double.dtype, single.dtype) == ((3, 5), np.float64, np.float32)
    assert np.array_equal(double.astype(np.float32), single)
    assert np.array_equal(double, draw(rng(1), (3, 5), np.float64))
    assert not np.array_equal(double, draw(rng(2), (3, 5), np.float64))


def test_normal_takes_its_standard_deviation():
    assert np.array_equal(init.normal(1.0)(rng(), (4, 4), np.float64), rng().standard_normal((4, 4)))
    assert not init.normal(0.0)(rng(), (4, 4), np.float64).any()


@pytest.mark.parametrize("std", [-1.0, math.inf, math.nan])
def test_another_standard_deviation_is_refused(std):
    with pytest.raises(ValueError, match="finite number >= 0"):
        init.normal(std)
