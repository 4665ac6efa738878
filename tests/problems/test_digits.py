from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from thalweg import nn, problems
from thalweg.problems import digits, seeds

datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn, of the extra `lab`, is not installed")

DIGITS = problems.Digits()
PARTS = ("train", "val", "test")
# Of 178, 182, 177, 183, 181, 182, 181, 179, 174 and 180 images of each digit, a fifth, rounded.
FIFTHS = [36, 36, 35, 37, 36, 36, 36, 36, 35, 36]


def test_the_parts_have_their_sizes_and_are_stratified():
    split = digits.load()
    assert [len(getattr(split, name).y) for name in PARTS] == [1079, 359, 359]
    assert np.bincount(split.val.y).tolist() == FIFTHS
    assert np.bincount(split.test.y).tolist() == FIFTHS
    assert np.bincount(split.train.y).tolist() == [106, 110, 107, 109, 109, 110, 109, 107, 104, 108]


def test_each_image_is_in_one_part_with_its_digit_and_its_pixels_from_0_to_1():
    split = digits.load()
    pixels, labels = datasets.load_digits(return_X_y=True)
    original = sorted(zip(map(tuple, pixels), labels, strict=True))
    parts = [getattr(split, name) for name in PARTS]
    ours = sorted(row for part in parts for row in zip(map(tuple, part.x * 16.0), part.y, strict=True))
    assert ours == original  # the 1797 images are all different, so this is also: no image twice
    assert len({image for image, _ in original}) == 1797
    assert {part.x.dtype for part in parts} == {np.dtype(np.float32)}
    assert min(part.x.min() for part in parts) == 0
    assert max(part.x.max() for part in parts) == 1


def test_the_split_is_the_one_that_records_were_made_with():
    split = digits.load()
    text = b"".join(getattr(split, name).y.astype(np.uint8).tobytes() for name in PARTS)
    assert hashlib.sha256(text).hexdigest() == "baa957790016cd5daf737608901b35b3debe81f5dc12d06bcad1205d9488610f"


def test_the_data_is_loaded_once_and_read_only():
    split = digits.load()
    assert digits.load() is split
    for name in PARTS:
        part = getattr(split, name)
        for array in (part.x, part.y):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 0


def batches(trial):
    return [step.args for step in trial.epoch()]


def test_an_epoch_shows_each_training_image_once_in_ten_batches_of_100_and_one_of_79():
    trial = DIGITS.start(0)
    for _ in range(2):
        shown = batches(trial)
        assert [len(y) for _, y in shown] == 10 * [100] + [79]
        x, y = (np.concatenate(arrays) for arrays in zip(*shown, strict=True))
        train = digits.load().train
        rows = sorted(zip(map(tuple, x), y, strict=True))
        assert rows == sorted(zip(map(tuple, train.x), train.y, strict=True))


def labels_in_order(trial):
    return np.concatenate([y for _, y in batches(trial)]).tolist()


def test_the_order_depends_on_the_seed_and_the_epoch_and_on_nothing_else():
    first, second, other = DIGITS.start(0), DIGITS.start(0), DIGITS.start(1)
    orders = [labels_in_order(first) for _ in range(3)]
    second.epoch()  # an epoch that nobody walks through counts
    for name in second.params:
        second.params[name] += 1
    assert orders[1:] == [labels_in_order(second) for _ in range(2)]
    assert len({tuple(order) for order in [*orders, labels_in_order(other)]}) == 4


def test_the_network_is_the_chapters():
    params = DIGITS.start(0).params
    assert [array.shape for name, array in params.items() if name.startswith("W")] == [
        (64, 100),
        *3 * [(100, 100)],
        (100, 10),
    ]
    assert {array.dtype for array in params.values()} == {np.dtype(np.float32)}
    for i in range(1, 6):
        weights = params[f"W{i}"]
        std = np.sqrt(2 / weights.shape[0])
        assert abs(weights.std() - std) < 6 * std / np.sqrt(2 * weights.size)
        assert not params[f"b{i}"].any()


def test_the_seed_decides_the_initial_weights_apart_from_the_order():
    first, second = DIGITS.start(0).params["W1"], DIGITS.start(1).params["W1"]
    # Of independent draws, the correlation of 6400 pairs is 0, give or take 1 / sqrt(6400).
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 6 / np.sqrt(6400)
    network = nn.Network(DIGITS.sizes, seed=seeds.derive("digits", "weights", 1))
    assert np.array_equal(network.params["W1"], second)


def test_before_training_the_network_knows_about_nothing():
    accuracy = [DIGITS.start(seed).evaluate()["test_metric"] for seed in range(10)]
    assert abs(np.mean(accuracy) - DIGITS.chance) < 0.1


def test_evaluate_is_loss_and_accuracy_over_each_whole_part():
    trial = DIGITS.start(0)
    result = trial.evaluate()
    for name in PARTS:
        part = getattr(digits.load(), name)
        scores = trial.network.predict(part.x).astype(np.float64)
        p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        loss = -np.log(p[np.arange(len(part.y)), part.y]).mean()
        assert result[f"{name}_loss"] == pytest.approx(loss, rel=1e-5)
        assert result[f"{name}_metric"] == np.mean(scores.argmax(axis=1) == part.y)


def test_adam_written_by_hand_learns_it():
    trial = DIGITS.start(0)
    m = {name: np.zeros_like(array) for name, array in trial.params.items()}
    v = {name: np.zeros_like(array) for name, array in trial.params.items()}
    t = 0
    for _ in range(DIGITS.epochs):
        for step in trial.epoch():
            _, grads = step()
            t += 1
            for name, g in grads.items():
                m[name] += 0.1 * (g - m[name])
                v[name] += 0.001 * (g * g - v[name])
                trial.params[name] -= 0.001 * m[name] / (1 - 0.9**t) / (np.sqrt(v[name] / (1 - 0.999**t)) + 1e-8)
    result = trial.evaluate()
    assert result["val_metric"] > DIGITS.target
    assert result["train_loss"] < 0.1


def test_without_scikit_learn_it_says_what_to_install(monkeypatch):
    digits.load.cache_clear()
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)  # as if it were not there
    with pytest.raises(ModuleNotFoundError, match=r"needs scikit-learn.*pip install 'thalweg\[lab\]'"):
        DIGITS.start(0)


def test_other_digits_are_refused(monkeypatch):
    pixels, labels = datasets.load_digits(return_X_y=True)
    changed = pixels.copy()
    changed[0, 0] += 1
    monkeypatch.setattr(datasets, "load_digits", lambda return_X_y: (changed, labels))
    digits.load.cache_clear()
    with pytest.raises(ValueError, match="results would not compare"):
        digits.load()
    digits.load.cache_clear()


def test_naming_the_problems_imports_no_scikit_learn():
    code = """
        import sys
        from thalweg import problems
        [problems.get(name).config for name in problems.NAMES]
        assert "sklearn" not in sys.modules and "scipy" not in sys.modules
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, env=environment)
