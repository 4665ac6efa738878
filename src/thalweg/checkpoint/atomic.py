"""Replace a file as a whole: whoever looks, and whenever the machine stops, finds the old contents or the new ones.

New contents go to `.NAME.tmp-PID-RANDOM` beside the file, onto the disk, and take the file's name in one step. A
process that is killed on the way leaves such a temporary file behind; the next one to save under this name removes it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import platform
import re
import secrets
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_ABANDONED_SECONDS = 24 * 3600.0
_LONGEST_NAME = 200  # bytes; file systems allow 255, and the temporary name is longer than the file's

_under_way: set[Path] = set()  # temporary files that this process is writing


def replace_file(path: str | os.PathLike[str], fill: Callable[[int], None]) -> None:
    """Replace the file at `path`, or create it; once this returns, the new contents are on the disk.

    A symbolic link stays, and the file that it leads to is replaced. The file gets the permissions of any new file,
    less those that the one before it did not have.

    Args:
        path: the file; its folder has to exist.
        fill: writes the contents to the open file descriptor that it is given (see `write_all`).

    Raises:
        FileNotFoundError: there is no such folder.
        OSError: the file system refuses. The message says which contents are in place: the old, or, if only the folder
            could not be brought to the disk, the new.
    """
    target, mode = _place(path)
    _sweep(target)
    temporary = target.with_name(f"{_prefix(target)}{os.getpid()}-{_world()}{secrets.token_hex(4)}")
    _under_way.add(temporary)
    try:
        with _opened(target.parent) as folder:
            old, new = "nothing is saved, and what was there is as it was", "the new file is in place, and whole"
            with _explained(old, target), _written(temporary, mode, fill):
                os.replace(temporary, target)
            with _explained(f"{new}, but may not outlive a power failure", target):
                _sync_folder(folder)
    finally:
        _under_way.discard(temporary)


def write_all(handle: int, data: bytes) -> None:
    """Write all of `data`; the system may take less at a time. OSError if it refuses."""
    rest = memoryview(data)
    while rest:
        taken = os.write(handle, rest)
        if not taken:
            raise OSError(errno.EIO, "the system takes no more and does not say why")
        rest = rest[taken:]


def _place(path: str | os.PathLike[str]) -> tuple[Path, int]:
    """Return the file to replace, links followed, and its permissions."""
    given = os.fsdecode(path)
    target = Path(os.path.realpath(given))
    if target.is_dir() or given.endswith(("/", os.sep)):
        raise IsADirectoryError(errno.EISDIR, "this is a folder; name a file in it", given)
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder to save in; make it first", str(target.parent))
    try:
        before = target.stat().st_mode
    except FileNotFoundError:
        return target, 0o666
    if not stat.S_ISREG(before):
        raise OSError(errno.EINVAL, "this is a device or a pipe, which cannot be replaced; name another file", given)
    return target, before & 0o666


@contextlib.contextmanager
def _written(temporary: Path, mode: int, fill: Callable[[int], None]) -> Iterator[None]:
    """A new file, complete and on the disk, which is removed if anything fails."""
    handle = os.open(temporary, _CREATE, mode)
    try:
        try:
            fill(handle)
            os.fsync(handle)
        except BaseException:
            with contextlib.suppress(OSError):
                os.close(handle)
            raise
        os.close(handle)  # where writing is deferred, as on NFS, this is what fails
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int | None]:
    """A descriptor of the folder, or None: Windows has none, and a folder may be writable without being readable."""
    handle = None
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            handle = os.open(folder, os.O_RDONLY)
    try:
        yield handle
    finally:
        if handle is not None:
            with contextlib.suppress(OSError):
                os.close(handle)


def _sync_folder(handle: int | None) -> None:
    """Bring the new name to the disk, on file systems that know how to."""
    if handle is None:
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.EBADF, errno.ENOTSUP}:
            raise


@contextlib.contextmanager
def _explained(state: str, target: Path) -> Iterator[None]:
    """Add to an OSError which contents are in place now."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror or error}: {state}", str(target)) from error


# Temporary files of the dead ---------------------------------------------------------------------------------------


def _prefix(target: Path) -> str:
    name = target.name
    return f".{name if len(os.fsencode(name)) <= _LONGEST_NAME else name[:50]}.tmp-"


def _sweep(target: Path) -> None:
    """Remove the temporary files for `target` that nobody is writing any more; what cannot be removed is left alone."""
    pattern = re.compile(rf"{re.escape(_prefix(target))}([1-9][0-9]{{0,9}})-([0-9a-f]{{8}})[0-9a-f]{{8}}")
    with contextlib.suppress(OSError), os.scandir(target.parent) as entries:
        for entry in entries:
            match = pattern.fullmatch(entry.name)
            with contextlib.suppress(OSError):
                if match and entry.is_file(follow_symlinks=False) and _is_abandoned(entry, int(match[1]), match[2]):
                    os.unlink(entry.path)


def _is_abandoned(entry: os.DirEntry[str], pid: int, world: str) -> bool:
    """Whether nobody is writing this file: its process is dead, or nothing has been written for a day.

    The process of another machine or container cannot be asked, and the number of a dead one may belong to a stranger
    by now; such files wait for their day.
    """
    if time.time() - entry.stat(follow_symlinks=False).st_mtime > _ABANDONED_SECONDS:
        return True
    if world != _world() or sys.platform == "win32":  # where os.kill(pid, 0) would not ask, but interrupt
        return False
    if pid == os.getpid():
        return Path(entry.path) not in _under_way
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _world() -> str:
    """Eight hex digits for where a process number means one process: this machine, this start of it, this container."""
    marks = [platform.node()]
    with contextlib.suppress(OSError):
        marks.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
    with contextlib.suppress(OSError):
        marks.append(str(Path("/proc/self/ns/pid").readlink()))
    return hashlib.sha256("\n".join(marks).encode(errors="surrogateescape")).hexdigest()[:8]
