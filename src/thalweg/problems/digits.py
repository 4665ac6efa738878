"""Handwritten digits, small enough that a network learns them in a second."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import numpy.typing as npt

from thalweg.nn import Network
from thalweg.problems import seeds
from thalweg.problems.base import Array, Problem, Step, Trial

SPLIT_SEED = 0
"""Decides which image is in which part, once and for all: never the run's seed."""

DATA_SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
"""Of the 1797 x 64 pixels and then the 1797 labels, a byte each."""


@dataclass(frozen=True)
class Part:
    """Images and their digits: x is (n, 64) float32 from 0 to 1, y is (n,) integers 0 ... 9; both read-only."""

    x: Array
    y: npt.NDArray[np.intp]


@dataclass(frozen=True)
class Split:
    """1079 images to train on, 359 to choose by, 359 to report.

    Of each digit's images, a fifth (rounded) is in `val` and as many in `test`. The 13 people who wrote them are
    not known image by image, so everyone may be in every part: what is tested is new images, not new writers.
    """

    train: Part
    val: Part
    test: Part


@functools.cache
def load() -> Split:
    """The split of scikit-learn's bundled digits, loaded once a process.

    ModuleNotFoundError without scikit-learn, ValueError if its digits are not those that this problem was made from.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the problem 'digits' needs scikit-learn, which brings the images: pip install 'thalweg[lab]'",
            name=error.name,
        ) from error
    pixels, labels = load_digits(return_X_y=True)
    digest = hashlib.sha256(pixels.astype(np.uint8).tobytes() + labels.astype(np.uint8).tobytes()).hexdigest()
    if digest != DATA_SHA256:
        raise ValueError(
            f"the digits of this scikit-learn have the SHA-256 {digest}, and this problem is defined on those with "
            f"{DATA_SHA256}; results would not compare: install another version of scikit-learn"
        )
    x = (pixels / 16).astype(np.float32)
    y = labels.astype(np.intp)

    order = seeds.order(len(y), SPLIT_SEED)
    chosen: dict[str, list[npt.NDArray[np.intp]]] = {"train": [], "val": [], "test": []}
    for digit in range(10):
        images = order[y[order] == digit]
        fifth = round(len(images) / 5)
        chosen["val"].append(images[:fifth])
        chosen["test"].append(images[fifth : 2 * fifth])
        chosen["train"].append(images[2 * fifth :])
    return Split(**{name: _part(x, y, np.sort(np.concatenate(images))) for name, images in chosen.items()})


def _part(x: Array, y: npt.NDArray[np.intp], rows: npt.NDArray[np.intp]) -> Part:
    part = Part(x[rows], y[rows])
    part.x.flags.writeable = False
    part.y.flags.writeable = False
    return part


@final
class Digits(Problem):
    """The chapter's network of five layers on 1797 images of 8 x 8 pixels.

    Data: Alpaydin & Kaynak 1998, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository,
    doi:10.24432/C50P49, licence CC BY 4.0; the copy of its test set that scikit-learn bundles. Pixels are divided by
    16. Parts as in `Split`.

    Network: 64-100-100-100-100-10, ReLU, He's initial weights, float32, softmax and cross-entropy. A batch has 100
    images; the last one of an epoch has the 79 that are left, so that each epoch shows each image once in 11 steps.
    The seed decides the initial weights and, separately, the order of the images.
    """

    name = "digits"
    title = "Handwritten digits"
    description = (
        "1797 handwritten digits of 8×8 pixels (Alpaydin & Kaynak 1998, UCI Optical Recognition of Handwritten Digits, "
        "CC BY 4.0, as bundled with scikit-learn), split 1079/359/359 into training, validation and test, and learned "
        "by a network 64-100-100-100-100-10 with ReLU."
    )
    metric = "accuracy"
    metric_title = "accuracy"
    higher_is_better = True
    target = 0.90
    targets = (0.50, 0.80, 0.90, 0.95, 0.97)
    epochs = 20
    batch_size = 100
    steps_per_epoch = 11  # 1079 images: ten batches of 100 and one of 79
    chance = 0.1

    sizes = (64, 100, 100, 100, 100, 10)
    activation = "relu"
    init = "he"
    dtype = "float32"

    @property
    def config(self) -> dict[str, Any]:
        """The data, its split and the network."""
        return {
            "data_sha256": DATA_SHA256,
            "split_seed": SPLIT_SEED,
            "sizes": list(self.sizes),
            "activation": self.activation,
            "init": self.init,
            "dtype": self.dtype,
            "batch_size": self.batch_size,
        }

    def start(self, seed: int) -> DigitsTrial:
        """As in `Problem.start`. Raises what `load` raises if the data is not there."""
        return DigitsTrial(self, seeds.checked(seed))


@final
class DigitsTrial(Trial):
    """The network's parameters W1, b1, ..., W5, b5 in float32, and the batches."""

    def __init__(self, problem: Digits, seed: int) -> None:
        self.network = Network(
            problem.sizes,
            activation=problem.activation,
            init=problem.init,
            seed=seeds.derive(problem.name, "weights", seed),
            dtype=problem.dtype,
        )
        self.params = self.network.params
        self._problem = problem
        self._data = load()
        self._seed = seed
        self._epochs_begun = 0

    def epoch(self) -> Iterator[Step]:
        """As in `Trial.epoch`: 11 steps, which show each training image once."""
        self._epochs_begun += 1
        train = self._data.train
        order = seeds.order(len(train.y), seeds.derive(self._problem.name, "batches", self._seed, self._epochs_begun))
        x, y = train.x[order], train.y[order]
        size = self._problem.batch_size
        return (
            functools.partial(self.network.loss_and_gradient, x[i : i + size], y[i : i + size])
            for i in range(0, len(y), size)
        )

    def evaluate(self) -> dict[str, float]:
        """As in `Trial.evaluate`: mean cross-entropy in nats, and accuracy, of the network in test mode."""
        result: dict[str, float] = {}
        for name in ("train", "val", "test"):
            part: Part = getattr(self._data, name)
            result[f"{name}_loss"], result[f"{name}_metric"] = self.network.loss_and_accuracy(part.x, part.y)
        return result
