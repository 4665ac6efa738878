"""From the text of a module to its compiled functions, through a cache in the user's own folder.

The text is written to FOLDER/STEM-DIGEST.py, for Numba keeps what it compiled beside the file that it comes from. The
digest covers everything that decides about the machine code: the text, the words that it imports, the compiler policy,
the versions of the compiler and the processor. So a file is never changed, many processes may share it, and so may
unequal machines with one home. A folder that others could write in is never used (`thalweg.engine.folder`), whatever
NUMBA_CACHE_DIR says; then kernels are compiled in each process anew, and one line says so, once.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import linecache
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from thalweg.engine.folder import private_folder, user_cache
from thalweg.engine.numba_support import logger

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


class _Loaded:
    """The modules of this process, by name, and the lock under which they are made."""

    def __init__(self) -> None:
        self.modules: dict[str, ModuleType] = {}
        self.lock = threading.RLock()

    def after_fork(self) -> None:
        self.lock = threading.RLock()  # another thread may have held the old one, and that thread did not come along


_loaded = _Loaded()
if hasattr(os, "register_at_fork"):
    # A fork waits until nobody compiles: Numba has a lock of its own, which the child would find held for ever.
    os.register_at_fork(
        before=_loaded.lock.acquire, after_in_parent=_loaded.lock.release, after_in_child=_loaded.after_fork
    )


def compile_module(source: str, stem: str) -> ModuleType:
    """Return the module that this text defines, compiled or taken from the cache. The same text gives the same module.

    source: the text of a module whose functions are decorated with `thalweg.engine.policy.kernel`.
    stem: what the text is about, such as the name of a rule; the readable part of the file's name.

    Needs Numba (`numba_available`). An error in the text is raised as Python or Numba raises it; nothing about the
    cache is ever an error.
    """
    text = f"{source.rstrip()}\n\n# {_toolchain()}\n"
    name = f"{re.sub('[^A-Za-z0-9_]', '_', stem)[:40]}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    with _loaded.lock:
        if name not in _loaded.modules:
            folder = kernel_folder()
            _loaded.modules[name] = _execute(text, name) if folder is None else _through_cache(text, name, folder)
        return _loaded.modules[name]


def compiled(name: str) -> ModuleType:
    """Return the compiled form of a module in `thalweg.engine.kernels`."""
    return compile_module((_here() / "kernels" / f"{name}.py").read_text("utf-8"), name)


def _here() -> Traversable:
    """Return the folder of this package, which may be inside an archive."""
    from importlib import resources

    return resources.files("thalweg.engine")


@functools.cache
def kernel_folder() -> Path | None:
    """Return where this process caches kernels; None if there is no safe place for them."""
    from importlib import metadata

    import numba

    try:
        version = metadata.version("thalweg")
    except metadata.PackageNotFoundError:
        version = "source"
    try:
        kernels = f"kernels-{version}-{numba.__version__}-{sys.implementation.cache_tag}"
        return private_folder(user_cache(), "thalweg", kernels)
    except (OSError, RuntimeError) as error:
        logger.warning("kernels are not cached, each process compiles its own: %s", error)
        return None


@functools.cache
def _toolchain() -> str:
    """Return what decides about the machine code besides the text itself."""
    import llvmlite
    import numba
    from llvmlite import binding

    files = [_here() / "policy.py", *sorted((_here() / "kernels").iterdir(), key=lambda file: file.name)]
    shared = b"".join(file.read_bytes() for file in files if file.name.endswith(".py"))
    processor, features = numba.config.CPU_NAME, numba.config.CPU_FEATURES  # NUMBA_CPU_NAME and its companion
    processor = binding.get_host_cpu_name() if processor is None else processor
    features = binding.get_host_cpu_features().flatten() if features is None else features
    digest = hashlib.sha256(shared + features.encode()).hexdigest()[:16]
    return f"numba {numba.__version__}, llvmlite {llvmlite.__version__}, {processor}, {digest}"


def _through_cache(text: str, name: str, folder: Path) -> ModuleType:
    file = folder / f"{name}.py"
    try:
        _write_once(file, text.encode())
        _discard_damaged(file)
        with _beside_the_file():
            module = _execute(text, name, file)
        _seal(file)
    except Exception as error:  # noqa: BLE001 - a full disk, a damaged file: if the text is wrong, the next line says so
        module = _execute(text, name)
        logger.warning("the kernel cache %s is not used for %s: %s", folder, name, error)
        _discard(file)
    return module


def _execute(text: str, name: str, file: Path | None = None) -> ModuleType:
    """Run the text as a module of this file, or of no file at all, which also means that nothing is cached."""
    module = ModuleType(f"thalweg.engine.kernels.{name}")
    if file is None:
        filename = f"<{name}>"
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    else:
        filename = module.__file__ = str(file)
    sys.modules[module.__name__] = module  # Numba looks the module up by name when it takes a function from the cache
    try:
        exec(compile(text, filename, "exec"), module.__dict__)  # noqa: S102 - our own text, from memory and not from the file
    except BaseException:
        del sys.modules[module.__name__]
        raise
    return module


@contextlib.contextmanager
def _beside_the_file() -> Iterator[None]:
    """Make Numba cache beside the file; the user's settings for its cache may lead to a folder that others write."""
    from numba import config

    names = [name for name in ("CACHE_DIR", "CACHE_LOCATOR_CLASSES") if getattr(config, name, "")]
    settings = {name: getattr(config, name) for name in names}
    for name in names:
        setattr(config, name, "")
    try:
        yield
    finally:
        for name, value in settings.items():
            setattr(config, name, value)


def _write_once(file: Path, data: bytes) -> None:
    """Let the first writer win: a file with this content is left alone, for Numba may judge freshness by its time."""
    if _holds(file, data):
        return
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        with contextlib.suppress(OSError):  # another process was faster, or the file system has no links
            os.link(temporary, file)
        if not _holds(file, data):
            os.replace(temporary, file)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def _holds(file: Path, data: bytes) -> bool:
    try:
        return not file.is_symlink() and file.read_bytes() == data
    except FileNotFoundError:
        return False


# Numba unpickles and links what it finds, and a file cut short by a full disk or a power cut can end the process. So
# each cached file is sealed with its digest once it is complete; one that does not match its seal is deleted unread.


def _cached_files(file: Path) -> dict[str, Path]:
    return {path.name: path for path in sorted((file.parent / "__pycache__").glob(f"{file.stem}.*.nb[ic]"))}


def _digests(file: Path) -> dict[str, str]:
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in _cached_files(file).items()}


def _seal(file: Path) -> None:
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=".", suffix=".tmp")
    with os.fdopen(handle, "w") as stream:
        json.dump(_digests(file), stream)
    os.replace(temporary, file.with_suffix(".seal"))


def _discard_damaged(file: Path) -> None:
    try:
        sealed = json.loads(file.with_suffix(".seal").read_bytes())
        intact = sealed == _digests(file)
    except (OSError, ValueError):
        intact = False
    if not intact:
        _discard(file)


def _discard(file: Path) -> None:
    for path in _cached_files(file).values():
        with contextlib.suppress(OSError):  # another process was faster, or has it open
            path.unlink()
