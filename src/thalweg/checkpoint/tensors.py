"""Named arrays and strings as one file in the safetensors format, which other libraries read too.

    8 bytes     size of the header, little-endian
    header      JSON, {"__metadata__": {name: string}, tensor: {"dtype", "shape", "data_offsets"}, ...}, and blanks
    tensors     little-endian, in C order, in the order of the header, without gaps

Ours begins with the version of what is in it and the SHA-256 of size and header, taken with zeros in its own place, and
has in `crc32` one checksum a tensor, in their order.

The format is written and read here and not by the library of that name: it wants the whole of a file in memory, takes
addresses without looking at the layout behind them (safetensors/safetensors#825), and knows no checksums. In the tests
it is the witness.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import stat
import zlib
from collections.abc import Iterator, Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from thalweg.checkpoint.atomic import replace_file, write_all
from thalweg.checkpoint.checks import CheckpointError, below, count, exact_keys, mapping, one_of, refuse, shown, text
from thalweg.checkpoint.snapshot import FORMAT, check_format, dtype_of

Arrays = Mapping[str, NDArray[Any]]

_CODES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_CODE_OF = {name: code for code, name in _CODES.items()}
_LARGEST_HEADER = 100_000_000  # bytes; other readers of the format refuse more
_CHUNK = 2**22  # bytes
_START = re.compile(rb'\{"__metadata__":\{"thalweg":"([1-9][0-9]{0,8})","sha256":"([0-9a-f]{64})"')
_FIRST = ("thalweg", "sha256", "crc32")
_DAMAGED = "the file is damaged: take an older one"


class _Tensor(NamedTuple):
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    crc: int


def write_tensors(path: str | os.PathLike[str], tensors: Arrays, metadata: Mapping[str, str]) -> None:
    """Replace the file at `path` as a whole (see `replace_file`).

    Args:
        path: the file; its folder has to exist.
        tensors: by name; float64, float32, float16 or bfloat16, of any layout.
        metadata: by name, beside those that every file has.

    Raises:
        CheckpointError: names and metadata are too long for the format.
        OSError: the file system refuses.
    """
    tensors = dict(sorted(tensors.items(), key=lambda pair: (-pair[1].itemsize, pair[0])))  # so that each is aligned
    blank = _header(tensors, metadata, [0] * len(tensors))

    def fill(handle: int) -> None:
        # The sums are those of the bytes as they were written, even if somebody steps on an array meanwhile; so they
        # are known last, and the header, whose size they do not change, is written twice.
        write_all(handle, blank)
        sums = []
        for array in tensors.values():
            crc = 0
            for chunk in _chunks(array):
                crc = zlib.crc32(chunk, crc)
                write_all(handle, chunk)
            sums.append(crc)
        os.lseek(handle, 0, os.SEEK_SET)
        write_all(handle, _header(tensors, metadata, sums))

    replace_file(path, fill)


def read_tensors(path: str | os.PathLike[str], keys: Sequence[str]) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Return the tensors of a file, as new arrays in C order, and its metadata under these keys, which are all it has.

    Every size is checked against that of the file before memory is asked for, every byte against a checksum.

    Raises:
        CheckpointError: the file is damaged, or is no checkpoint, or one of another format.
        OSError: it cannot be read.
    """
    place = Path(path)
    if not stat.S_ISREG(place.stat().st_mode) and not place.is_dir():
        raise CheckpointError("this is a device or a pipe, and no file")  # opening a pipe would wait for its writer
    with place.open("rb", buffering=0) as file:
        tensors, metadata = _read_header(file, keys)
        return {name: _read_tensor(file, name, tensor) for name, tensor in tensors.items()}, metadata


def parse_json(source: str | bytes, path: str) -> Any:
    """Return what JSON text says; CheckpointError if it is none, or says NaN, or one key twice."""
    try:
        return json.loads(source, object_pairs_hook=_without_repeats, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not what was written ({error}); {_DAMAGED}") from None


def _header(tensors: Arrays, metadata: Mapping[str, str], sums: Sequence[int]) -> bytes:
    """Return size and header, with the digest in its place."""
    first = (str(FORMAT), "0" * 64, " ".join(f"{crc:08x}" for crc in sums))
    layout: dict[str, Any] = {"__metadata__": dict(zip(_FIRST, first, strict=True)) | dict(metadata)}
    end = 0
    for name, array in tensors.items():
        begin, end = end, end + array.nbytes
        layout[name] = {"dtype": _CODE_OF[array.dtype.name], "shape": array.shape, "data_offsets": [begin, end]}
    header = json.dumps(layout, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    if len(header) > _LARGEST_HEADER:
        raise CheckpointError(
            f"names, shapes and settings take {len(header)} bytes, and a file has room for {_LARGEST_HEADER}; "
            "use shorter names"
        )
    size = len(header).to_bytes(8, "little")
    match = _START.match(header)
    assert match is not None
    return size + header[: match.start(2)] + _digest(size, header, match) + header[match.end(2) :]


def _digest(size: bytes, header: bytes, match: re.Match[bytes]) -> bytes:
    parts = (size, header[: match.start(2)], b"0" * 64, header[match.end(2) :])
    return hashlib.sha256(b"".join(parts)).hexdigest().encode()


def _chunks(array: NDArray[Any]) -> Iterator[bytes]:
    flat = _as_integers(array).reshape(-1)  # in C order, whatever the layout
    step = _CHUNK // array.itemsize
    for start in range(0, flat.size, step):
        yield flat[start : start + step].tobytes()


def _as_integers(array: NDArray[Any]) -> NDArray[Any]:
    """Return the bits of each element as a little-endian integer, without a copy on most machines."""
    return array.view(f"u{array.itemsize}").astype(f"<u{array.itemsize}", copy=False)


def _read_header(file: FileIO, keys: Sequence[str]) -> tuple[dict[str, _Tensor], dict[str, str]]:
    size = os.fstat(file.fileno()).st_size
    prefix = bytearray(8)
    _read_into(file, memoryview(prefix))
    length = int.from_bytes(prefix, "little")
    if length > min(size - 8, _LARGEST_HEADER):
        raise CheckpointError(f"this is no checkpoint, or a damaged one: its header would have {length} bytes")
    buffer = bytearray(length)
    _read_into(file, memoryview(buffer))
    header = bytes(buffer)
    match = _START.match(header)
    if match is None:
        raise CheckpointError("this is no checkpoint of thalweg's, or a damaged one")
    check_format(int(match[1]))
    if _digest(bytes(prefix), header, match) != match[2]:
        raise CheckpointError(f"the header is not what was written; {_DAMAGED}")
    layout = mapping(parse_json(header, "the header"), "the header")
    metadata = exact_keys(layout.pop("__metadata__"), "__metadata__", (*_FIRST, *keys))
    for key, value in metadata.items():
        text(value, below("__metadata__", key))
    sums = metadata["crc32"].split()
    if len(sums) != len(layout) or not all(re.fullmatch("[0-9a-f]{8}", crc) for crc in sums):
        raise refuse("crc32", metadata["crc32"], f"{len(layout)} numbers of 8 hex digits, one for each tensor")
    tensors, end = {}, 0
    for (name, entry), crc in zip(layout.items(), sums, strict=True):
        tensors[name], end = _tensor(entry, f"tensor {shown(name)}", end, int(crc, 16))
    if size != 8 + length + end:
        raise CheckpointError(f"the file has {size} bytes, and its header speaks of {8 + length + end}; {_DAMAGED}")
    return tensors, {key: metadata[key] for key in keys}


def _tensor(value: Any, path: str, begin: int, crc: int) -> tuple[_Tensor, int]:
    """Return what a header says of a tensor that has to begin at `begin`, and where it ends."""
    entry = exact_keys(value, path, ("dtype", "shape", "data_offsets"))
    dtype = dtype_of(_CODES[one_of(entry["dtype"], below(path, "dtype"), _CODES)])
    lists = {key: entry[key] for key in ("shape", "data_offsets")}
    for key, numbers in lists.items():
        if not isinstance(numbers, list):
            raise refuse(below(path, key), numbers, "a list of integers")
        for i, n in enumerate(numbers):
            count(n, below(below(path, key), i))
    end = begin + math.prod(lists["shape"]) * dtype.itemsize
    if lists["data_offsets"] != [begin, end]:
        raise refuse(below(path, "data_offsets"), lists["data_offsets"], f"[{begin}, {end}] for this shape and place")
    return _Tensor(dtype, tuple(lists["shape"]), crc), end


def _read_tensor(file: FileIO, name: str, tensor: _Tensor) -> NDArray[Any]:
    width = tensor.dtype.itemsize
    try:
        bits = np.empty(tensor.shape, f"<u{width}")
    except ValueError as error:  # more axes than an array can have, or sizes whose product overflows beside a zero
        raise refuse(
            f"tensor {shown(name)}['shape']", tensor.shape, f"a shape that an array can have ({error})"
        ) from None
    memory = bits.reshape(-1).view(np.uint8).data
    _read_into(file, memory)
    if zlib.crc32(memory) != tensor.crc:
        raise CheckpointError(f"the contents of tensor {shown(name)} are not what was written; {_DAMAGED}")
    return bits.astype(f"u{width}", copy=False).view(tensor.dtype)


def _read_into(file: FileIO, place: memoryview) -> None:
    while place:
        taken = file.readinto(place)
        if not taken:
            raise CheckpointError(f"the file ends too early; {_DAMAGED}")
        place = place[taken:]


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("one key stands there twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"JSON has no {name}")
