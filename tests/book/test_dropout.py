"""Dropout in the book's form, with the masks of the book's own generator."""

# ruff: noqa: NPY002 - which is NumPy's global one

from __future__ import annotations

import numpy as np
import pytest

from thalweg.book import Dropout


@pytest.mark.parametrize("shape", [(4,), (3, 5), (2, 3, 4, 4)])
def test_a_seed_decides_about_the_mask(shape):
    layer, x = Dropout(0.3), np.random.default_rng(0).normal(size=shape)
    np.random.seed(11)
    out = layer.forward(x)
    np.random.seed(11)
    wanted = np.random.rand(*shape) > 0.3
    np.testing.assert_array_equal(layer.mask, wanted)
    np.testing.assert_array_equal(out, np.where(wanted, x, 0))
    np.testing.assert_array_equal(layer.backward(x + 7), np.where(wanted, x + 7, 0))


def test_the_test_pass_scales_and_keeps_the_mask():
    layer, x = Dropout(0.3), np.array([[1.0, -2.0, 4.0]])
    np.random.seed(3)
    layer.forward(x, True)
    mask = layer.mask
    np.testing.assert_array_equal(layer.forward(x, train_flg=False), x * 0.7)
    assert layer.mask is mask
    np.testing.assert_array_equal(x, [[1.0, -2.0, 4.0]])


def test_it_starts_as_the_book_says():
    layer = Dropout()
    assert (layer.dropout_ratio, layer.mask) == (0.5, None)
    assert Dropout(dropout_ratio=0.2).dropout_ratio == 0.2


@pytest.mark.parametrize("train", [True, False])
def test_float32_stays_float32(train):
    assert Dropout(0.3).forward(np.ones((2, 3), np.float32), train).dtype == np.float32
