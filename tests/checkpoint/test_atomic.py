"""Whatever fails while a file is replaced, the old contents or the new are there, whole, and nothing beside them."""

import contextlib
import errno
import itertools
import os
import re
import stat
import subprocess
import sys
import threading
import time

import pytest

from tests.checkpoint.samples import number_of, uniform
from thalweg.checkpoint import CheckpointError, Snapshot, atomic, read, write

FILE_CALLS = ("open", "write", "lseek", "fsync", "close", "replace", "stat", "lstat", "readlink", "scandir", "unlink")
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such thing")
OLD, NEW = 1, 2


class FailingSystem:
    """The system's calls on files, in which the one numbered `at` fails, and all later ones if `for_good`.

    error: a number of `errno`, or "half" or "nothing" for a write that takes less than it was given.
    """

    def __init__(self, monkeypatch, at, error, *, for_good=False):
        self.at, self.error, self.for_good = at, error, for_good
        self.calls = []
        self.failed = []
        for name in FILE_CALLS:
            monkeypatch.setattr(os, name, self._wrapped(name, getattr(os, name)))

    def _wrapped(self, name, call):
        def wrapped(*args, **kwargs):
            index = len(self.calls)
            self.calls.append(name)
            if index != self.at and not (self.for_good and index > self.at):
                return call(*args, **kwargs)
            self.failed.append((name, args))
            if isinstance(self.error, str):
                return call(args[0], args[1][: len(args[1]) // 2 if self.error == "half" else 0])
            if name == "close":  # the descriptor is gone, and what it stood for may be lost
                call(*args, **kwargs)
            raise OSError(self.error, os.strerror(self.error))

        return wrapped


def save_failing(path, at, error, **how):
    """Try to save NEW in the place of OLD; return what failed, and the OSError or None."""
    with pytest.MonkeyPatch.context() as patch:
        system = FailingSystem(patch, at, error, **how)
        try:
            write(path, uniform(NEW, 5))
        except OSError as raised:
            return system, raised
        return system, None


def calls_of_a_save(path):
    system, raised = save_failing(path, 10**9, errno.EIO)
    assert raised is None
    return system.calls


@pytest.fixture
def path(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    write(folder / "c", uniform(OLD, 5))
    return folder / "c"


def names_beside(path):
    return sorted(one.name for one in path.parent.iterdir())


@pytest.mark.parametrize("error", ["EIO", "ENOSPC", "EDQUOT", "EROFS", "EACCES", "EINTR", "EINVAL"])
def test_a_call_that_fails_leaves_the_old_file(path, error):
    calls = calls_of_a_save(path)
    assert {"open", "write", "lseek", "fsync", "close", "replace"} <= set(calls)
    refused = 0
    for at in range(len(calls)):
        write(path, uniform(OLD, 5))
        system, raised = save_failing(path, at, getattr(errno, error))
        assert len(system.failed) == 1
        name, args = system.failed[0]
        found = number_of(read(path))
        assert names_beside(path) == ["c"], (at, name)
        if raised is None:  # what failed does not matter to this file: looking for litter, closing a folder
            assert found == NEW, (at, name)
            assert name in {"open", "fsync", "close", "stat", "lstat", "readlink", "scandir"}, (at, name, args)
        elif found == NEW:
            assert name == "fsync", (at, name)
            assert "the new file is in place, and whole" in str(raised)
        else:
            refused += 1
            assert found == OLD
    assert refused >= 8  # the temporary file: open, write (4), lseek, fsync, close, replace


def test_the_message_says_what_is_in_place(path):
    calls = calls_of_a_save(path)
    write(path, uniform(OLD, 5))
    _, raised = save_failing(path, calls.index("write"), errno.ENOSPC)
    assert raised.errno == errno.ENOSPC
    assert raised.filename == str(path)
    assert re.search("No space left on device: nothing is saved, and what was there is as it was", str(raised))


def test_of_two_faults_the_first_is_told(path, monkeypatch):
    def failing(code):
        def call(*_):
            raise OSError(code, os.strerror(code))

        return call

    monkeypatch.setattr(os, "write", failing(errno.ENOSPC))
    monkeypatch.setattr(os, "close", failing(errno.EIO))
    with pytest.raises(OSError, match="No space left"):
        write(path, uniform(NEW, 5))
    assert names_beside(path) == ["c"]


@POSIX
def test_a_link_in_the_place_of_the_temporary_file_is_not_followed(path, monkeypatch):
    monkeypatch.setattr(atomic.secrets, "token_hex", lambda n: "00" * n)
    path.with_name("other").write_bytes(b"other")
    path.with_name(f".c.tmp-{os.getpid()}-{atomic._world()}00000000").symlink_to("other")
    with pytest.raises(FileExistsError, match="nothing is saved"):
        write(path, uniform(NEW, 5))
    assert path.with_name("other").read_bytes() == b"other"
    assert number_of(read(path)) == OLD


def test_a_disk_that_is_gone_for_good_leaves_the_old_file(path):
    """The temporary file cannot be removed then; the next save does."""
    litter = 0
    for at in range(len(calls_of_a_save(path))):
        write(path, uniform(OLD, 5))
        assert names_beside(path) == ["c"]
        system, _ = save_failing(path, at, errno.EIO, for_good=True)
        litter += len(names_beside(path)) > 1
        assert number_of(read(path)) == (NEW if "replace" in system.calls[:at] else OLD)
    assert litter > 3


@pytest.mark.parametrize("error", ["half", "nothing"])
def test_writes_that_take_less_than_they_are_given(path, error):
    calls = calls_of_a_save(path)
    for at in [i for i, name in enumerate(calls) if name == "write"]:
        write(path, uniform(OLD, 5))
        _, raised = save_failing(path, at, error)
        assert (raised is None) == (error == "half")
        assert number_of(read(path)) == (NEW if error == "half" else OLD)
        assert names_beside(path) == ["c"]


def test_writes_that_take_a_byte_at_a_time(path, monkeypatch):
    monkeypatch.setattr(os, "write", lambda handle, data, call=os.write: call(handle, data[:1]))
    write(path, uniform(NEW, 5))
    assert number_of(read(path)) == NEW


def interrupted_at(call, nth):
    count = itertools.count()

    def interrupted(*args):
        if next(count) == nth:
            raise KeyboardInterrupt
        return call(*args)

    return interrupted


@pytest.mark.parametrize("name", ["open", "write", "lseek", "fsync", "close", "replace"])
def test_ctrl_c_at_any_call(path, monkeypatch, name):
    calls = calls_of_a_save(path)
    for nth in range(calls.count(name)):
        write(path, uniform(OLD, 5))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, name, interrupted_at(getattr(os, name), nth))
            with contextlib.suppress(KeyboardInterrupt):
                write(path, uniform(NEW, 5))
        assert number_of(read(path)) in {OLD, NEW}
        assert names_beside(path) == ["c"]


def test_the_order_of_the_protocol(path):
    calls = [name for name in calls_of_a_save(path) if name in {"write", "fsync", "close", "replace"}]
    writes = calls.count("write")
    folder = [] if sys.platform == "win32" else ["fsync", "close"]
    assert calls == ["write"] * writes + ["fsync", "close", "replace", *folder]


@pytest.mark.parametrize("error", ["EINVAL", "ENOTSUP"])
def test_a_file_system_that_cannot_sync_folders_is_good_enough(path, monkeypatch, error):
    def fsync(handle, call=os.fsync):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(getattr(errno, error), "cannot")
        call(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    write(path, uniform(NEW, 5))
    assert number_of(read(path)) == NEW


def test_a_snapshot_that_is_refused_leaves_the_old_file(path):
    with pytest.raises(CheckpointError):
        write(path, Snapshot({}, {"t": -1}, {}, {}))
    assert number_of(read(path)) == OLD
    assert names_beside(path) == ["c"]


# Where it is written ------------------------------------------------------------------------------------------------


def test_a_folder_that_does_not_exist_is_refused_and_not_made(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such folder to save in; make it first: .*none"):
        write(tmp_path / "none" / "c", uniform(NEW, 5))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", "folder", "folder/", "new/", "."])
def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path, monkeypatch, name):
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(IsADirectoryError, match="name a file in it"):
        write(name, uniform(NEW, 5))
    assert [one.name for one in tmp_path.rglob("*")] == ["folder"]


@POSIX
def test_a_device_or_pipe_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="a device or a pipe"):
        write(tmp_path / "pipe", uniform(NEW, 5))
    assert [one.name for one in tmp_path.iterdir()] == ["pipe"]


@POSIX
def test_a_link_stays_and_its_file_is_replaced(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "here").mkdir()
    link = tmp_path / "here" / "link"
    link.symlink_to("../disk/c")
    for number in (OLD, NEW):  # at first it leads nowhere
        write(link, uniform(number, 5))
        assert link.is_symlink()
        assert number_of(read(tmp_path / "disk" / "c")) == number
    assert sorted(str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*")) == [
        "disk",
        "disk/c",
        "here",
        "here/link",
    ]


@POSIX
@pytest.mark.parametrize("umask, expected", [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_are_those_of_any_new_file(tmp_path, umask, expected):
    before = os.umask(umask)
    try:
        write(tmp_path / "c", uniform(NEW, 5))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "c").stat().st_mode) == expected


@POSIX
def test_a_file_that_was_private_stays_private(path):
    path.chmod(0o600)
    write(path, uniform(NEW, 5))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


# Temporary files of the dead ----------------------------------------------------------------------------------------

DAY = 24 * 3600


def dead_process():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def leave(path, name, age=0):
    made = path.parent / name
    made.write_bytes(b"half a file")
    os.utime(made, (time.time() - age,) * 2)
    return made


@POSIX
def test_the_next_save_removes_what_the_dead_have_left(path):
    here, dead = atomic._world(), dead_process()
    leave(path, f".c.tmp-{dead}-{here}00000000")
    leave(path, f".c.tmp-{os.getpid()}-{here}00000000")  # ours by number, and not under way: somebody's before us
    leave(path, f".c.tmp-{os.getppid()}-{here}00000001", age=2 * DAY)
    leave(path, f".c.tmp-{dead}-0123456700000000", age=2 * DAY)
    write(path, uniform(NEW, 5))
    assert names_beside(path) == ["c"]


@POSIX
def test_what_may_be_of_the_living_stays(path):
    here, dead = atomic._world(), dead_process()
    kept = [
        f".c.tmp-{os.getppid()}-{here}00000000",  # of a living process
        f".c.tmp-1-{here}00000000",  # of one that we may not signal, where we are not root
        f".c.tmp-{dead}-0123456700000000",  # of another machine or container, where that number may live
        f".c.tmp-9999999999-{here}00000000",  # of a process that cannot be
        f".cc.tmp-{dead}-{here}00000000",  # for another file
        f".c.tmp-{dead}-{here}",  # of another program
        f".c.tmp-{dead}-{here}00000000.gz",
        f"c.tmp-{dead}-{here}00000000",
    ]
    for name in kept:
        leave(path, name)
    leave(path, ".d.tmp-1-0123456700000000", age=2 * DAY)
    (path.parent / f".c.tmp-{dead}-{here}0000000a").mkdir()
    (path.parent / f".c.tmp-{dead}-{here}0000000b").symlink_to("c")
    before = names_beside(path)
    write(path, uniform(NEW, 5))
    assert names_beside(path) == before


@POSIX
def test_a_long_name_has_its_litter_removed_too(tmp_path):
    long = tmp_path / ("ü" * 120)
    write(long, uniform(OLD, 5))
    leave(long, f"{atomic._prefix(long)}{dead_process()}-{atomic._world()}00000000")
    write(long, uniform(NEW, 5))
    assert names_beside(long) == [long.name]


def test_threads_that_save_to_one_path_leave_each_other_alone(path):
    """One waits in the middle of its file while the other saves and looks for litter."""
    waiting, go_on = threading.Event(), threading.Event()

    def fill(handle):
        waiting.set()
        assert go_on.wait(60)
        atomic.write_all(handle, b"x")

    slow = threading.Thread(target=atomic.replace_file, args=(path, fill), daemon=True)
    slow.start()
    assert waiting.wait(60)
    write(path, uniform(NEW, 5))
    assert len(names_beside(path)) == 2
    go_on.set()
    slow.join(60)
    assert path.read_bytes() == b"x"
    assert names_beside(path) == ["c"]


@POSIX
def test_litter_that_cannot_be_looked_for_is_no_reason_to_fail(path, monkeypatch):
    def no(*_):
        raise PermissionError(errno.EACCES, "no")

    leave(path, f".c.tmp-{dead_process()}-{atomic._world()}00000000")
    for name in ("unlink", "scandir"):
        monkeypatch.setattr(os, name, no)
        write(path, uniform(NEW, 5))
        assert number_of(read(path)) == NEW
