"""Only a folder that nobody else can change, reached through folders that nobody else can change."""

import os
import stat
import sys
from pathlib import Path

import pytest

from thalweg.engine import folder
from thalweg.engine.folder import UnsafeFolderError, private_folder, user_cache

pytestmark = pytest.mark.skipif(not hasattr(os, "getuid"), reason="this system has no user ids")


@pytest.fixture
def base(tmp_path):
    """A safe folder, whatever the umask of the test run."""
    made = tmp_path / "base"
    made.mkdir(mode=0o700)
    return made


def make_foreign(path, monkeypatch):
    """Gives the path to somebody else, or makes us somebody else, but for the folders above it."""
    if os.getuid() == 0:
        os.chown(path, 12345, 12345, follow_symlinks=False)
        return
    ours = os.getuid()
    check = folder._check
    monkeypatch.setattr(
        folder, "_check", lambda p, info, owners, **k: check(p, info, owners if p == path else owners | {ours}, **k)
    )
    monkeypatch.setattr(os, "getuid", lambda: ours + 1)


def test_folders_are_made_for_the_user_alone(base):
    before = os.umask(0)
    try:
        made = private_folder(base / "cache", "thalweg", "kernels")
    finally:
        os.umask(before)
    assert made == (base / "cache" / "thalweg" / "kernels").resolve()
    for path in (made, made.parent, made.parent.parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert private_folder(base / "cache", "thalweg", "kernels") == made


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o707, 0o720, 0o702])
@pytest.mark.parametrize("which", ["", "thalweg", "thalweg/kernels"])
def test_a_folder_that_others_can_write_in_is_refused(base, which, mode):
    private_folder(base, "thalweg", "kernels")
    (base / which).chmod(mode)
    with pytest.raises(UnsafeFolderError, match=r"others can write in .*chmod go-w.*THALWEG_CACHE_DIR"):
        private_folder(base, "thalweg", "kernels")


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o750, 0o711])
def test_a_folder_that_others_can_only_read_is_fine(base, mode):
    private_folder(base, "thalweg", "kernels")
    (base / "thalweg").chmod(mode)
    assert private_folder(base, "thalweg", "kernels").is_dir()


def test_shared_folders_above_ours_need_the_sticky_bit(base):
    base.chmod(0o1777)
    assert private_folder(base, "thalweg").is_dir()
    (base / "thalweg").chmod(0o1777)
    with pytest.raises(UnsafeFolderError, match="others can write"):
        private_folder(base, "thalweg")


@pytest.mark.parametrize("which", ["thalweg", "thalweg/kernels"])
def test_our_own_folders_may_not_be_links(base, which):
    private_folder(base, "thalweg", "kernels")
    (base / which).rename(base / "elsewhere")
    (base / which).symlink_to(base / "elsewhere")
    with pytest.raises(UnsafeFolderError, match="is a symbolic link"):
        private_folder(base, "thalweg", "kernels")


def test_links_above_ours_are_followed_and_what_they_lead_to_is_checked(base):
    (base / "disk").mkdir(mode=0o700)
    (base / "relative").symlink_to(Path("disk") / ".." / "disk")
    (base / "absolute").symlink_to(base / "relative")
    assert private_folder(base / "absolute", "thalweg") == (base / "disk" / "thalweg").resolve()
    (base / "disk").chmod(0o777)
    with pytest.raises(UnsafeFolderError, match=r"others can write in .*disk"):
        private_folder(base / "absolute", "thalweg")


def test_every_folder_from_the_root_on_is_checked(base, monkeypatch):
    checked = []
    check = folder._check
    monkeypatch.setattr(
        folder, "_check", lambda path, *args, **kwargs: (checked.append(path), check(path, *args, **kwargs))
    )
    real = private_folder(base, "thalweg")
    assert checked == [*reversed(real.parents), real]


def test_links_in_a_circle(base):
    (base / "a").symlink_to(base / "b")
    (base / "b").symlink_to(base / "a")
    with pytest.raises(UnsafeFolderError, match="leads nowhere"):
        private_folder(base / "a", "thalweg")


@pytest.mark.parametrize("which", ["", "thalweg", "thalweg/kernels"])
def test_a_folder_of_somebody_else_is_refused(base, which, monkeypatch):
    private_folder(base, "thalweg", "kernels")
    make_foreign((base / which).resolve(), monkeypatch)
    with pytest.raises(UnsafeFolderError, match="belongs to another user"):
        private_folder(base, "thalweg", "kernels")


def test_a_link_of_somebody_else_is_refused(base, monkeypatch):
    if os.getuid() != 0:
        pytest.skip("only root can give a link away")
    (base / "disk").mkdir(mode=0o700)
    (base / "link").symlink_to(base / "disk")
    make_foreign(base / "link", monkeypatch)
    with pytest.raises(UnsafeFolderError, match="symbolic link of somebody else"):
        private_folder(base / "link", "thalweg")


@pytest.mark.parametrize("which", ["", "thalweg"])
def test_a_file_in_the_way_is_refused(tmp_path, which):
    (tmp_path / "base").mkdir(mode=0o700)
    where = tmp_path / "base" / "cache"
    if which:
        where.mkdir(mode=0o700)
    (where / which).touch()
    with pytest.raises(OSError, match="is not a folder"):
        private_folder(where, "thalweg")


def test_relative_folders_are_refused():
    with pytest.raises(UnsafeFolderError, match="absolute"):
        private_folder(Path("somewhere"), "thalweg")


@pytest.mark.parametrize(
    "platform, environment, expected",
    [
        ("linux", {}, "HOME/.cache"),
        ("linux", {"XDG_CACHE_HOME": "/var/x"}, "/var/x"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "HOME/.cache"),
        ("linux", {"XDG_CACHE_HOME": "/var/x", "THALWEG_CACHE_DIR": "/t"}, "/t"),
        ("linux", {"THALWEG_CACHE_DIR": ""}, "HOME/.cache"),
        ("darwin", {"XDG_CACHE_HOME": "/var/x"}, "HOME/Library/Caches"),
        ("win32", {"LOCALAPPDATA": "/c/local"}, "/c/local"),
        ("win32", {}, "HOME/AppData/Local"),
    ],
)
def test_the_place_for_caches(monkeypatch, platform, environment, expected):
    for name in ("XDG_CACHE_HOME", "THALWEG_CACHE_DIR", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert user_cache() == Path(expected.replace("HOME", str(Path.home())))


def test_a_relative_choice_is_taken_from_here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("THALWEG_CACHE_DIR", "mine")
    assert user_cache() == tmp_path / "mine"
