from __future__ import annotations

import numpy as np
import pytest

from thalweg import nn

torch = pytest.importorskip("torch", reason="oracle torch is not installed")

# Each entry is a sum of at most 40 products through four layers: a few hundred roundings of 1.1e-16, relative to the
# largest entry.
RELATIVE = 1e-13


def close(ours, theirs):
    theirs = theirs.detach().numpy()
    assert ours.shape == theirs.shape
    return np.abs(ours - theirs).max() <= RELATIVE * np.abs(theirs).max()


def rng(seed=0):
    return np.random.Generator(np.random.PCG64(seed))


@pytest.mark.parametrize(
    "layer, function", [(nn.ReLU(), torch.relu), (nn.Sigmoid(), torch.sigmoid), (nn.Tanh(), torch.tanh)]
)
def test_activations_at_many_scales_and_at_0(layer, function):
    x = np.concatenate([rng(1).standard_normal((10, 8)) * 10.0**e for e in range(-8, 3)] + [np.zeros((1, 8))])
    dout = rng(2).standard_normal(x.shape)
    theirs = torch.from_numpy(x).requires_grad_()
    out = function(theirs)
    out.backward(torch.from_numpy(dout))
    assert np.allclose(layer.forward(x), out.detach().numpy(), rtol=RELATIVE, atol=0)
    # y * (1 - y) loses the digits that y has close to 1: absolute, not relative
    assert np.allclose(layer.backward(dout), theirs.grad.numpy(), rtol=RELATIVE, atol=1e-15)


@pytest.mark.parametrize("activation", nn.ACTIVATIONS)
def test_a_networks_loss_and_gradients(activation):
    network = nn.Network((12, 40, 30, 20, 7), activation=activation, init="glorot", seed=4, dtype=np.float64)
    for name, array in network.params.items():
        network.params[name] = array + 0.05 * rng(5).standard_normal(array.shape)
    x, y = rng(6).standard_normal((40, 12)), rng(7).integers(0, 7, 40)
    loss, grads = network.loss_and_gradient(x, y)

    params = {name: torch.tensor(array, requires_grad=True) for name, array in network.params.items()}
    function = {"relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}[activation]
    hidden = torch.from_numpy(x)
    for i in range(1, 5):
        hidden = hidden @ params[f"W{i}"] + params[f"b{i}"]
        if i < 4:
            hidden = function(hidden)
    expected = torch.nn.functional.cross_entropy(hidden, torch.from_numpy(y))
    expected.backward()

    assert loss == pytest.approx(expected.item(), rel=RELATIVE)
    assert close(network.predict(x), hidden)
    for name, grad in grads.items():
        assert close(grad, params[name].grad), name


def test_inverted_dropout_given_torchs_own_mask():
    x = rng(8).standard_normal((30, 20)) + 5  # no 0, so that the output tells the mask
    torch.manual_seed(0)
    theirs = torch.from_numpy(x).requires_grad_()
    out = torch.nn.functional.dropout(theirs, p=0.3, training=True)
    out.backward(torch.ones_like(out))

    class TorchsMask:
        def random(self, shape):
            return (out.detach().numpy() != 0).astype(float)  # 1 > ratio: kept

    layer = nn.Dropout(0.3, mode="inverted", rng=TorchsMask())
    assert close(layer.forward(x, train=True), out)
    assert close(layer.backward(np.ones_like(x)), theirs.grad)


def test_extreme_logits():
    logits = np.array([[1e3, 0.0, -1e3], [700.0, 710.0, -800.0], [-1e30, 1e30, 0.0], [0.0, 1e-300, 0.0]])
    labels = [2, 0, 0, 1]
    theirs = torch.from_numpy(logits).requires_grad_()
    expected = torch.nn.functional.cross_entropy(theirs, torch.tensor(labels))
    expected.backward()
    loss = nn.SoftmaxCrossEntropy()
    assert loss.forward(logits, labels) == pytest.approx(expected.item(), rel=RELATIVE)
    assert close(loss.backward(), theirs.grad)
