"""The store: a record is written once, appears whole, and is checked before it is believed."""

from __future__ import annotations

import copy
import errno
import json
import os
import threading
import time

import pytest

from thalweg.lab.records import CURVES, DamagedRecordError, Store, check_record
from thalweg.lab.run import run
from thalweg.lab.study import Study

CONFIG, OTHER = Study.declare("ravine", ["sgd", "adam"], [0.1], 1, 3).runs()


@pytest.fixture(scope="module")
def record():
    return run(CONFIG)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "a comparison")


def names(store):
    return sorted(path.name for path in store.records.iterdir())


def test_what_is_written_is_read_again(store, record):
    assert store.read(CONFIG.key) is None
    assert not store.root.exists()  # looking makes nothing
    assert store.write(record)
    assert store.read(CONFIG.key) == record
    assert names(store) == [f"{CONFIG.key}.json"]


def test_the_first_writer_wins(store, record):
    store.write(record)
    later = record | {"finished": "2099-01-01T00:00:00Z"}
    assert not store.write(later)
    assert store.read(CONFIG.key) == record
    assert names(store) == [f"{CONFIG.key}.json"]


def test_of_many_writers_at_once_one_wins_and_nothing_is_left_over(store, record):
    gate = threading.Barrier(8)
    won = []

    def write(number):
        mine = record | {"finished": str(number)}
        gate.wait()
        if store.write(mine):
            won.append(mine)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [store.read(CONFIG.key)]
    assert names(store) == [f"{CONFIG.key}.json"]


def test_a_file_system_without_hard_links_works_too(store, record, monkeypatch):
    def refuse(*paths):
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    assert store.write(record)
    assert not store.write(record | {"finished": "later"})
    assert store.read(CONFIG.key) == record
    assert names(store) == [f"{CONFIG.key}.json"]


def test_a_writer_that_fails_leaves_nothing(store, record, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "the disk is full")

    store.prepare()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="full"):
        store.write(record)
    assert names(store) == []


def test_what_is_no_record_is_not_written(store, record):
    with pytest.raises(ValueError, match="another key"):
        store.write(record | {"seed": 7})
    assert not store.root.exists()


@pytest.mark.parametrize("key", ["../../etc/passwd", "", "A" * 32, "0" * 31, "0" * 33, f"{'0' * 32}\n", "0" * 31 + "/"])
def test_only_keys_become_paths(store, key):
    with pytest.raises(ValueError, match="32 hex digits"):
        store.read(key)


def without(name):
    return lambda record: record.pop(name)


def setting(*path, to):
    def change(record):
        for name in path[:-1]:
            record = record[name]
        record[path[-1]] = to

    return change


DAMAGE = {
    "another format": (setting("format", to=2), "format is 2, not 1"),
    "another key": (setting("key", to=OTHER.key), "says that its key is"),
    "contents of another run": (setting("seed", to=5), "belong to another key"),
    "a seed that is true": (setting("epochs", to=True), "belong to another key"),
    "another rate": (setting("lr", to=0.2), "not the learning rate among its hyper-parameters"),
    "a hyper-parameter that is text": (setting("hyperparams", "lr", to="0.1"), "a hyper-parameter is not a number"),
    "no hyper-parameters": (setting("hyperparams", to=None), "'hyperparams' is missing or of the wrong kind"),
    "a curve too short": (lambda record: [curve.pop() for curve in record["curve"].values()], "3 points for 3 epochs"),
    "curves of several lengths": (lambda record: record["curve"]["val_loss"].pop(), "differ in length"),
    "a curve of texts": (setting("curve", "val_loss", 0, to="low"), "something that is not a number"),
    "a curve with a huge integer": (setting("curve", "val_loss", 0, to=10**400), "something that is not a number"),
    "epochs in disorder": (lambda record: record["curve"]["epoch"].reverse(), "not 0, 1, 2"),
    "no result": (setting("curve", "val_metric", -1, to=None), "has no result"),
    "an unknown status": (setting("status", to="fine"), "status is 'fine'"),
    "diverged nowhere": (setting("status", to="diverged"), "'diverged_at' is incomplete"),
    "ok and diverged": (setting("diverged_at", to={"epoch": 1, "step": 1, "reason": "x"}), "it is ok and has diverged"),
    "times before time": (setting("seconds", "total", to=-1.0), "'seconds' has no durations"),
    **{f"no {name}": (without(name), f"{name!r} is missing") for name in ("rule", "curve", "machine", "status")},
    **{f"no {name} curve": (lambda record, name=name: record["curve"].pop(name), f"no {name!r}") for name in CURVES},
}


@pytest.mark.parametrize("damage, message", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_record_is_named_and_not_believed(store, record, damage, message):
    damaged = copy.deepcopy(record)
    damage(damaged)
    with pytest.raises(ValueError, match=message):
        check_record(damaged, CONFIG.key)
    store.prepare()
    store.path(CONFIG.key).write_text(json.dumps(damaged), encoding="utf-8")
    with pytest.raises(DamagedRecordError, match=CONFIG.key):
        store.read(CONFIG.key)


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "not JSON"),
        (b'{"format": 1', "not JSON"),
        (b"\xff\xfe\x00", "decode"),
        (b"[1, 2]", "not a JSON object"),
        (b'{"format": NaN}', "contains NaN"),
        (b'{"format": 1, "format": 1}', "a key twice"),
        (b"[" * 100_000, "nested too deeply|not JSON"),
        (b" " * (5 * 2**20), "larger than"),
    ],
)
def test_a_file_that_is_no_json_is_named_and_not_believed(store, data, message):
    store.prepare()
    store.path(CONFIG.key).write_bytes(data)
    with pytest.raises(DamagedRecordError, match=message):
        store.read(CONFIG.key)


def test_a_folder_in_the_place_of_a_record_is_named(store):
    store.path(CONFIG.key).mkdir(parents=True)
    with pytest.raises(DamagedRecordError, match=CONFIG.key):
        store.read(CONFIG.key)


def test_reading_all_goes_on_past_the_damaged(store, record):
    store.write(record)
    store.path(OTHER.key).write_text("half a rec")
    said = []
    assert store.read_all([OTHER.key, CONFIG.key, "0" * 32], said.append) == {CONFIG.key: record}
    assert len(said) == 1
    assert OTHER.key in said[0]


def test_a_result_that_was_changed_is_not_believed(store, record):
    """Well-formed, of the right key, and still not what was written."""
    store.write(record)
    path = store.path(CONFIG.key)
    text = path.read_text()
    value = json.loads(text)
    for change in ({"title": "Other"}, {"curve": record["curve"] | {"test_metric": [5.0] * 4}}, {"sha256": None}):
        path.write_text(json.dumps(value | change))
        with pytest.raises(DamagedRecordError, match="not those that were written"):
            store.read(CONFIG.key)
    path.write_text(text)
    assert store.read(CONFIG.key) == record


def test_a_damaged_record_is_replaced_by_the_next_writer(store, record):
    store.prepare()
    store.path(CONFIG.key).write_text("half a rec")
    assert store.write(record)
    assert store.read(CONFIG.key) == record
    assert names(store) == [f"{CONFIG.key}.json"]


def test_other_files_are_written_whole_and_anew(store):
    store.write_json("timing.json", {"adam": 1})
    store.write_json("timing.json", {"adam": 2})
    assert store.read_json("timing.json") == {"adam": 2}
    assert sorted(path.name for path in store.root.iterdir()) == ["timing.json"]
    (store.root / "timing.json").write_text("{")
    assert store.read_json("timing.json") is None
    assert store.read_json("study.json") is None


def test_sweeping_takes_temporary_files_of_the_dead_and_of_long_ago_only(store):
    store.prepare()
    key = "0" * 32
    dead, alive, old = (store.records / f".{key}.json.tmp-{pid}-{pid:08x}" for pid in (111, 222, 333))
    kept = [store.path(key), store.records / "notes.tmp-111-00", store.records / ".hidden"]
    for path in (dead, alive, old, *kept):
        path.write_text("x")
    hours_ago = time.time() - 7200
    for path in (old, *kept):
        os.utime(path, (hours_ago, hours_ago))
    store.sweep([111])
    assert names(store) == sorted(path.name for path in (alive, *kept))
