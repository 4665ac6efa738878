"""The store: one JSON file per run, written once, named by the hash of all that decides its result.

The file system is the database. Looking for a file is resuming, copying a file is merging, and two processes that
finish the same run agree that the first file stays. What is read is checked before it is believed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NoReturn, TypedDict

from thalweg.lab.study import FORMAT, record_key

CURVES = ("train_loss", "train_metric", "val_loss", "val_metric", "test_loss", "test_metric")
"""What is measured before training and after every epoch, besides the number of the epoch itself."""

_KEY = re.compile(r"[0-9a-f]{32}")
_TEMPORARY = re.compile(r"\.[\w.]+\.tmp-(?P<pid>\d+)-[0-9a-f]+")
_STALE_SECONDS = 3600
_LARGEST = 4 * 2**20  # a record of 10,000 epochs is about 1 MB; what is larger is something else and is not read


class DivergedAt(TypedDict):
    """Where and why a run was stopped."""

    epoch: int
    step: int
    reason: str


class Record(TypedDict):
    """What is known of one run. `curve` maps "epoch" (0 is before training) and `CURVES` to lists of one length."""

    format: int
    key: str
    problem: str
    problem_config: dict[str, Any]
    rule: str
    title: str
    convention: str
    rule_digest: str
    hyperparams: dict[str, float]
    tuned: list[str]
    lr: float
    seed: int
    epochs: int
    steps_per_epoch: int
    version: str
    status: Literal["ok", "diverged"]
    diverged_at: DivergedAt | None
    curve: dict[str, list[Any]]
    seconds: dict[str, float]
    finished: str
    machine: dict[str, Any]


class DamagedRecordError(ValueError):
    """A file that stands where a record should stand, and is none."""


class Store:
    """The folder of a comparison: records, and beside them what was declared and measured.

    Nothing is created before something is written.

    Args:
        root: the folder, for example "thalweg-compare".
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)
        self.records = self.root / "records"

    def path(self, key: str) -> Path:
        """Where the record of this key is. ValueError if `key` is not 32 hex digits: only keys become paths."""
        if not _KEY.fullmatch(key):
            raise ValueError(f"A record's key is 32 hex digits, not {key!r}.")
        return self.records / f"{key}.json"

    def prepare(self) -> None:
        """Make the folders. OSError if the file system refuses."""
        self.records.mkdir(parents=True, exist_ok=True)

    def read(self, key: str) -> Record | None:
        """The record of this key, or None where there is none.

        Raises:
            DamagedRecordError: the file is there, but is not the record of this key; the message says what is wrong.
        """
        path = self.path(key)
        try:
            with path.open("rb") as file:
                data = file.read(_LARGEST + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DamagedRecordError(f"{path}: {error.strerror}") from error
        try:
            value = parse_json(data)
            digest = value.pop("sha256", None) if isinstance(value, dict) else None
            record = check_record(value, key)
            _require(digest == _digest(record), "its contents are not those that were written")
        except ValueError as error:
            raise DamagedRecordError(f"{path}: {error}") from error
        return record

    def read_all(self, keys: Iterable[str], damaged: Callable[[str], None]) -> dict[str, Record]:
        """The records of those keys that have one. For each damaged file `damaged` is called with what is wrong."""
        found = {}
        for key in keys:
            try:
                record = self.read(key)
            except DamagedRecordError as error:
                damaged(str(error))
            else:
                if record is not None:
                    found[key] = record
        return found

    def write(self, record: Record) -> bool:
        """Write a record unless there is one already; whether this one now stands there.

        The file appears complete or not at all, and the first writer wins. Only a damaged file is replaced.

        Raises:
            ValueError: it is not a record.
            OSError: the file system refuses.
        """
        check_record(record, record["key"])
        path = self.path(record["key"])
        with _temporary(path, {**record, "sha256": _digest(record)}) as temporary:
            try:
                _link(temporary, path)
            except FileExistsError:
                with contextlib.suppress(DamagedRecordError):
                    if self.read(record["key"]) is not None:
                        return False
                os.replace(temporary, path)
        return True

    def write_json(self, name: Literal["study.json", "timing.json"], value: Mapping[str, Any]) -> None:
        """Write `value` beside the records, in place of what was there, in one step."""
        path = self.root / name
        with _temporary(path, value) as temporary:
            os.replace(temporary, path)

    def read_json(self, name: Literal["study.json", "timing.json"]) -> dict[str, Any] | None:
        """The JSON object of that name, or None where there is none that can be read."""
        try:
            value = parse_json((self.root / name).read_bytes())
        except (OSError, ValueError):
            return None
        return value if isinstance(value, dict) else None

    def sweep(self, pids: Iterable[int] = ()) -> None:
        """Remove temporary files of those processes, which have ended, and of any that is an hour old."""
        ended = set(pids)
        for folder in (self.root, self.records):
            with contextlib.suppress(OSError):
                for path in folder.iterdir():
                    match = _TEMPORARY.fullmatch(path.name)
                    if match and (int(match["pid"]) in ended or time.time() - path.stat().st_mtime > _STALE_SECONDS):
                        path.unlink(missing_ok=True)


def _digest(record: Record) -> str:
    """SHA-256, in hex, of all that a record says; it stands in the file beside it."""
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@contextlib.contextmanager
def _temporary(path: Path, value: Mapping[str, Any]) -> Iterator[Path]:
    """`value` as JSON in a file beside `path` that is complete, on the disk, and gone in the end."""
    data = json.dumps(value, allow_nan=False, indent=1).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _link(temporary: Path, path: Path) -> None:
    """Give the file its name, or raise FileExistsError: one atomic step where the file system has hard links."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        # Some file systems (FAT, some network shares) have no hard links. Then the last of two writers that finish the
        # same run in the same instant wins; both have the same result.
        if path.exists():
            raise FileExistsError(path) from None
        os.replace(temporary, path)


def parse_json(data: bytes) -> Any:
    """JSON as the standard has it: no NaN or Infinity, no key twice, UTF-8. ValueError for anything else."""
    if len(data) > _LARGEST:
        raise ValueError(f"it is larger than {_LARGEST} bytes")
    try:
        return json.loads(data.decode(), parse_constant=_refuse_constant, object_pairs_hook=_refuse_duplicates)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON ({error})") from error
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"it contains {name}, which is not JSON")


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("it has a key twice")
    return values


def check_record(value: Any, key: str) -> Record:
    """`value` if it is a complete record of that key; ValueError that says what is wrong otherwise."""
    _require(isinstance(value, dict), "it is not a JSON object")
    _require(value.get("format") == FORMAT, f"its format is {value.get('format')!r}, not {FORMAT}")
    for name, kind in _FIELDS.items():
        _require(isinstance(value.get(name), kind), f"{name!r} is missing or of the wrong kind")
    _require(value["key"] == key, f"it says that its key is {value['key']!r}")
    _require(all(_finite(number) for number in value["hyperparams"].values()), "a hyper-parameter is not a number")
    _require(record_key(value) == key, "its contents belong to another key")
    _require(value["lr"] == value["hyperparams"].get("lr"), "'lr' is not the learning rate among its hyper-parameters")
    _require(all(_finite(number) and number >= 0 for number in value["seconds"].values()), "'seconds' has no durations")
    _check_curve(value)
    return value  # type: ignore[no-any-return]  # it has just been looked at, field by field


_FIELDS: dict[str, type | tuple[type, ...]] = {
    "key": str,
    "problem": str,
    "problem_config": dict,
    "rule": str,
    "title": str,
    "convention": str,
    "rule_digest": str,
    "hyperparams": dict,
    "tuned": list,
    "lr": (int, float),
    "seed": int,
    "epochs": int,
    "steps_per_epoch": int,
    "version": str,
    "status": str,
    "curve": dict,
    "seconds": dict,
    "finished": str,
    "machine": dict,
}


def _check_curve(value: dict[str, Any]) -> None:
    curve, status, where = value["curve"], value["status"], value.get("diverged_at")
    for name in ("epoch", *CURVES):
        _require(isinstance(curve.get(name), list), f"its curve has no {name!r}")
    epochs = curve["epoch"]
    _require(epochs == list(range(len(epochs))), "the epochs of its curve are not 0, 1, 2, ...")
    for name in CURVES:
        _require(len(curve[name]) == len(epochs), f"{name!r} and 'epoch' differ in length")
        _require(all(y is None or _finite(y) for y in curve[name]), f"{name!r} has something that is not a number")
    if status == "ok":
        _require(where is None, "it is ok and has diverged")
        _require(len(epochs) == value["epochs"] + 1, f"its curve has {len(epochs)} points for {value['epochs']} epochs")
        for name in ("val_metric", "test_metric"):
            _require(_finite(curve[name][-1]), "it is ok and has no result")
    else:
        _require(status == "diverged", f"its status is {status!r}, not 'ok' or 'diverged'")
        _require(isinstance(where, dict) and set(where) == {"epoch", "step", "reason"}, "'diverged_at' is incomplete")


def _finite(value: Any) -> bool:
    # By comparison, since an integer of a thousand digits has no float to ask.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _require(fact: bool, otherwise: str) -> None:
    if not fact:
        raise ValueError(otherwise)
