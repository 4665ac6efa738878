"""What goes into a checkpoint comes out of it, to the last bit, as a dict and as a file."""

import json
import tracemalloc
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tests.checkpoint.samples import ODD_FLOATS, ODD_NAMES, assert_same, assert_same_value, odd_arrays, tiny, uniform
from thalweg.checkpoint import (
    CheckpointError,
    ParameterSnapshot,
    Snapshot,
    files,
    from_dict,
    read,
    tensors,
    to_dict,
    write,
)

# tiny() as format 1 has it. If this test fails, files that people have cannot be read any more.
GOLDEN = Path(__file__).parent / "format-1.safetensors"


@pytest.fixture(params=["dict", "file"])
def again(request, tmp_path):
    """Save and load."""

    def through_file(snapshot):
        write(tmp_path / "c", snapshot)
        return read(tmp_path / "c")

    return through_file if request.param == "file" else lambda snapshot: from_dict(to_dict(snapshot))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_state_of_every_layout(again, dtype, order):
    slots = odd_arrays(dtype) | {f"number {i}": x for i, x in enumerate(ODD_FLOATS)}
    before = Snapshot({}, {"t": 1}, {}, {"W": ParameterSnapshot((4, 6), "float16", order, 7, slots)})
    after = again(before)
    assert_same(before, after)
    for name, array in after.parameters["W"].slots.items():
        if isinstance(array, np.ndarray):
            assert array.flags.c_contiguous if order == "C" else array.flags.f_contiguous, name
            assert array.flags.writeable
            assert array.base is None or array.flags.owndata or array.base.nbytes == array.nbytes


@pytest.mark.parametrize(
    "dtype", [np.float16, np.float32, np.float64, ml_dtypes.bfloat16], ids=lambda d: np.dtype(d).name
)
def test_arrays_of_every_layout_and_dtype(again, dtype):
    before = Snapshot({}, {}, {}, {}, odd_arrays(dtype))
    after = again(before)
    assert_same(before, after)
    for name in ("C", "F", "cube F"):
        assert after.arrays[name].strides == before.arrays[name].strides, name
    assert all(array.flags.writeable for array in after.arrays.values())


def test_numbers_of_every_kind(again):
    made = {"rule": "adam", "none": None, "yes": True, "no": False, "int": -(2**70), "float": -0.0, "least": 5e-324}
    made |= {"third": 1 / 3, "list": [1, [2.0, {"k": []}], {}], "schedule": {"kind": "cosine", "steps": 100}}
    made |= {name: name for name in ODD_NAMES}
    counts = {"t": 0, "skipped": 2**24 + 1, "big": 2**63, "huge": 2**4096 - 1}
    shared = {f"{i}": x for i, x in enumerate(ODD_FLOATS)}
    assert_same(again(Snapshot(made, counts, shared, {})), Snapshot(made, counts, shared, {}))


def test_names_of_every_kind(again):
    slots = {name: np.full(3, i, np.float64) for i, name in enumerate(ODD_NAMES)}
    parameters = {name: ParameterSnapshot((), "bfloat16", "C", i, slots) for i, name in enumerate(ODD_NAMES)}
    numbers = {name: float(i) for i, name in enumerate(ODD_NAMES)}
    before = Snapshot({}, {name: i for i, name in enumerate(ODD_NAMES)}, numbers, parameters, slots)
    assert_same(before, again(before))


def test_nothing_at_all(again):
    assert_same(again(Snapshot({}, {}, {}, {})), Snapshot({}, {}, {}, {}))


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(ODD_NAMES)
floats = st.floats(width=64) | st.sampled_from(ODD_FLOATS)
shapes = npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3)
arrays = st.sampled_from([np.float32, np.float64]).flatmap(lambda dtype: npst.arrays(dtype, shapes))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
parameters = st.builds(
    ParameterSnapshot,
    shape=shapes,
    dtype=st.sampled_from(["float16", "bfloat16", "float32", "float64"]),
    order=st.sampled_from("CF"),
    missed=st.integers(0, 2**200),
    slots=st.dictionaries(names, floats | arrays, max_size=3),
)
snapshots = st.builds(
    Snapshot,
    made=st.dictionaries(names, json_values, max_size=3),
    counts=st.dictionaries(names, st.integers(0, 2**200), max_size=3),
    shared=st.dictionaries(names, floats, max_size=3),
    parameters=st.dictionaries(names, parameters, max_size=3),
    arrays=st.dictionaries(names, arrays, max_size=3),
)


@given(before=snapshots)
@settings(max_examples=100, deadline=None)
def test_any_snapshot(tmp_path_factory, before):
    path = tmp_path_factory.getbasetemp() / "any"
    write(path, before)
    assert_same(before, read(path))
    assert_same(before, from_dict(to_dict(before)))


def test_a_dict_holds_what_json_and_arrays_can_say(tmp_path):
    """So that it can go into a checkpoint of the caller's own."""
    before = tiny()
    state = to_dict(before)
    state["parameters"]["W"]["slots"]["m"] = None
    assert json.loads(json.dumps(state)) == state
    assert state["format"] == 1


def test_nothing_is_shared_with_what_was_saved():
    before = Snapshot(
        {"list": [1]}, {}, {}, {"W": ParameterSnapshot((), "float32", "C", 0, {"m": np.zeros(2)})}, {"W": np.zeros(2)}
    )
    state = to_dict(before)
    after = from_dict(state)
    for values in (before.arrays, state["arrays"], before.parameters["W"].slots, state["parameters"]["W"]["slots"]):
        for array in values.values():
            array[:] = 1
    before.made["list"].append(2)
    state["made"]["list"].append(3)
    assert after.made == {"list": [1]}
    assert not after.arrays["W"].any()
    assert not after.parameters["W"].slots["m"].any()


def test_another_reader_finds_the_same(tmp_path):
    library = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    before = Snapshot(
        {},
        {},
        {"d": 0.25},
        {"a/b": ParameterSnapshot((4, 6), "float64", "F", 0, odd_arrays(np.float64))},
        odd_arrays(np.float32),
    )
    write(tmp_path / "c.safetensors", before)
    found = library.load_file(tmp_path / "c.safetensors")
    for name, array in before.parameters["a/b"].slots.items():
        assert_same_value(found.pop(f"parameters/a~1b/{name}"), array, name)
    for name, array in before.arrays.items():
        assert_same_value(found.pop(f"arrays/{name}"), array, name)
    assert found == {"shared/d": 0.25}


def test_files_of_format_1_can_be_read():
    assert_same(read(GOLDEN), tiny())


def test_the_same_snapshot_gives_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "__version__", "0.1.0")
    write(tmp_path / "c", tiny())
    assert (tmp_path / "c").read_bytes() == GOLDEN.read_bytes()


def test_paths_of_every_kind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    long = "n" * 255
    for path in ("plain", Path("p"), b"bytes", Path("ü λ.safetensors"), "-dash", ".hidden", "a.tmp-1-00", long):
        write(path, tiny())
        assert_same(read(path), tiny())
    assert len(list(tmp_path.iterdir())) == 8


def test_loading_needs_hardly_more_memory_than_the_file(tmp_path):
    write(tmp_path / "c", uniform(1, 2**20))
    size = (tmp_path / "c").stat().st_size
    tracemalloc.start()
    try:
        read(tmp_path / "c")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        write(tmp_path / "c", uniform(1, 2**10))
    finally:
        tracemalloc.stop()
    assert peak < 1.1 * size + 100_000


def test_saving_needs_memory_for_one_piece_only(tmp_path):
    snapshot = uniform(1, 2**22)
    tracemalloc.start()
    try:
        write(tmp_path / "c", snapshot)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0.5 * (tmp_path / "c").stat().st_size


def test_a_file_is_whole_even_if_an_array_changes_while_it_is_saved(tmp_path, monkeypatch):
    snapshot = uniform(1)

    def meddling(handle, data, write_all=tensors.write_all):
        snapshot.arrays["W"][:] += 1
        write_all(handle, data)

    monkeypatch.setattr(tensors, "write_all", meddling)
    monkeypatch.setattr(tensors, "_CHUNK", 1000)
    write(tmp_path / "c", snapshot)
    read(tmp_path / "c")


@pytest.mark.parametrize("bad", ["\ud800", "a\udc80", "\ud83d\ude00"])
def test_a_name_that_no_file_can_hold_is_refused(tmp_path, bad):
    with pytest.raises(CheckpointError, match="surrogate"):
        write(tmp_path / "c", Snapshot({}, {}, {bad: 1.0}, {}))
    with pytest.raises(CheckpointError, match="surrogate"):
        to_dict(Snapshot({"names": [bad]}, {}, {}, {}))
    assert not list(tmp_path.iterdir())


def test_names_that_are_too_long_for_a_file_are_refused(tmp_path, monkeypatch):
    write(tmp_path / "c", tiny())
    monkeypatch.setattr(tensors, "_LARGEST_HEADER", 10_000)
    with pytest.raises(CheckpointError, match="use shorter names"):
        write(tmp_path / "c", Snapshot({"text": "x" * 10_000}, {}, {}, {}))
    assert_same(read(tmp_path / "c"), tiny())
    assert [one.name for one in tmp_path.iterdir()] == ["c"]
