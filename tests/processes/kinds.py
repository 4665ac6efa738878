"""Every kind of step there is, and pictures of all that a step may change."""

from __future__ import annotations

import hashlib
from unittest import mock

import numpy as np

import thalweg as tw
from tests.extra_rules import novograd, prodigy
from thalweg.engine import table

BLOCK = tw.words.BLOCK
LARGE = table.GRAIN * BLOCK * 3 // 2  # two parameters of so many elements are shared out by three threads


def arrays(shapes, dtype=np.float32, seed=0):
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}


def plain():
    return tw.Adam(), arrays({"w": 7})


def many_names():
    return tw.Adam(), arrays({f"w{i}": 5 for i in range(12)})


def shared_out(size=3 * BLOCK):
    """On several threads: see `on_threads`, and `large`."""
    return tw.Adam(), arrays({"a": size, "b": (3, size // 3)})


def two_dtypes():
    return tw.Momentum(), arrays({"a": 9}) | arrays({"b": 9}, np.float64)


def strided():
    w = arrays({"w": (8, 6)})["w"]
    return tw.Adam(), {"a": w[::2, ::-1], "b": np.asfortranarray(w), "c": w[1::2].T}


def numbers():
    return tw.Adam(), {"x": 1.5, "n": 3, "s": np.float32(0.5), "inner": [2.0, np.ones(3)]}


def half_with_master():
    return tw.Adam(master=True), arrays({"a": 9, "b": (2, 3)}, np.float16)


def chained():
    links = tw.clip_global_norm(1.0), tw.accumulate(2), tw.Adam(), tw.ema(0.9)
    return tw.chain(*links), arrays({"a": 9, "b": (2, 3)})


def whole_model():
    return tw.Optimizer(prodigy), arrays({"a": 9, "b": (2, 3)})


def number_per_tensor():
    return tw.Optimizer(novograd), arrays({"a": 9, "b": (2, 3)})


def groups():
    return tw.Adam(groups={"b*": tw.SGD(lr=0.1), "c": None, "d": {"lr": 0.5}}), arrays(dict(a=3, b=4, c=2, d=5))


def now_and_then():
    """Parameters that do not take part in every step."""
    return tw.Adam(), arrays({"sometimes": 3, "b": 4})


KINDS = {
    make.__name__: make
    for make in (
        plain,
        many_names,
        shared_out,
        two_dtypes,
        strided,
        numbers,
        half_with_master,
        chained,
        whole_model,
        number_per_tensor,
        groups,
        now_and_then,
    )
}


def large():
    return shared_out(LARGE)


def gradients(params, step):
    """Gradients for the step of this number, 0 for the first; the same each time."""

    def like(leaf, k):
        if isinstance(leaf, dict | list):
            return grads_of(leaf)
        g = np.random.default_rng([step, k]).standard_normal(np.shape(leaf))
        return g.astype(leaf.dtype) if isinstance(leaf, np.ndarray) else float(g)

    def grads_of(node):
        if isinstance(node, dict):
            return {key: like(leaf, k) for k, (key, leaf) in enumerate(node.items())}
        return [like(leaf, k) for k, leaf in enumerate(node)]

    found = grads_of(params)
    return found | {"sometimes": None} if "sometimes" in found and step % 2 else found


def digest(*things):
    """Return a digest of every bit of arrays, numbers and strings in dicts and lists."""
    found = hashlib.sha256()

    def add(x):
        if isinstance(x, dict):
            for key, value in x.items():
                found.update(f"{key}:".encode())
                add(value)
        elif isinstance(x, list | tuple):
            for value in x:
                add(value)
        elif isinstance(x, np.ndarray):
            found.update(f"{x.dtype}{x.shape}".encode())
            found.update(x.tobytes())
        else:
            found.update(f"{type(x).__name__} {x!r};".encode())

    add(things)
    return found.hexdigest()


def picture(opt, params):
    """Return a digest of parameters and of all that the next step depends on."""
    return digest(params, opt.state_dict())


def pictures(make, count):
    """Return the pictures before the first step and after each of so many, without any disturbance."""
    opt, params = make()
    found = [picture(opt, params)]
    for step in range(count):
        opt.update(params, gradients(params, step))
        found.append(picture(opt, params))
    assert len(set(found)) == count + 1
    return found


def on_threads(n=3):
    """Let all work be shared out over n threads, however small it is."""
    tw.set_num_threads(n)
    return mock.patch.object(table, "GRAIN", 1)
