"""What thalweg is measured against: the book's classes in NumPy, and torch.optim in its fastest form on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
Step = Callable[[], object]


class BookSGD:
    """w -= lr g."""

    def __init__(self, lr: float = 0.01) -> None:
        self.lr = lr

    def update(self, params: Arrays, grads: Arrays) -> None:
        """Take one step."""
        for key in params:
            params[key] -= self.lr * grads[key]


class BookMomentum:
    """v = momentum v - lr g; w += v."""

    def __init__(self, lr: float = 0.01, momentum: float = 0.9) -> None:
        self.lr, self.momentum, self.v = lr, momentum, {}

    v: Arrays

    def update(self, params: Arrays, grads: Arrays) -> None:
        """Take one step."""
        if not self.v:
            self.v = {key: np.zeros_like(value) for key, value in params.items()}
        for key in params:
            self.v[key] = self.momentum * self.v[key] - self.lr * grads[key]
            params[key] += self.v[key]


class BookNesterov(BookMomentum):
    """w += momentum^2 v - (1 + momentum) lr g, with the old v."""

    def update(self, params: Arrays, grads: Arrays) -> None:
        """Take one step."""
        if not self.v:
            self.v = {key: np.zeros_like(value) for key, value in params.items()}
        for key in params:
            params[key] += self.momentum * self.momentum * self.v[key]
            params[key] -= (1 + self.momentum) * self.lr * grads[key]
            self.v[key] *= self.momentum
            self.v[key] -= self.lr * grads[key]


class BookAdaGrad:
    """h += g^2; w -= lr g / (sqrt(h) + 1e-7)."""

    h: Arrays

    def __init__(self, lr: float = 0.01) -> None:
        self.lr, self.h = lr, {}

    def update(self, params: Arrays, grads: Arrays) -> None:
        """Take one step."""
        if not self.h:
            self.h = {key: np.zeros_like(value) for key, value in params.items()}
        for key in params:
            self.h[key] += grads[key] * grads[key]
            params[key] -= self.lr * grads[key] / (np.sqrt(self.h[key]) + 1e-7)


class BookRMSprop:
    """h = d h + (1 - d) g^2; w -= lr g / (sqrt(h) + 1e-7)."""

    h: Arrays

    def __init__(self, lr: float = 0.01, decay_rate: float = 0.99) -> None:
        self.lr, self.decay_rate, self.h = lr, decay_rate, {}

    def update(self, params: Arrays, grads: Arrays) -> None:
        """Take one step."""
        if not self.h:
            self.h = {key: np.zeros_like(value) for key, value in params.items()}
        for key in params:
            self.h[key] *= self.decay_rate
            self.h[key] += (1 - self.decay_rate) * grads[key] * grads[key]
            params[key] -= self.lr * grads[key] / (np.sqrt(self.h[key]) + 1e-7)


class BookAdam:
    """m += (1 - beta1)(g - m); v likewise with g^2; w -= lr_t m / (sqrt(v) + 1e-7)."""

    m: Arrays
    v: Arrays

    def __init__(self, lr: float = 0.001, beta1: float = 0.9, beta2: float = 0.999) -> None:
        self.lr, self.beta1, self.beta2, self.iter = lr, beta1, beta2, 0
        self.m, self.v = {}, {}

    def update(self, params: Arrays, grads: Arrays) -> None:
        """Take one step; a Python float for lr_t, so that float32 stays float32 in NumPy 2."""
        if not self.m:
            self.m = {key: np.zeros_like(value) for key, value in params.items()}
            self.v = {key: np.zeros_like(value) for key, value in params.items()}
        self.iter += 1
        lr_t = self.lr * float(np.sqrt(1.0 - self.beta2**self.iter)) / (1.0 - self.beta1**self.iter)
        for key in params:
            self.m[key] += (1 - self.beta1) * (grads[key] - self.m[key])
            self.v[key] += (1 - self.beta2) * (grads[key] ** 2 - self.v[key])
            params[key] -= lr_t * self.m[key] / (np.sqrt(self.v[key]) + 1e-7)


BOOK: dict[str, type[Any]] = {
    "sgd": BookSGD,
    "momentum": BookMomentum,
    "nesterov": BookNesterov,
    "adagrad": BookAdaGrad,
    "rmsprop": BookRMSprop,
    "adam": BookAdam,
}

# torch has no fused RMSprop for the CPU; its foreach form is the fastest that there is.
_TORCH: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("SGD", {"lr": 0.01, "fused": True}),
    "momentum": ("SGD", {"lr": 0.01, "momentum": 0.9, "fused": True}),
    "nesterov": ("SGD", {"lr": 0.01, "momentum": 0.9, "nesterov": True, "fused": True}),
    "adagrad": ("Adagrad", {"lr": 0.01, "fused": True}),
    "rmsprop": ("RMSprop", {"lr": 0.01, "foreach": True}),
    "adam": ("Adam", {"lr": 0.001, "fused": True}),
}


def torch_step(rule: str, params: Arrays, grads: Arrays, threads: int) -> tuple[str, Step] | None:
    """Return the form of torch's optimizer ("fused" or "foreach") and its step; None where torch is not installed."""
    try:
        import torch
    except ModuleNotFoundError:
        return None
    torch.set_num_threads(threads)
    leaves = [torch.from_numpy(w.copy()).requires_grad_() for w in params.values()]
    for leaf, gradient in zip(leaves, grads.values(), strict=True):
        leaf.grad = torch.from_numpy(gradient)
    name, options = _TORCH[rule]
    return ("fused" if "fused" in options else "foreach"), getattr(torch.optim, name)(leaves, **options).step
