"""What a network is trained to make small."""

from __future__ import annotations

from typing import Any, final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@final
class SoftmaxCrossEntropy:
    """Softmax and cross-entropy in one: the mean over the batch of -log softmax(logits)[label], in nats.

    Computed as log(sum(exp(z))) - z[label] with z = logits - max(logits), so that no finite logit overflows exp and
    no probability of 0 reaches the logarithm (the book adds 1e-7 inside the logarithm, which moves the loss by about
    1e-7). Where a network has diverged and its logits are infinite or NaN, the loss is inf or nan: an answer to look
    at, without a warning.
    """

    def __init__(self) -> None:
        self._last: tuple[Array, Array] | None = None

    def forward(self, logits: Array, labels: npt.ArrayLike) -> float:
        """The mean loss.

        logits: (n, classes), floating, else TypeError; labels: as in `class_ids`, whose errors it raises.
        """
        if logits.dtype.kind != "f":
            raise TypeError(f"the logits are {logits.dtype}; give floating-point numbers, such as float32")
        ids = class_ids(labels, logits)
        rows = np.arange(len(ids))
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            z = logits - logits.max(axis=1, keepdims=True)
            picked = z[rows, ids]
            p = np.exp(z, out=z)
            total = p.sum(axis=1)
            loss = np.mean(np.log(total) - picked, dtype=np.float64)
            p /= total[:, np.newaxis]
        self._last = p, ids
        return float(loss)

    def backward(self, dout: float = 1.0) -> Array:
        """The gradient for the last forward pass's logits, (softmax(logits) - onehot) / n, times dout."""
        if self._last is None:
            raise RuntimeError("SoftmaxCrossEntropy.backward has nothing to go back through; call forward first")
        p, ids = self._last
        dlogits = p.copy()
        dlogits[np.arange(len(ids)), ids] -= 1
        dlogits *= dout / len(ids)
        return dlogits


def class_ids(labels: npt.ArrayLike, logits: Array) -> npt.NDArray[np.intp]:
    """The labels of a batch as n integers 0 ... classes - 1.

    labels: (n,) integers, or (n, classes) with a single 1 in each row and 0 elsewhere (one-hot); n and classes are
    those of logits. ValueError for anything else, and for an empty batch.
    """
    if logits.ndim != 2 or logits.size == 0:
        raise ValueError(f"the logits have the shape {logits.shape}; give (n, classes) with at least one row")
    n, classes = logits.shape
    given = np.asarray(labels)
    if given.ndim == 2 and given.shape == (n, classes):
        if not (((given == 0) | (given == 1)).all() and (given.sum(axis=1) == 1).all()):
            raise ValueError("each row of one-hot labels has a single 1 and is 0 elsewhere; these have other rows")
        ids: npt.NDArray[np.intp] = given.argmax(axis=1)
        return ids
    if given.shape != (n,) or given.dtype.kind not in "iu":
        raise ValueError(
            f"the labels are {given.dtype} of the shape {given.shape}; for these {n} rows of {classes} classes give "
            f"integers of the shape ({n},), or one-hot rows of the shape ({n}, {classes})"
        )
    if given.min() < 0 or given.max() >= classes:
        raise ValueError(f"the labels go from {given.min()} to {given.max()}; legal are 0 to {classes - 1}")
    return given.astype(np.intp, copy=False)
