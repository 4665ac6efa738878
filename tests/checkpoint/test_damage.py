"""A damaged file is refused, and so is one that somebody made up with all its checksums right."""

import hashlib
import json
import os
import re
import tracemalloc
import zlib

import numpy as np
import pytest

from tests.checkpoint.samples import assert_same, tiny
from thalweg.checkpoint import CheckpointError, read, write


@pytest.fixture
def path(tmp_path):
    return tmp_path / "c.safetensors"


@pytest.fixture
def whole(path):
    write(path, tiny())
    return path.read_bytes()


def refused(path, data, match=r"c\.safetensors: "):
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=match):
        read(path)


def test_every_truncation_is_refused(path, whole):
    for size in reversed(range(len(whole))):
        os.truncate(path, size)
        with pytest.raises(CheckpointError):
            read(path)


def test_every_flip_of_a_bit_is_refused(path, whole):
    with path.open("r+b", buffering=0) as file:

        def put(i, byte):
            file.seek(i)
            file.write(bytes([byte]))

        for i, byte in enumerate(whole):
            for bit in range(8):
                put(i, byte ^ 1 << bit)
                with pytest.raises(CheckpointError):
                    read(path)
            put(i, byte)
    assert_same(read(path), tiny())


@pytest.mark.parametrize("more", [b"\0", b" ", b"\0" * 8, b"x" * 10_000])
def test_bytes_at_the_end_are_refused(path, whole, more):
    refused(path, whole + more, "bytes")


def test_two_files_mixed_are_refused(path, whole):
    """As a file system may leave them that has brought some blocks to the disk and not the others."""
    write(path, tiny(t=4))
    other = path.read_bytes()
    assert len(other) == len(whole)
    mixtures = 0
    for cut in range(len(whole)):
        mixture = whole[:cut] + other[cut:]
        if mixture not in (whole, other):
            mixtures += 1
            refused(path, mixture)
    assert mixtures > 30
    for start in range(0, len(whole) - 16, 8):
        refused(path, whole[:start] + b"\0" * 16 + whole[start + 16 :])


# Files that somebody made up ------------------------------------------------------------------------------------------


def opened(data):
    """Header and tensors of a file, the metadata's JSON read."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    metadata = header["__metadata__"]
    for key in ("made", "counts", "shared", "parameters", "arrays"):
        metadata[key] = json.loads(metadata[key])
    return header, bytearray(data[8 + size :])


def closed(header, tensors, *, edit=lambda text: text):
    """A file of these, its checksums right."""
    metadata = dict(header["__metadata__"])
    for key, value in metadata.items():
        if key in {"made", "counts", "shared", "parameters", "arrays"}:
            metadata[key] = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    if metadata.get("crc32") == "right":
        offsets = [entry["data_offsets"] for name, entry in header.items() if name != "__metadata__"]
        metadata["crc32"] = " ".join(f"{zlib.crc32(tensors[begin:end]):08x}" for begin, end in offsets)
    metadata["sha256"] = "0" * 64
    text = edit(json.dumps(header | {"__metadata__": metadata}, separators=(",", ":"))).encode()
    text += b" " * (-len(text) % 8)
    size = len(text).to_bytes(8, "little")
    digest = hashlib.sha256(size + text).hexdigest().encode()
    return size + text.replace(b"0" * 64, digest, 1) + tensors


def test_a_file_that_is_made_up_rightly_is_read(path, whole):
    path.write_bytes(closed(*opened(whole)))
    assert path.read_bytes() == whole


M = "parameters/W/m"
NESTED = "[" * 5000 + "]" * 5000
MADE_UP = {
    "no tensor": (lambda h, m: h.pop(M), "crc32 = "),
    "no tensor, and no checksum of it": (lambda h, m: (h.pop(M), m.update(crc32="right")), "the file has .* bytes"),
    "a tensor too many": (
        lambda h, m: (h.update(x={"dtype": "F32", "shape": [0], "data_offsets": [16, 16]}), m.update(crc32="right")),
        "tensor 'x' of which",
    ),
    "another name for a tensor": (
        lambda h, m: h.update({"x": h.pop(M)}),
        r"parameters\['W'\]\['slots'\]\['m'\]: there is no",
    ),
    "a tensor that is none": (lambda h, m: h.update({M: 3}), f"tensor '{M}' = 3"),
    "a tensor without shape": (lambda h, m: h[M].pop("shape"), "lacks key 'shape'"),
    "a tensor with more": (lambda h, m: h[M].update(strides=[4]), "unknown key 'strides'"),
    "integers": (lambda h, m: h[M].update(dtype="I32"), r"\['dtype'\] = 'I32'"),
    "no dtype": (lambda h, m: h[M].update(dtype=None), r"\['dtype'\] = None"),
    "half precision": (
        lambda h, m: h[M].update(dtype="F16", shape=[4]),
        r"\['slots'\]\['m'\] is an array of dtype\('float16'\)",
    ),
    "a gap": (lambda h, m: h[M].update(data_offsets=[9, 17]), r"\['data_offsets'\] = \[9, 17\]"),
    "an overlap": (lambda h, m: h[M].update(data_offsets=[0, 8]), r"\['data_offsets'\] = \[0, 8\]"),
    "backwards": (lambda h, m: h[M].update(data_offsets=[16, 8]), r"\['data_offsets'\]"),
    "negative offsets": (lambda h, m: h[M].update(data_offsets=[8, -16]), r"\['data_offsets'\]\[1\] = -16"),
    "offsets like floats": (lambda h, m: h[M].update(data_offsets=[8.0, 16.0]), r"\['data_offsets'\]\[0\] = 8.0"),
    "one offset": (lambda h, m: h[M].update(data_offsets=[8]), r"\['data_offsets'\] = \[8\]"),
    "another shape": (lambda h, m: h[M].update(shape=[3]), r"\['data_offsets'\]"),
    "a negative shape": (lambda h, m: h[M].update(shape=[-2, -1]), r"\['shape'\]\[0\] = -2"),
    "a true shape": (lambda h, m: h[M].update(shape=[True, 2]), r"\['shape'\]\[0\] = True"),
    "no shape": (lambda h, m: h[M].update(shape=None), r"\['shape'\] = None"),
    "a huge shape": (
        lambda h, m: h[M].update(shape=[2**50], data_offsets=[8, 8 + 2**52]),
        "the file has .* bytes, and its header speaks of 4503",
    ),
    "too many axes": (lambda h, m: h[M].update(shape=[1] * 100 + [2]), r"\['shape'\] = .*an array can have"),
    "a huge shape beside a zero": (
        lambda h, m: (
            h["shared/d"].update(shape=[0, 2**62, 2**62], data_offsets=[0, 0]),
            h[M].update(shape=[4], data_offsets=[0, 16]),
        ),
        r"\['shape'\] = .*an array can have",
    ),
    "another format": (lambda h, m: m.update(thalweg="2"), "format = 2.*upgrade thalweg"),
    "no format": (lambda h, m: m.update(thalweg="0"), "no checkpoint"),
    "checksums of nothing": (lambda h, m: m.update(crc32=""), "crc32 = ''"),
    "no checksums": (lambda h, m: m.pop("crc32"), "lacks key 'crc32'"),
    "checksums that are none": (lambda h, m: m.update(crc32="0x123456 -1234567"), "crc32 = "),
    "one checksum wrong": (lambda h, m: m.update(crc32=m["crc32"][:9] + "00000000"), f"tensor '{M}' are not"),
    "more metadata": (lambda h, m: m.update(note="x"), "unknown key 'note'"),
    "less metadata": (lambda h, m: m.pop("made"), "lacks key 'made'"),
    "metadata that is no string": (lambda h, m: m.update(version=1), r"__metadata__\['version'\] = 1"),
    "no JSON": (lambda h, m: m.update(made="{"), "made is not what was written"),
    "no dict": (lambda h, m: m.update(made="[]"), r"made = \[\]"),
    "NaN": (lambda h, m: m.update(made='{"lr":NaN}'), "JSON has no NaN"),
    "infinity": (lambda h, m: m.update(made='{"lr":-Infinity}'), "JSON has no -Infinity"),
    "infinity in digits": (lambda h, m: m.update(made='{"lr":1e999}'), r"made\['lr'\] = inf"),
    "a key twice": (lambda h, m: m.update(made='{"lr":1,"\\u006cr":2}'), "made is not .*twice"),
    "a name twice": (lambda h, m: m.update(shared=["d", "d"]), r"shared\['d'\]: there is no tensor"),
    "half a character": (lambda h, m: m.update(counts='{"\\ud800":"1"}'), "surrogate"),
    "half a character, shared": (lambda h, m: m.update(shared='["\\ud800"]'), "surrogate"),
    "nested without end": (lambda h, m: m.update(made='{"x":' + NESTED + "}"), "made is not|deep"),
    "nested deeply": (lambda h, m: m.update(made='{"x":' + NESTED[4900:5100] + "}"), "deep"),
    "digits without end": (lambda h, m: m.update(made='{"x":' + "1" * 5000 + "}"), "made is not"),
    "many digits": (lambda h, m: m.update(made='{"x":' + "1" * 1300 + "}"), r"made\['x'\] = "),
    "a negative count": (lambda h, m: m["counts"].update(t="-1"), r"counts\['t'\] = '-1'"),
    "a count with a sign": (lambda h, m: m["counts"].update(t="+1"), r"counts\['t'\] = '\+1'"),
    "a count with a zero": (lambda h, m: m["counts"].update(t="01"), r"counts\['t'\] = '01'"),
    "a count with a blank": (lambda h, m: m["counts"].update(t="1\n"), r"counts\['t'\] = "),
    "a count with underscores": (lambda h, m: m["counts"].update(t="1_0"), r"counts\['t'\] = "),
    "a count in other digits": (lambda h, m: m["counts"].update(t="٣"), r"counts\['t'\] = "),
    "a count like a float": (lambda h, m: m["counts"].update(t="1e3"), r"counts\['t'\] = "),
    "a count in JSON": (lambda h, m: m["counts"].update(t=3), r"counts\['t'\] = 3"),
    "a count without end": (lambda h, m: m["counts"].update(t="1" * 10**5), r"counts\['t'\] = "),
    "a count of many digits": (lambda h, m: m["counts"].update(t="9" * 1234), r"counts\['t'\] = "),
    "missed, negative": (lambda h, m: m["parameters"]["W"].update(missed="-1"), r"\['missed'\] = '-1'"),
    "shared, no list": (lambda h, m: m.update(shared={"d": "number"}), "shared = "),
    "shared, no name": (lambda h, m: m.update(shared=[["d"]]), "a name in shared = "),
    "no parameters": (lambda h, m: m.update(parameters=[]), "parameters = "),
    "no parameter": (lambda h, m: m["parameters"].update(W=None), r"parameters\['W'\] = None"),
    "no slots": (lambda h, m: m["parameters"]["W"].update(slots=["m"]), r"\['slots'\] = "),
    "half a parameter": (lambda h, m: m["parameters"]["W"].pop("order"), r"parameters\['W'\] lacks key 'order'"),
    "another order": (lambda h, m: m["parameters"]["W"].update(order="K"), r"\['order'\] = 'K'"),
    "another kind": (lambda h, m: m["parameters"]["W"]["slots"].update(m="pickle"), r"\['m'\] = 'pickle'"),
    "an array for a number": (lambda h, m: m["parameters"]["W"]["slots"].update(m="number"), r"\['m'\]: for a number"),
    "a slot too many": (lambda h, m: m["parameters"]["W"]["slots"].update(v="array"), r"\['v'\]: there is no tensor"),
    "arrays in no order": (lambda h, m: m.update(arrays={"W": None}), r"arrays\['W'\]"),
    "arrays, no dict": (lambda h, m: m.update(arrays=["W"]), "arrays = "),
}  # fmt: skip


@pytest.mark.parametrize("kind", MADE_UP)
def test_what_is_made_up_is_refused_by_name(path, whole, kind):
    change, message = MADE_UP[kind]
    header, tensors = opened(whole)
    change(header, header["__metadata__"])
    refused(path, closed(header, tensors), rf"(?s)c\.safetensors: .*({message})")


@pytest.mark.parametrize(
    "old, new",
    [
        ('"shared/d":', f'"{M}":'),
        ('"dtype":"F32"', '"dtype":"F32","dtype":"F32"'),
        ('"version":', '"version":"x","version":'),
        ('"shape":[2]', '"shape":[2],"sh\\u0061pe":[2]'),
    ],
)
def test_a_key_of_the_header_that_stands_there_twice_is_refused(path, whole, old, new):
    header, tensors = opened(whole)
    refused(path, closed(header, tensors, edit=lambda text: text.replace(old, new, 1)), "twice")


@pytest.mark.parametrize("size", [2**64 - 1, 2**63, 2**40, 10**8 + 1])
def test_no_memory_is_asked_for_that_the_file_does_not_have(path, whole, size):
    tracemalloc.start()
    try:
        refused(path, size.to_bytes(8, "little") + whole[8:], "its header would have")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10**6


def test_a_header_beyond_the_format_is_refused_though_the_file_has_it(path, whole):
    path.write_bytes((10**8 + 1).to_bytes(8, "little") + whole[8:])
    os.truncate(path, 2 * 10**8)
    with pytest.raises(CheckpointError, match="its header would have 100000001 bytes"):
        read(path)


def test_what_is_no_checkpoint_is_refused(path, whole):
    for data in (b"", b"\0" * 8, b"\x80\x04N.", b"PK\3\4" + bytes(100), os.urandom(1000), whole[8:]):
        refused(path, data)
    refused(path, whole[:7], "ends too early")
    text = b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  '
    refused(path, len(text).to_bytes(8, "little") + text + bytes(4), r"no checkpoint of thalweg's")


def test_a_file_of_another_library_is_refused(path):
    library = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    library.save_file({"W": np.zeros(3)}, path, {"thalweg": "1"})
    with pytest.raises(CheckpointError, match=r"no checkpoint of thalweg's"):
        read(path)


def test_where_there_is_no_file_the_system_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path / "none"))):
        read(tmp_path / "none")
    with pytest.raises(OSError, match=re.escape(str(tmp_path))):
        read(tmp_path)
    with pytest.raises(TypeError):
        read(3)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CheckpointError, match="a device or a pipe"):
        read(tmp_path / "pipe")
