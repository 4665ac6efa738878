"""A folder of the user's own that nobody else can write.

What lies in the kernel cache is executed, so a folder is used only if nobody but the user and root can change it, or
any folder or link on the way to it. On systems without user ids (Windows) the profile's own access control does that.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

MOST_LINKS = 40
"""As many symbolic links as Linux follows in one path."""


class UnsafeFolderError(OSError):
    """Somebody else could write here; the text says where and what to do."""


def user_cache() -> Path:
    """Return the folder for caches: $THALWEG_CACHE_DIR, else the platform's."""
    given = os.environ.get("THALWEG_CACHE_DIR")
    if given:
        return Path(given).absolute()
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    if sys.platform == "darwin":
        return home / "Library" / "Caches"
    given = os.environ.get("XDG_CACHE_HOME", "")
    return (
        Path(given) if given.startswith("/") else home / ".cache"
    )  # a relative path is to be ignored, says the standard


def private_folder(base: Path, *names: str) -> Path:
    """Return the real path of base/names[0]/..., made where it is missing, with every folder on the way checked.

    base: may lead through links, and through shared folders with the sticky bit, such as /tmp.
    names: our own folders: real ones, of this user.

    Raises UnsafeFolderError, or another OSError, or RuntimeError where the user has no home.
    """
    if not hasattr(os, "getuid"):
        folder = base.joinpath(*names)
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    folder = _walk(base)
    for name in names:
        folder = folder / name
        info = _look(folder)
        if stat.S_ISLNK(info.st_mode):
            raise UnsafeFolderError(f"{folder} is a symbolic link; remove it or set THALWEG_CACHE_DIR")
        _check(folder, info, owners={os.getuid()}, sticky=False)
    return folder


def _walk(path: Path) -> Path:
    """Follow a path one name at a time and check each folder and each link; the result has no links left."""
    if not path.is_absolute():
        raise UnsafeFolderError(f"{path} is not an absolute path; set THALWEG_CACHE_DIR to one")
    owners = {0, os.getuid()}
    real = Path(path.anchor)
    _check(real, real.lstat(), owners, sticky=True)
    names = list(reversed(path.parts[1:]))
    links = 0
    while names:
        name = names.pop()
        if name == "..":
            real = real.parent
            continue
        step = real / name
        info = _look(step)
        if not stat.S_ISLNK(info.st_mode):
            _check(step, info, owners, sticky=True)
            real = step
            continue
        links += 1
        if info.st_uid not in owners or links > MOST_LINKS:
            raise UnsafeFolderError(f"{step} is a symbolic link of somebody else's, or leads nowhere")
        target = step.readlink()
        if target.is_absolute():
            real = Path(target.anchor)
        names.extend(reversed(target.parts[1:] if target.is_absolute() else target.parts))
    return real


def _look(path: Path) -> os.stat_result:
    try:
        return path.lstat()
    except FileNotFoundError:
        path.mkdir(mode=0o700, exist_ok=True)
        return path.lstat()


def _check(path: Path, info: os.stat_result, owners: set[int], *, sticky: bool) -> None:
    if not stat.S_ISDIR(info.st_mode):
        raise UnsafeFolderError(f"{path} is not a folder")
    if info.st_uid not in owners:
        raise UnsafeFolderError(f"{path} belongs to another user; set THALWEG_CACHE_DIR to a folder of your own")
    others_write = info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if others_write and not (sticky and info.st_mode & stat.S_ISVTX):
        raise UnsafeFolderError(f"others can write in {path}; `chmod go-w` it, or set THALWEG_CACHE_DIR")
