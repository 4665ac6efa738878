"""Layers: `forward(x, train=False)` computes, `backward(dout)` turns a gradient of the output into one of the input.

x, dout and what is returned have the shape (n, units) and the same dtype. A layer never writes to what it is given. It
remembers its last forward pass, and backward belongs to that pass: leave x and the output as they are in between.
"""

# ruff: noqa: ARG002 - every layer is called with `train`, and only Dropout asks for it

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, TypeVar, final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
T = TypeVar("T")


class Layer(ABC):
    """One step of a network."""

    @abstractmethod
    def forward(self, x: Array, train: bool = False) -> Array:
        """The layer's output for the batch x of shape (n, in); `train` matters to Dropout only."""

    @abstractmethod
    def backward(self, dout: Array) -> Array:
        """The loss's gradient for the last forward pass's x, given that for its output.

        RuntimeError if there was no forward pass.
        """

    def _remembered(self, value: T | None) -> T:
        if value is None:
            raise RuntimeError(f"{type(self).__name__}.backward has nothing to go back through; call forward(x) first")
        return value


@final
class Affine(Layer):
    """The affine map x @ W + b.

    W: (in, out), b: (out,), of one floating dtype, which is also that of x. Both are kept as the objects they are, so
    that an optimizer's in-place update takes effect. backward leaves the gradients in `dW` and `db` (0 until then): new
    arrays at each call, of the shapes and dtype of W and b. ValueError for other shapes, TypeError for other dtypes.
    """

    def __init__(self, W: Array, b: Array) -> None:
        if W.ndim != 2 or b.shape != W.shape[1:]:
            raise ValueError(f"W has the shape {W.shape} and b {b.shape}; give W as (in, out) and b as (out,)")
        if W.dtype.kind != "f" or b.dtype != W.dtype:
            raise TypeError(f"W is {W.dtype} and b {b.dtype}; give both in one floating dtype, such as float32")
        self.W = W
        self.b = b
        self.dW: Array = np.zeros_like(W)
        self.db: Array = np.zeros_like(b)
        self._x: Array | None = None

    def forward(self, x: Array, train: bool = False) -> Array:
        """The output `x @ W + b`: (n, out)."""
        if x.ndim != 2 or x.shape[1] != self.W.shape[0]:
            raise ValueError(f"x has the shape {x.shape}; give a batch of the shape (n, {self.W.shape[0]})")
        if x.dtype != self.W.dtype:
            raise TypeError(f"x is {x.dtype} and W is {self.W.dtype}; convert one: x.astype({str(self.W.dtype)!r})")
        self._x = x
        out: Array = x @ self.W
        out += self.b
        return out

    def backward(self, dout: Array) -> Array:
        """The gradient `dout @ W.T`: (n, in). Sets dW to `x.T @ dout`, and db to the sum of dout over the batch."""
        self.backward_params(dout)
        dx: Array = dout @ self.W.T
        return dx

    def backward_params(self, dout: Array) -> None:
        """Set dW and db only: enough for a network's first layer, whose input needs no gradient."""
        self.dW = self._remembered(self._x).T @ dout
        self.db = dout.sum(axis=0)


@final
class ReLU(Layer):
    """max(x, 0). The gradient at 0 is 0. NaN stays NaN."""

    def __init__(self) -> None:
        self._positive: Array | None = None

    def forward(self, x: Array, train: bool = False) -> Array:
        """The output: x where it is positive, else 0."""
        self._positive = x > 0
        out: Array = np.maximum(x, 0)
        return out

    def backward(self, dout: Array) -> Array:
        """The gradient: dout where x was positive, else 0."""
        dx: Array = dout * self._remembered(self._positive)
        return dx


@final
class Sigmoid(Layer):
    """1 / (1 + exp(-x)), without overflow and to full precision at both ends."""

    def __init__(self) -> None:
        self._out: Array | None = None

    def forward(self, x: Array, train: bool = False) -> Array:
        """The output `1 / (1 + exp(-x))`."""
        small = np.exp(-np.abs(x))  # at most 1, whatever x is
        self._out = np.where(x >= 0, 1, small) / (1 + small)
        return self._out

    def backward(self, dout: Array) -> Array:
        """The gradient `dout * y * (1 - y)`, where y was the output."""
        out = self._remembered(self._out)
        dx: Array = dout * out * (1 - out)
        return dx


@final
class Tanh(Layer):
    """The hyperbolic tangent."""

    def __init__(self) -> None:
        self._out: Array | None = None

    def forward(self, x: Array, train: bool = False) -> Array:
        """The output `tanh(x)`."""
        self._out = np.tanh(x)
        return self._out

    def backward(self, dout: Array) -> Array:
        """The gradient `dout * (1 - y**2)`, where y was the output."""
        out = self._remembered(self._out)
        dx: Array = dout * (1 - out * out)
        return dx


@final
class Dropout(Layer):
    """Switches units off at random while training: each with the probability `ratio`, 0 <= ratio < 1.

    mode       training               test
    "book"     x * mask               x * (1 - ratio)    Hinton et al. 2012, arXiv:1207.0580
    "inverted" x * mask / (1 - ratio) x                  Srivastava et al. 2014, JMLR 15, section 10; torch, Keras

    mask is `rng.random(x.shape) > ratio`, so that it depends on the generator alone and not on the dtype. The expected
    output in training is the output in test, in both modes. `rng` has no default: a mask that nobody seeded could not
    be repeated. ValueError for another ratio or mode.
    """

    def __init__(self, ratio: float, mode: str = "book", *, rng: np.random.Generator) -> None:
        if not 0 <= ratio < 1:
            raise ValueError(f"the dropout ratio is {ratio!r}; it is the part that is switched off: 0 <= ratio < 1")
        scales = {"book": (1.0, 1 - ratio), "inverted": (1 / (1 - ratio), 1.0)}
        if mode not in scales:
            raise ValueError(f"the dropout mode is {mode!r}; it can be {' or '.join(map(repr, scales))}")
        self.ratio = ratio
        self.mode = mode
        self._train_scale, self._test_scale = scales[mode]
        self._rng = rng
        self._factor: Array | float | None = None

    def forward(self, x: Array, train: bool = False) -> Array:
        """The output as in the table above; in training with a new mask at each call."""
        if train:
            mask = self._rng.random(x.shape) > self.ratio
            self._factor = mask.astype(x.dtype) * self._train_scale
        else:
            self._factor = self._test_scale
        out: Array = x * self._factor
        return out

    def backward(self, dout: Array) -> Array:
        """The gradient: dout times what the last forward pass multiplied x by."""
        dx: Array = dout * self._remembered(self._factor)
        return dx
