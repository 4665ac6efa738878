from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from tests.nn.finite_differences import TOLERANCE, central_differences
from thalweg import nn

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "layers_torch.json").read_text())


def loss_of(logits, labels):
    return nn.SoftmaxCrossEntropy().forward(np.asarray(logits), labels)


def test_by_hand():
    # softmax of (0, ln 3) is (1/4, 3/4), of (ln 3, 0) it is (3/4, 1/4)
    logits = np.log([[1.0, 3.0], [3.0, 1.0]])
    loss = nn.SoftmaxCrossEntropy()
    assert loss.forward(logits, [0, 0]) == pytest.approx((math.log(4) + math.log(4 / 3)) / 2, rel=1e-15)
    assert np.allclose(loss.backward(), [[-3 / 8, 3 / 8], [-1 / 8, 1 / 8]], rtol=0, atol=1e-16)
    assert np.allclose(loss.backward(2.0), [[-3 / 4, 3 / 4], [-1 / 4, 1 / 4]], rtol=0, atol=1e-16)


def test_the_recorded_case():
    case = RECORDED["softmax_cross_entropy"]
    loss = nn.SoftmaxCrossEntropy()
    # Six rows of ten: some 20 roundings of numbers of the loss's size, and less in the gradient.
    assert loss.forward(np.array(case["logits"]), case["labels"]) == pytest.approx(case["loss"], rel=1e-14)
    assert np.abs(loss.backward() - case["dlogits"]).max() < 1e-15


def test_the_gradient_is_the_finite_difference():
    logits = 2 * np.random.Generator(np.random.PCG64(1)).standard_normal((4, 5))
    labels = [4, 0, 2, 2]
    loss = nn.SoftmaxCrossEntropy()
    loss.forward(logits, labels)
    assert np.abs(loss.backward() - central_differences(lambda: loss_of(logits, labels), logits)).max() < TOLERANCE


@pytest.mark.parametrize("kind", [int, bool, np.float32])
def test_one_hot_is_the_same_as_class_numbers(kind):
    logits = np.random.Generator(np.random.PCG64(2)).standard_normal((5, 4))
    labels = np.array([3, 0, 1, 1, 2], np.uint8)
    by_number, by_row = nn.SoftmaxCrossEntropy(), nn.SoftmaxCrossEntropy()
    assert by_number.forward(logits, labels) == by_row.forward(logits, np.eye(4)[labels].astype(kind))
    assert np.array_equal(by_number.backward(), by_row.backward())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_loss_is_a_float_and_the_gradient_has_the_logits_dtype(dtype):
    logits = np.ones((2, 3), dtype)
    logits.flags.writeable = False
    loss = nn.SoftmaxCrossEntropy()
    assert type(loss.forward(logits, [0, 1])) is float
    assert loss.backward().dtype == dtype


@pytest.mark.parametrize("dtype, large", [(np.float32, 1e30), (np.float64, 1e300)])
def test_extreme_logits_give_the_exact_answer(dtype, large):
    logits = np.array([[large, 0.0, -large], [-large, -large, -large]], dtype)
    loss = nn.SoftmaxCrossEntropy()
    assert loss.forward(logits, [0, 1]) == pytest.approx(math.log(3) / 2, rel=1e-6)  # 0 and ln 3
    assert np.allclose(loss.backward(), [[0, 0, 0], [1 / 6, -1 / 3, 1 / 6]], rtol=0, atol=1e-7)
    assert loss.forward(logits, [1, 0]) == pytest.approx(large / 2, rel=1e-6)  # large and ln 3
    assert np.allclose(loss.backward(), [[1 / 2, -1 / 2, 0], [-1 / 3, 1 / 6, 1 / 6]], rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    "row, label, expected",
    [
        ([np.inf, 0.0], 0, math.nan),
        ([np.nan, 0.0], 1, math.nan),
        ([-np.inf, 0.0], 0, math.inf),
        ([np.finfo(np.float32).max, -np.finfo(np.float32).max], 1, math.inf),  # their difference is no float32
    ],
)
def test_diverged_logits_give_inf_or_nan_and_no_warning(row, label, expected):
    loss = nn.SoftmaxCrossEntropy()
    assert loss.forward(np.array([row], np.float32), [label]) == pytest.approx(expected, nan_ok=True)
    loss.backward()


@pytest.mark.parametrize(
    "labels, message",
    [
        ([0, 3], "from 0 to 3; legal are 0 to 2"),
        ([-1, 0], "from -1 to 0; legal are 0 to 2"),
        ([0, 1, 2], r"integers of the shape \(2,\)"),
        ([[0], [1]], r"shape \(2, 1\); for these 2 rows of 3 classes"),
        ([0.0, 1.0], "the labels are float64"),
        ([True, False], "the labels are bool"),
        (["a", "b"], "the labels are <U1"),
        ([[1, 0, 0], [1, 1, 0]], "a single 1"),
        ([[1, 0, 0], [0, 0, 0]], "a single 1"),
        ([[1, 0, 0], [0.5, 0.5, 0]], "a single 1"),
        ([[1, 0, 0], [2, -1, 0]], "a single 1"),
    ],
)
def test_other_labels_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        loss_of(np.zeros((2, 3)), labels)


@pytest.mark.parametrize("shape", [(0, 3), (3,), (1, 2, 3)])
def test_other_shapes_of_logits_are_refused(shape):
    with pytest.raises(ValueError, match=r"\(n, classes\) with at least one row"):
        loss_of(np.zeros(shape), [0])


def test_integer_logits_are_refused():
    with pytest.raises(TypeError, match="the logits are int64"):
        loss_of(np.zeros((1, 2), np.int64), [0])


def test_backward_without_forward_says_what_to_call():
    with pytest.raises(RuntimeError, match="call forward first"):
        nn.SoftmaxCrossEntropy().backward()
