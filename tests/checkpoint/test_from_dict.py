"""Every fault of a state dict is refused, and the message names the key by its path."""

import copy

import ml_dtypes
import numpy as np
import pytest

from thalweg.checkpoint import CheckpointError, ParameterSnapshot, Snapshot, from_dict, to_dict

MISSING = object()


def state():
    slots = {"m": np.ones((2, 3), np.float32), "v": 0.5}
    return to_dict(
        Snapshot(
            {"rule": "adam", "deep": [{"lr": 0.1}]},
            {"t": 3},
            {"d": 1e-6},
            {"W": ParameterSnapshot((2, 3), "float32", "C", 1, slots)},
            {"W": np.ones((2, 3), ml_dtypes.bfloat16)},
        )
    )


def with_fault(path, value):
    changed = place = state()
    for key in path[:-1]:
        place = place[key]
    if value is MISSING:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return changed


SLOT = ("parameters", "W", "slots", "m")
FAULTS = [
    *[
        ((key,), MISSING, f"the state lacks key '{key}'")
        for key in ("version", "made", "counts", "shared", "parameters", "arrays")
    ],
    (("format",), MISSING, "the state lacks key 'format'"),
    (("extra",), 1, "the state has the unknown key 'extra'"),
    *[
        ((key,), bad, f"{key} = ")
        for key in ("made", "counts", "shared", "parameters", "arrays")
        for bad in (None, 1, [], "x")
    ],
    (("format",), True, "format = True, of type bool; it is 1"),
    (("format",), 1.0, "format = 1.0"),
    (("format",), "1", "format = '1'"),
    (("format",), 0, "format = 0"),
    (("format",), 2, "upgrade thalweg"),
    (("version",), None, "version = None"),
    (("made", 3), 1, "a key of made = 3"),
    (("made", "deep"), (1, 2), r"made\['deep'\] = \(1, 2\)"),
    (("made", "deep", 0, "lr"), float("nan"), r"made\['deep'\]\[0\]\['lr'\] = nan"),
    (("made", "deep", 0, "lr"), float("inf"), r"made\['deep'\]\[0\]\['lr'\] = inf"),
    (("made", "deep", 0, "lr"), np.float32(1), r"made\['deep'\]\[0\]\['lr'\] = .*float32"),
    (("made", "deep", 0, "lr"), np.ones(1), r"made\['deep'\]\[0\]\['lr'\] = array"),
    (("made", "deep", 0, "lr"), len, r"made\['deep'\]\[0\]\['lr'\] = <built-in"),
    (("made", "deep", 0, "lr"), 1j, r"made\['deep'\]\[0\]\['lr'\] = 1j"),
    (("made", "deep", 0, "lr"), b"x", r"made\['deep'\]\[0\]\['lr'\] = b'x'"),
    (("made", "deep", 0, "lr"), 2**4096, r"made\['deep'\]\[0\]\['lr'\] = "),
    (("made", "deep", 0, "lr"), "\ud800", r"made\['deep'\]\[0\]\['lr'\] = .*surrogate"),
    *[(("counts", "t"), bad, r"counts\['t'\] = ") for bad in (-1, True, 1.0, "1", None, np.int64(1), 2**4096)],
    (("counts", 1), 1, "a key of counts = 1"),
    *[(("shared", "d"), bad, r"shared\['d'\] = ") for bad in (1, True, "1", None, np.float32(1), np.ones(()))],
    (("shared", None), 1.0, "a key of shared = None"),
    (("parameters", 0), {}, "a key of parameters = 0"),
    (("parameters", "W"), [], r"parameters\['W'\] = \[\]"),
    *[
        (("parameters", "W", key), MISSING, rf"parameters\['W'\] lacks key '{key}'")
        for key in ("shape", "dtype", "order", "missed", "slots")
    ],
    (("parameters", "W", "step"), 1, r"parameters\['W'\] has the unknown key 'step'"),
    *[
        (("parameters", "W", "shape"), bad, r"parameters\['W'\]\['shape'\] = ")
        for bad in (3, None, "23", np.array([2, 3]))
    ],
    *[
        (("parameters", "W", "shape", 1), bad, r"parameters\['W'\]\['shape'\]\[1\] = ")
        for bad in (-3, True, 3.0, None, np.int64(3))
    ],
    *[
        (("parameters", "W", "dtype"), bad, r"parameters\['W'\]\['dtype'\] = ")
        for bad in ("int32", "f4", "", None, np.float32, np.dtype("f4"))
    ],
    *[
        (("parameters", "W", "order"), bad, r"parameters\['W'\]\['order'\] = ")
        for bad in ("K", "c", "CF", "", None, ["C"])
    ],
    *[(("parameters", "W", "missed"), bad, r"parameters\['W'\]\['missed'\] = ") for bad in (-1, True, 0.0, "0", None)],
    *[(("parameters", "W", "slots"), bad, r"parameters\['W'\]\['slots'\] = ") for bad in (None, [], np.ones(3))],
    *[
        (SLOT, bad, r"parameters\['W'\]\['slots'\]\['m'\] ")
        for bad in (
            None,
            1,
            True,
            "1",
            [1.0, 2.0],
            np.float32(1),
            np.ones(2, np.float16),
            np.ones(2, ml_dtypes.bfloat16),
            np.ones(2, np.int32),
            np.ones(2, np.complex64),
            np.ones(2, bool),
            np.ones(2, ">f4"),
            np.array([None]),
            np.array(["x"]),
            np.zeros(2, [("x", "f4")]),
            np.ma.ones(2),
        )
    ],
    *[
        (("arrays", "W"), bad, r"arrays\['W'\] ")
        for bad in (None, 1.0, [1.0], np.ones(2, int), np.ma.ones(2), np.ones(2, ">f8"))
    ],
]


@pytest.mark.parametrize("path, value, message", FAULTS)
def test_a_fault_is_refused_by_its_path(path, value, message):
    with pytest.raises(CheckpointError, match=message) as caught:
        from_dict(with_fault(path, value))
    assert isinstance(caught.value, ValueError)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("bad", [None, [], 1, "state", np.ones(3)], ids=repr)
def test_what_is_no_dict_is_refused(bad):
    with pytest.raises(CheckpointError, match="the state = "):
        from_dict(bad)


def test_values_in_each_other_without_end_are_refused():
    inner = []
    inner.append(inner)
    with pytest.raises(CheckpointError, match="deep"):
        from_dict(with_fault(("made", "deep"), inner))


def test_a_snapshot_is_checked_when_it_is_saved():
    with pytest.raises(CheckpointError, match=r"parameters\['W'\]\['missed'\] = -1"):
        to_dict(Snapshot({}, {}, {}, {"W": ParameterSnapshot((), "float32", "C", -1, {})}))


def test_kinds_of_numbers_that_are_floats_and_ints_become_them():
    changed = copy.deepcopy(state())
    changed["shared"]["d"] = np.float64(0.1)
    changed["parameters"]["W"]["slots"]["v"] = np.float64(0.2)
    changed["parameters"]["W"]["shape"] = (2, 3)
    after = from_dict(changed)
    assert [type(x) for x in (after.shared["d"], after.parameters["W"].slots["v"])] == [float, float]
    assert after.parameters["W"].shape == (2, 3)
