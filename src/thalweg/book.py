"""The classes of the book's `common.optimizer`, and its Dropout, for scripts that were written for them.

    from thalweg.book import *  # in the place of: from common.optimizer import *

The book is "Deep Learning from Scratch" (Saito, O'Reilly Japan 2016; code in oreilly-japan/deep-learning-from-scratch).
Constructor arguments, defaults and attributes are the book's, and so is the arithmetic: float64 parameters with float64
gradients end bit for bit where the book's classes end. With float32 parameters the arithmetic is float32 throughout,
where the book's Adam goes through float64, and the last bits may differ. `np` is here because the book's module leaks
it, and scripts count on that.

As in the book: parameters are a dict of name -> array, updated in place, or of numbers, which are rebound (or a list,
as in the second volume); gradients are broadcast to their parameter, and those that belong to none are ignored; an
overflow is no error, so that a run may diverge. `v`, `h` and `m` are None before the first step, then dicts of name ->
array in use (copy what you want to keep), with a NumPy number for each single number. They may be written to and
replaced; None starts all of them at zero. `iter` counts Adam's steps, and may be set.

Kinder than the book: a name that is seen for the first time later on gets state of its own, where the book raises
KeyError, so that one optimizer serves several networks with different names; for it, Adam counts from there. Nesterov
is the corrected form: the copy in circulation multiplies the velocity by the momentum before it reads it.

What cannot be right is refused before anything is changed, with a message that says what to do: two names over one
array, which the book updates twice, and numbers out of range, such as a negative rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import index, is_
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.engine.halves import compute_dtype
from thalweg.optimizer import Optimizer
from thalweg.tree import leaves

_NUMBERS = float | int | np.floating | np.integer

__all__ = ["SGD", "AdaGrad", "Adam", "Dropout", "Momentum", "Nesterov", "RMSprop", "np"]


class _Number:
    """A hyper-parameter of the optimizer inside, as an attribute: checked when it is set."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: _Classic, owner: type) -> float:
        found: float = getattr(instance._inside, self._name)  # noqa: SLF001 - a part of that class
        return found

    def __set__(self, instance: _Classic, value: float) -> None:
        setattr(instance._inside, self._name, value)  # noqa: SLF001 - same


class _Classic:
    """What the six have in common: an Optimizer inside, and its state as attributes that a script may change."""

    def __init__(self, rule: str, **numbers: Any) -> None:
        self._inside = Optimizer(rule, convention="book", nonfinite="allow", **numbers)
        self._slots = tuple(self._inside.rule.slots)
        for slot in self._slots:
            setattr(self, slot, None)
        # Slot -> the dict that was shown after the last step, and its values; None if state in use is not shown.
        self._shown: dict[str, tuple[dict[str, Any] | None, list[Any]]] | None = dict.fromkeys(self._slots, (None, []))
        self._has_single_numbers = False
        self._counts_steps = "t" in self._inside.rule.text.signature.numbers
        self._new_count: int | None = None
        self._names: tuple[Any, ...] = ()
        self._joined: dict[str, int] = {}  # name -> the steps before its first

    def update(self, params: Any, grads: Any) -> None:
        """Take one step, in place.

        Args:
            params: dict of name -> array of float16, bfloat16, float32 or float64 and of any shape, or number; or a
                list.
            grads: of the same names, and perhaps others -> array that can be broadcast to its parameter, or number.

        Raises:
            TypeError, ValueError: see `thalweg.Optimizer.update`; nothing has changed then.
        """
        names = tuple(params) if isinstance(params, Mapping) else ()
        # In the book there is one count for all names, also for those that have missed a step.
        rejoined = self._counts_steps and names != self._names and bool(self._joined)
        if rejoined or self._is_changed():
            self._take_over(params)
        self._inside.update(params, _fitted(params, grads))
        self._names = names
        if self._shown is None or self._has_single_numbers or len(self._inside.state) != len(self._joined):
            self._show()

    def _is_changed(self) -> bool:
        """Whether the script has put something into the place of what was shown after the last step."""
        if self._shown is None or self._new_count is not None:
            return True
        for slot, (shown, values) in self._shown.items():
            given = getattr(self, slot)
            if given is not shown:
                return True
            if given is not None and not (len(given) == len(values) and all(map(is_, given.values(), values))):
                return True
        return False

    def _take_over(self, params: Any) -> None:
        """Let the state inside be what the attributes say."""
        found = leaves(params, {})
        arrays = {name: np.asarray(a) for name, a in zip(found.names, found.arrays, strict=True)}
        given = {slot: getattr(self, slot) for slot in self._slots}
        if any(values is None for values in given.values()):
            given = {slot: dict.fromkeys(arrays, 0.0) for slot in self._slots}
            self._joined = {}  # from here on they all have the one count, as in the book
        state = self._inside.state_dict()
        if self._new_count is not None:
            state["counts"]["t"] = index(self._new_count)
            self._joined = {}
        taken = {
            name: [values.get(name, 0.0) for values in given.values()] for values in given.values() for name in values
        }
        self._joined = {name: self._joined.get(name, 0) for name in taken}
        known, state["parameters"] = state["parameters"], {}
        for name, values in taken.items():
            like = arrays.get(name, np.asarray(values[0]))
            dtype = compute_dtype(like.dtype)
            # A number stands for an array of it; an array of a wrong shape is refused by the step.
            shape = next((np.shape(x) for x in values if np.ndim(x)), like.shape)
            full = [np.array(x, dtype) if np.ndim(x) else np.full(shape, x, dtype) for x in values]
            state["parameters"][name] = {
                "shape": list(shape),
                "dtype": like.dtype.name,
                "order": known[name]["order"] if name in known else "C",
                "missed": self._joined[name],
                "slots": dict(zip(self._slots, full, strict=True)),
            }
        self._inside.load_state_dict(state)
        self._shown, self._new_count = None, None

    def _show(self) -> None:
        """Let the attributes show the state in use."""
        state = self._inside.state
        for name in state:
            self._joined.setdefault(name, self._inside.t - 1)
        found = {}
        for slot in self._slots:
            values = [array if array.ndim else array[()] for array in (slots[slot] for slots in state.values())]
            shown = getattr(self, slot)
            if shown is None:
                shown = {}
                setattr(self, slot, shown)
            shown.clear()
            shown.update(zip(state, values, strict=True))
            found[slot] = (shown, values)
        self._shown = found
        self._has_single_numbers = any(isinstance(x, np.generic) for _, values in found.values() for x in values)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_shown": None}  # a copy shows copies; they are taken over at its next step

    def __repr__(self) -> str:
        return repr(self._inside)


class SGD(_Classic):
    """Stochastic gradient descent: w = w - lr * g."""

    lr = _Number()

    def __init__(self, lr: float = 0.01) -> None:
        super().__init__("sgd", lr=lr)


class Momentum(_Classic):
    """Gradient descent with momentum: v = momentum * v - lr * g; w = w + v."""

    lr = _Number()
    momentum = _Number()
    v: dict[str, Any] | None

    def __init__(self, lr: float = 0.01, momentum: float = 0.9) -> None:
        super().__init__("momentum", lr=lr, momentum=momentum)


class Nesterov(_Classic):
    """Nesterov's gradient: w = w + momentum**2 * v - (1 + momentum) * lr * g; then v = momentum * v - lr * g."""

    lr = _Number()
    momentum = _Number()
    v: dict[str, Any] | None

    def __init__(self, lr: float = 0.01, momentum: float = 0.9) -> None:
        super().__init__("nesterov", lr=lr, momentum=momentum)


class AdaGrad(_Classic):
    """AdaGrad: h = h + g * g; w = w - lr * g / (sqrt(h) + 1e-7)."""

    lr = _Number()
    h: dict[str, Any] | None

    def __init__(self, lr: float = 0.01) -> None:
        super().__init__("adagrad", lr=lr)


class RMSprop(_Classic):
    """RMSprop: h = decay_rate * h + (1 - decay_rate) * g * g; w = w - lr * g / (sqrt(h) + 1e-7)."""

    lr = _Number()
    decay_rate = _Number()
    h: dict[str, Any] | None

    def __init__(self, lr: float = 0.01, decay_rate: float = 0.99) -> None:
        super().__init__("rmsprop", lr=lr, decay_rate=decay_rate)


class Adam(_Classic):
    """Adam, with both corrections in the rate and 1e-7 added to the root of v as it is."""

    lr = _Number()
    beta1 = _Number()
    beta2 = _Number()
    m: dict[str, Any] | None
    v: dict[str, Any] | None

    def __init__(self, lr: float = 0.001, beta1: float = 0.9, beta2: float = 0.999) -> None:
        super().__init__("adam", lr=lr, beta1=beta1, beta2=beta2)

    @property
    def iter(self) -> int:
        """The steps taken, which the corrections depend on; it may be set."""
        return self._inside.t if self._new_count is None else self._new_count

    @iter.setter  # noqa: A003 - the book's name
    def iter(self, count: int) -> None:
        self._new_count = count


class Dropout:
    """Dropout in the book's form, which scales in test and not in training (Hinton et al. 2012, arXiv:1207.0580).

    dropout_ratio: the part that is switched off. mask: True where x was let through in the last training pass, as
    drawn from NumPy's global generator, so that `np.random.seed` decides about it; None before the first.
    """

    def __init__(self, dropout_ratio: float = 0.5) -> None:
        self.dropout_ratio = dropout_ratio
        self.mask: NDArray[np.bool_] | None = None

    def forward(self, x: NDArray[Any], train_flg: bool = True) -> NDArray[Any]:
        """Return x where the new mask is True and 0 elsewhere; or x * (1 - dropout_ratio) if this is no training."""
        if not train_flg:
            scaled: NDArray[Any] = x * (1.0 - self.dropout_ratio)
            return scaled
        self.mask = np.random.rand(*x.shape) > self.dropout_ratio  # noqa: NPY002 - a seeded script has the same masks
        masked: NDArray[Any] = x * self.mask
        return masked

    def backward(self, dout: NDArray[Any]) -> NDArray[Any]:
        """Return dout where the mask of the last training pass is True, and 0 elsewhere."""
        dx: NDArray[Any] = dout * self.mask
        return dx


def _fitted(params: Any, grads: Any) -> Any:
    """Return the gradients that belong to parameters, each as its parameter has to have it."""
    if isinstance(params, Mapping) and isinstance(grads, Mapping):
        return {name: _as_gradient(grads[name], w) for name, w in params.items() if name in grads}
    if isinstance(params, list | tuple) and isinstance(grads, list | tuple):
        return [_as_gradient(gradient, w) for gradient, w in zip(grads, params, strict=False)]
    return grads


def _as_gradient(gradient: Any, w: Any) -> Any:
    """Return a gradient as floating-point numbers of the parameter's shape, where it can be that."""
    if isinstance(gradient, np.ma.MaskedArray):
        return gradient
    if not isinstance(gradient, np.ndarray | bool | np.bool_ | _NUMBERS) or not isinstance(w, np.ndarray | _NUMBERS):
        return gradient  # what else there is, and what is to be done about it, `Optimizer.update` says
    shape = np.shape(w)
    array = np.asarray(gradient)
    if array.dtype.kind in "iub":
        array = array.astype(np.float64)
    if array.shape == shape or array.ndim > len(shape):
        return array
    fits = all(n in {1, m} for n, m in zip(reversed(array.shape), reversed(shape), strict=False))
    return np.broadcast_to(array, shape) if fits else array
