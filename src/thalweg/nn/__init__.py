"""What a network written by hand needs: layers, initial weights, a loss and a plain network of them.

Weights are (in, out), batches are (n, in), a bias is (out,). float32 stays float32 and float64 stays float64, forward
and backward. Random numbers come from NumPy generators made from a seed; NumPy's global random state is never used.
"""

from __future__ import annotations

from thalweg.nn import init
from thalweg.nn.layers import Affine, Dropout, Layer, ReLU, Sigmoid, Tanh
from thalweg.nn.losses import SoftmaxCrossEntropy
from thalweg.nn.network import ACTIVATIONS, Network

__all__ = [
    "ACTIVATIONS",
    "Affine",
    "Dropout",
    "Layer",
    "Network",
    "ReLU",
    "Sigmoid",
    "SoftmaxCrossEntropy",
    "Tanh",
    "init",
]
