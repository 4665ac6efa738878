"""Arrays of given numbers in every layout, and strategies for the numbers."""

from __future__ import annotations

import os

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

# In CI the same examples each time; elsewhere new ones, of which those that failed are kept.
thorough = settings(
    max_examples=25,
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.differing_executors],
    print_blob=True,
)

SPECIAL = [
    0.0, -0.0, 1.0, -1.0, 0.1, np.inf, -np.inf, np.nan,
    5e-324, -5e-324, 2.2250738585072009e-308, 2.0**-149, -(2.0**-149), 2.0**-127, 1.1754942106924411e-38,
    3.4028234663852886e38, 1e30, -1e30, 1e-30, 1 + 2.0**-23, 1 - 2.0**-24, 1 + 2.0**-52,
]  # fmt: skip
numbers = st.one_of(
    st.sampled_from(SPECIAL),
    st.builds(
        lambda sign, digits, exponent: sign * digits * 10.0**exponent,
        st.sampled_from([-1.0, 1.0]),
        st.floats(1.0, 10.0),
        st.integers(-30, 29),
    ),
    st.floats(-4.0, 4.0),
)
# From such a handful of numbers arrays of any size are filled, each from another place in it and in other strides.
pools = hnp.arrays(np.float64, 17, elements=numbers, fill=st.nothing())

# 12289 = 3 * 4096 + 1: four blocks, which go to several threads when the grain is one block
SHAPES = [(), (1,), (7,), (3, 5), (2, 3, 4), (1, 1), (0,), (0, 3), (2, 0, 3), (4096,), (4097,), (12289,), (3, 4099)]
MATRICES = [(3, 5), (2, 3, 4), (1, 1), (1, 7), (5, 1), (0, 3), (2, 0, 3), (3, 4099), (4099, 3)]


def filled(pool, shape, place, dtype, *, finite=False):
    """Return an array of this shape with the numbers of a pool."""
    pool = np.where(np.isfinite(pool), pool, 1.5) if finite else pool
    index = (place + (1 + place % 16) * np.arange(int(np.prod(shape)))) % len(pool)
    with np.errstate(all="ignore"):
        values = pool[index].astype(dtype)
    if finite:
        values = np.where(np.isfinite(values), values, np.array(1.5, dtype))
    return np.array(values.reshape(shape))


def contiguous(x):
    return x.copy()


def fortran(x):
    return np.array(x, order="F")


def strided(x):
    base = np.zeros(tuple(2 * n + 1 for n in x.shape), x.dtype)
    view = base[(*(slice(1, 1 + 2 * n, 2) for n in x.shape), ...)]
    view[...] = x
    return view


def backwards(x):
    turn = (*(slice(None, None, -1) for _ in x.shape), ...)
    return np.array(x[turn])[turn]


def transposed(x):
    return np.array(x.T, order="C").T


def part(x):
    """The inside of a larger array."""
    base = np.zeros(tuple(n + 2 for n in x.shape), x.dtype)
    view = base[(*(slice(1, n + 1) for n in x.shape), ...)]
    view[...] = x
    return view


def misaligned(x):
    view = np.zeros(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    view[...] = x
    return view


LAYOUTS = [contiguous, fortran, strided, backwards, transposed, part, misaligned]
layouts = st.sampled_from(LAYOUTS)


def hyperparams(rule):
    """A strategy for hyper-parameters in the ranges of a rule: any of them, over many decades and at their ends."""

    starts = {slot.start for slot in rule.slots.values()}

    def values(name):
        ends = rule.ranges[name]
        usual = [x for x in (0.0, 1e-8, 1e-3, 0.1, 0.5, 0.9, 0.999, 1 - 2.0**-53, 1.0, 3.0, 5.0) if x in ends]
        # what a slot starts at is written to it before any step, and so has to fit in it
        largest = 30 if name in starts else 300
        wide = st.floats(-300, largest).map(lambda exponent: 10.0**exponent)
        return st.one_of(
            st.sampled_from(usual), (st.floats(0.0, 1.0) if ends.high == 1.0 else wide).filter(ends.__contains__)
        )

    return st.fixed_dictionaries({}, optional={name: values(name) for name in rule.defaults})
