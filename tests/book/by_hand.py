"""What a reader of the book has at hand: six optimizers and a small network, written from the equations."""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise

import numpy as np


class SGD:
    def __init__(self, lr=0.01):
        self.lr = lr

    def update(self, params, grads):
        for name in params:
            params[name] -= self.lr * grads[name]


class Momentum:
    def __init__(self, lr=0.01, momentum=0.9):
        self.lr, self.momentum, self.v = lr, momentum, None

    def update(self, params, grads):
        if self.v is None:
            self.v = {name: np.zeros_like(w, float) for name, w in params.items()}
        for name in params:
            self.v[name] = self.momentum * self.v[name] - self.lr * grads[name]
            params[name] += self.v[name]


class Nesterov:
    def __init__(self, lr=0.01, momentum=0.9):
        self.lr, self.momentum, self.v = lr, momentum, None

    def update(self, params, grads):
        if self.v is None:
            self.v = {name: np.zeros_like(w, float) for name, w in params.items()}
        for name in params:
            old = self.v[name]
            params[name] += self.momentum * self.momentum * old
            params[name] -= (1 + self.momentum) * self.lr * grads[name]
            self.v[name] = self.momentum * old - self.lr * grads[name]


class AdaGrad:
    def __init__(self, lr=0.01):
        self.lr, self.h = lr, None

    def update(self, params, grads):
        if self.h is None:
            self.h = {name: np.zeros_like(w, float) for name, w in params.items()}
        for name in params:
            self.h[name] = self.h[name] + grads[name] * grads[name]
            params[name] -= self.lr * grads[name] / (np.sqrt(self.h[name]) + 1e-7)


class RMSprop:
    def __init__(self, lr=0.01, decay_rate=0.99):
        self.lr, self.decay_rate, self.h = lr, decay_rate, None

    def update(self, params, grads):
        if self.h is None:
            self.h = {name: np.zeros_like(w, float) for name, w in params.items()}
        for name in params:
            self.h[name] = self.decay_rate * self.h[name] + (1 - self.decay_rate) * grads[name] * grads[name]
            params[name] -= self.lr * grads[name] / (np.sqrt(self.h[name]) + 1e-7)


class Adam:
    def __init__(self, lr=0.001, beta1=0.9, beta2=0.999):
        self.lr, self.beta1, self.beta2, self.iter, self.m, self.v = lr, beta1, beta2, 0, None, None

    def update(self, params, grads):
        if self.m is None:
            self.m = {name: np.zeros_like(w, float) for name, w in params.items()}
            self.v = {name: np.zeros_like(w, float) for name, w in params.items()}
        self.iter += 1
        rate = self.lr * np.sqrt(1 - self.beta2**self.iter) / (1 - self.beta1**self.iter)
        for name in params:
            g = grads[name]
            self.m[name] = self.m[name] + (1 - self.beta1) * (g - self.m[name])
            self.v[name] = self.v[name] + (1 - self.beta2) * (g**2 - self.v[name])
            params[name] -= rate * self.m[name] / (np.sqrt(self.v[name]) + 1e-7)


class Affine:
    """Holds the same array objects as the network's params."""

    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return np.dot(x, self.W) + self.b

    def backward(self, dout):
        self.dW, self.db = np.dot(self.x.T, dout), np.sum(dout, axis=0)
        return np.dot(dout, self.W.T)


class Sigmoid:
    def forward(self, x):
        self.out = 1 / (1 + np.exp(-x))
        return self.out

    def backward(self, dout):
        return dout * (1 - self.out) * self.out


class Network:
    """Two layers and softmax with cross entropy, over layers that hold the arrays of `params`."""

    def __init__(self, sizes=(7, 6, 3), seed=0, prefix="", dropout=None):
        rng = np.random.default_rng(seed)
        self.params, self.layers, self.affine, self.dropout = {}, OrderedDict(), {}, dropout
        for i, (rows, columns) in enumerate(pairwise(sizes), 1):
            W, b = f"{prefix}W{i}", f"{prefix}b{i}"
            self.params[W], self.params[b] = rng.normal(size=(rows, columns)), np.zeros(columns)
            self.affine[W, b] = self.layers[f"Affine{i}"] = Affine(self.params[W], self.params[b])
            if i < len(sizes) - 1:
                self.layers[f"Sigmoid{i}"] = Sigmoid()
                if dropout is not None:
                    self.layers[f"Dropout{i}"] = dropout

    def predict(self, x, train_flg=False):
        for name, layer in self.layers.items():
            x = layer.forward(x, train_flg) if "Dropout" in name else layer.forward(x)
        return x

    def loss(self, x, t, train_flg=False):
        y = self.predict(x, train_flg)
        y = np.exp(y - y.max(axis=1, keepdims=True))
        self.y = y / y.sum(axis=1, keepdims=True)
        return -np.sum(np.log(self.y[np.arange(len(t)), t] + 1e-7)) / len(t)

    def gradient(self, x, t):
        self.loss(x, t, train_flg=True)
        dout = self.y.copy()
        dout[np.arange(len(t)), t] -= 1
        dout /= len(t)
        for layer in reversed(self.layers.values()):
            dout = layer.backward(dout)
        grads = {}
        for (W, b), layer in self.affine.items():
            grads[b], grads[W] = layer.db, layer.dW
        return grads


def data(seed=1, n=60, inputs=7, classes=3):
    """Float32 inputs, as data sets come, and labels."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, inputs)).astype(np.float32), rng.integers(0, classes, n)


def bits(values):
    """Return what two runs have to share."""
    return {name: np.asarray(w).tobytes() for name, w in values.items()}
