"""A fully connected network for classification, with its parameters in a dict."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar, final

import numpy as np
import numpy.typing as npt

from thalweg.nn.init import INITS, Init
from thalweg.nn.layers import Affine, Dropout, Layer, ReLU, Sigmoid, Tanh
from thalweg.nn.losses import SoftmaxCrossEntropy, class_ids

Array = npt.NDArray[Any]
T = TypeVar("T")

ACTIVATIONS: Mapping[str, Callable[[], Layer]] = MappingProxyType({"relu": ReLU, "sigmoid": Sigmoid, "tanh": Tanh})
"""What `Network(activation=...)` knows."""


@final
class Network:
    """Affine, activation (and dropout), ..., Affine; the scores go into SoftmaxCrossEntropy.

    sizes: units per layer, from the input to the classes: (64, 100, 10) has one hidden layer of 100.
    activation: "relu", "sigmoid" or "tanh", after each Affine but the last.
    init: "normal" (standard deviation 0.01), "xavier", "glorot", "he", or a function as in `nn.init`. Biases start
        at 0.
    dropout: the part of each hidden layer that is switched off in training, in the book's form; 0 (default) for none.
    seed: an integer >= 0, from which the initial weights and then the dropout masks come.
    dtype: float32 (default) or float64, of parameters, gradients and scores. Batches are converted to it.

    `params` is a dict W1, b1, W2, b2, ... with W (in, out) and b (out,). It is what counts: each pass uses the arrays
    that are in it then, updated in place or replaced by others of the same shape and dtype. ValueError or TypeError,
    with what is legal, for any other argument.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str = "relu",
        init: str | Init = "he",
        *,
        dropout: float = 0.0,
        seed: int = 0,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        self.sizes = _checked_sizes(sizes)
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.float32, np.float64):
            raise TypeError(f"dtype is {self.dtype}; a network is float32 or float64")
        new_activation = _named("activation", activation, ACTIVATIONS)
        draw = init if callable(init) else _named("init", init, INITS)
        # PCG64 by name, because `default_rng` may choose another generator in a later NumPy. All weights are drawn
        # before the first mask is, so that dropout does not change them.
        rng = np.random.Generator(np.random.PCG64(_checked_seed(seed)))

        self.params: dict[str, Array] = {}
        self._affines: list[tuple[str, str, Affine]] = []
        self._layers: list[Layer] = []
        for i, shape in enumerate(zip(self.sizes, self.sizes[1:], strict=False), start=1):
            if i > 1:
                self._layers.append(new_activation())
                if dropout:
                    self._layers.append(Dropout(dropout, rng=rng))
            affine = Affine(draw(rng, shape, self.dtype), np.zeros(shape[1], self.dtype))
            w, b = f"W{i}", f"b{i}"
            self.params[w], self.params[b] = affine.W, affine.b
            self._affines.append((w, b, affine))
            self._layers.append(affine)
        self._loss = SoftmaxCrossEntropy()

    def predict(self, x: npt.ArrayLike, train: bool = False) -> Array:
        """The scores (logits) of each class: (n, classes), for a batch x of the shape (n, sizes[0])."""
        out = self._batch(x)
        self._link()
        with _diverging_is_normal():
            for layer in self._layers:
                out = layer.forward(out, train)
        return out

    def loss(self, x: npt.ArrayLike, y: npt.ArrayLike, train: bool = False) -> float:
        """The mean cross-entropy in nats; y: (n,) integer classes or (n, classes) one-hot. inf or nan if diverged."""
        return self._loss.forward(self.predict(x, train), y)

    def gradient(self, x: npt.ArrayLike, y: npt.ArrayLike) -> dict[str, Array]:
        """The gradient of `loss(x, y, train=True)`: new arrays with the names, shapes and dtype of `params`."""
        return self.loss_and_gradient(x, y)[1]

    def loss_and_gradient(self, x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[float, dict[str, Array]]:
        """Both from one forward pass, in training mode."""
        loss = self.loss(x, y, train=True)
        with _diverging_is_normal():
            dout = self._loss.backward()
            for layer in reversed(self._layers[1:]):
                dout = layer.backward(dout)
            self._affines[0][2].backward_params(dout)
        grads: dict[str, Array] = {}
        for w, b, affine in self._affines:
            grads[w], grads[b] = affine.dW, affine.db
        return loss, grads

    def accuracy(self, x: npt.ArrayLike, y: npt.ArrayLike) -> float:
        """The part of the batch, 0 to 1, whose highest score is that of its class."""
        return self.loss_and_accuracy(x, y)[1]

    def loss_and_accuracy(self, x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[float, float]:
        """Both from one forward pass, in test mode."""
        scores = self.predict(x)
        loss = self._loss.forward(scores, y)
        return loss, float(np.mean(scores.argmax(axis=1) == class_ids(y, scores)))

    def _batch(self, x: npt.ArrayLike) -> Array:
        given = np.asarray(x)
        if given.dtype.kind not in "fiub":
            raise TypeError(f"x is {given.dtype}; give real numbers, such as a {self.dtype} array")
        if given.ndim != 2 or given.shape[1] != self.sizes[0]:
            raise ValueError(
                f"x has the shape {given.shape}; give (n, {self.sizes[0]}), one sample as a batch: x[None, :]"
            )
        return given.astype(self.dtype, copy=False)

    def _link(self) -> None:
        """Hand the arrays that are in `params` now to the layers."""
        for w, b, affine in self._affines:
            affine.W, affine.b = self._current(w, affine.W), self._current(b, affine.b)

    def _current(self, name: str, last: Array) -> Array:
        array = self.params.get(name)
        if array is last:
            return last
        if not isinstance(array, np.ndarray) or array.shape != last.shape or array.dtype != last.dtype:
            found = f"{array.dtype} of the shape {array.shape}" if isinstance(array, np.ndarray) else repr(array)
            raise ValueError(f"params[{name!r}] is {found}; it must be a {last.dtype} array of the shape {last.shape}")
        return array


def _diverging_is_normal() -> np.errstate:
    """A run whose rate is too high overflows: its loss says so, and a NumPy warning would add nothing."""
    return np.errstate(over="ignore", under="ignore", invalid="ignore")


def _named(what: str, name: str, known: Mapping[str, T]) -> T:
    if name not in known:
        raise ValueError(f"{what} is {name!r}; it can be {', '.join(map(repr, known))}")
    return known[name]


def _checked_sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    if len(sizes) < 2 or not all(_is_integer(size) and size >= 1 for size in sizes):
        raise ValueError(f"sizes is {sizes!r}; give at least two integers >= 1: inputs, hidden layers ..., classes")
    return tuple(map(operator.index, sizes))


def _checked_seed(seed: int) -> int:
    if not _is_integer(seed) or seed < 0:
        raise ValueError(f"seed is {seed!r}; give an integer >= 0")
    return operator.index(seed)


def _is_integer(number: object) -> bool:
    return isinstance(number, (int, np.integer)) and not isinstance(number, bool)
