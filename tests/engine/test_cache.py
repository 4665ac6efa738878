"""Kernels come from the user's own folder: compiled once, never from a damaged file or an unsafe place."""

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

numba = pytest.importorskip("numba", reason="without Numba there is nothing to cache")

from thalweg.engine import cache  # noqa: E402 - after the skip

SOURCE = '''
"""A kernel."""
from thalweg.engine.policy import inlined, kernel

@inlined
def twice(x):
    return 2 * x

@kernel("intp(intp)")
def double(x):
    return twice(x)
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache of its own for one test."""
    base = tmp_path / "cache"
    base.mkdir(mode=0o700)
    monkeypatch.setenv("THALWEG_CACHE_DIR", str(base))
    cache.kernel_folder.cache_clear()
    monkeypatch.setattr(cache._loaded, "modules", {})
    yield cache.kernel_folder()
    cache.kernel_folder.cache_clear()


def again(monkeypatch, source=SOURCE, stem="test"):
    """Takes the module as another process would: from the folder."""
    monkeypatch.setattr(cache._loaded, "modules", {})
    return cache.compile_module(source, stem)


def hits(module):
    assert module.double(21) == 42
    stats = module.double.stats
    return sum(stats.cache_hits.values()), sum(stats.cache_misses.values())


def files(folder, ending):
    return sorted(path for path in folder.rglob(f"*{ending}"))


def test_compiled_once_then_taken_from_the_folder(folder, monkeypatch, caplog):
    module = cache.compile_module(SOURCE, "test")
    assert hits(module) == (0, 1)
    assert cache.compile_module(SOURCE, "test") is module
    assert hits(again(monkeypatch)) == (1, 0)
    (text,) = files(folder, ".py")
    assert text.read_text().startswith(SOURCE.rstrip())
    assert len(files(folder, ".nbi")) == len(files(folder, ".nbc")) == 1
    assert module.double.signatures == [(numba.intp,)]
    with pytest.raises(TypeError, match="No matching definition"):
        module.double("21")
    assert not caplog.records


def test_kernels_are_compiled_with_the_policy_and_for_one_signature(folder):
    from thalweg.engine.policy import OPTIONS

    module = cache.compile_module(SOURCE, "test")
    options = module.double.targetoptions
    assert {name: options[name] for name in OPTIONS} == OPTIONS
    assert options["nopython"] is True


def test_a_division_by_zero_is_no_error(folder):
    source = """
from thalweg.engine.policy import kernel

@kernel("float64(float64, float64)")
def divide(a, b):
    return a / b
"""
    divide = cache.compile_module(source, "divide").divide
    assert divide(1.0, 0.0) == float("inf")
    assert divide(0.0, 0.0) != divide(0.0, 0.0)


def test_names_of_files_say_what_they_are_and_never_lead_elsewhere(folder):
    module = cache.compile_module(SOURCE, "../../évil name/" + "x" * 200)
    path = Path(module.__file__)
    assert path.parent == folder
    assert path.name.startswith("_______vil_name_x")
    assert len(path.name) < 80


def test_another_text_processor_or_policy_is_another_file(folder, monkeypatch):
    cache.compile_module(SOURCE, "test")
    cache.compile_module(SOURCE + "\n# more\n", "test")
    assert len(files(folder, ".py")) == 2
    cache._toolchain.cache_clear()
    monkeypatch.setattr(numba.config, "CPU_FEATURES", "")
    generic = cache._toolchain()
    cache._toolchain.cache_clear()
    monkeypatch.setattr(numba.config, "CPU_NAME", "generic")
    named = cache._toolchain()
    monkeypatch.undo()
    cache._toolchain.cache_clear()
    assert len({generic, named, cache._toolchain()}) == 3


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def empty(path):
    path.write_bytes(b"")


def zeros(path):
    path.write_bytes(bytes(path.stat().st_size))


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def nonsense(path):
    path.write_bytes(b"nonsense")


@pytest.mark.parametrize("damage", [truncate, empty, zeros, flip, nonsense, Path.unlink])
@pytest.mark.parametrize("ending", [".nbi", ".nbc", ".seal", ".py"])
def test_a_damaged_file_is_not_used_and_made_anew(folder, monkeypatch, caplog, damage, ending):
    cache.compile_module(SOURCE, "test")
    (path,) = files(folder, ending)
    damage(path)
    assert hits(again(monkeypatch)) in [(0, 1), (1, 0) if ending == ".py" else (0, 1)]
    assert hits(again(monkeypatch)) == (1, 0)
    assert not caplog.records


def test_a_file_that_somebody_planted_is_never_unpickled(folder, monkeypatch):
    cache.compile_module(SOURCE, "test")
    (path,) = files(folder, ".nbi")
    stolen = folder / "stolen"
    path.write_bytes(b"cos\nsystem\n(S'touch " + os.fsencode(stolen) + b"'\ntR.")
    assert hits(again(monkeypatch)) == (0, 1)
    assert not stolen.exists()


def test_damage_that_bears_a_seal_is_survived(folder, monkeypatch, caplog):
    cache.compile_module(SOURCE, "test")
    (path,) = files(folder, ".nbc")
    nonsense(path)
    (text,) = files(folder, ".py")
    cache._seal(text)
    module = again(monkeypatch)
    assert module.double(21) == 42
    assert "the kernel cache" in caplog.text
    assert hits(again(monkeypatch)) == (0, 1)
    assert hits(again(monkeypatch)) == (1, 0)


def test_a_file_with_another_content_is_replaced(folder, monkeypatch):
    (path := Path(cache.compile_module(SOURCE, "test").__file__)).write_text("raise SystemExit")
    assert again(monkeypatch).double(21) == 42
    assert path.read_text().startswith(SOURCE.rstrip())


def test_a_link_in_place_of_the_file_is_replaced(folder, monkeypatch, tmp_path):
    path = Path(cache.compile_module(SOURCE, "test").__file__)
    path.rename(tmp_path / "other.py")
    path.symlink_to(tmp_path / "other.py")
    assert again(monkeypatch).double(21) == 42
    assert not path.is_symlink()


def test_the_first_writer_wins(folder, monkeypatch):
    path = Path(cache.compile_module(SOURCE, "test").__file__)
    before = path.stat()
    again(monkeypatch)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_file_system_without_links(folder, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    cache.compile_module(SOURCE, "test")
    assert hits(again(monkeypatch)) == (1, 0)
    assert not list(folder.glob(".*.tmp"))


@pytest.mark.parametrize("setting", ["CACHE_DIR", "CACHE_LOCATOR_CLASSES"])
def test_numbas_own_settings_lead_nowhere_else(folder, monkeypatch, tmp_path, setting):
    value = str(tmp_path / "shared") if setting == "CACHE_DIR" else "UserWideCacheLocator"
    monkeypatch.setattr(numba.config, setting, value, raising=False)
    module = cache.compile_module(SOURCE, "test")
    assert Path(module.double.stats.cache_path) == folder / "__pycache__"
    assert hits(again(monkeypatch)) == (1, 0)
    assert not (tmp_path / "shared").exists()
    assert getattr(numba.config, setting) == value


def test_nothing_is_read_from_another_place(folder, monkeypatch, tmp_path, caplog):
    """If Numba chose another folder after all, kernels would be compiled in memory."""
    monkeypatch.setattr(cache, "_beside_the_file", cache.contextlib.nullcontext)
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "shared"))
    assert cache.compile_module(SOURCE, "test").double(21) == 42
    assert not files(tmp_path / "shared", ".nbi")
    assert "Numba would cache" in caplog.text


def test_an_unsafe_folder_is_not_used_and_said_once(folder, monkeypatch, caplog):
    cache.kernel_folder.cache_clear()
    folder.chmod(0o777)
    for stem in ("one", "two"):
        module = cache.compile_module(SOURCE, stem)
        assert module.double(21) == 42
        assert not hasattr(module, "__file__")
    assert not files(folder, ".py")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "others can write in" in record.getMessage()


@pytest.mark.parametrize(
    "error", [OSError("read-only file system"), RuntimeError("Could not determine home directory.")]
)
def test_no_folder_at_all(monkeypatch, folder, error, caplog):
    def refuse(*_):
        raise error

    cache.kernel_folder.cache_clear()
    monkeypatch.setattr(cache, "private_folder", refuse)
    assert cache.compile_module(SOURCE, "test").double(21) == 42
    assert len(caplog.records) == 1


def test_a_full_disk(folder, monkeypatch, caplog):
    from numba.core import caching

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caching.IndexDataCacheFile, "_save_data", refuse)
    assert cache.compile_module(SOURCE, "test").double(21) == 42
    assert "No space left" in caplog.text


@pytest.mark.parametrize(
    "source, error",
    [
        ("def f(:", SyntaxError),
        ("import nothing_of_this_name", ImportError),
        (SOURCE.replace("2 *", "'2' +"), Exception),
    ],
)
def test_an_error_in_the_text_is_raised(folder, source, error, caplog):
    for _ in range(2):
        with pytest.raises(error):
            cache.compile_module(source, "wrong")
    assert not caplog.records
    assert not [name for name in sys.modules if "kernels.wrong" in name]


def test_tracebacks_show_the_text_of_a_module_without_a_file(folder, monkeypatch):
    import linecache

    folder.chmod(0o777)
    cache.kernel_folder.cache_clear()
    module = cache.compile_module(SOURCE, "test")
    code = module.double.py_func.__code__
    assert "double" in linecache.getline(code.co_filename, code.co_firstlineno + 1)


def test_threads_get_the_same_module(folder):
    seen = []
    callers = [threading.Thread(target=lambda: seen.append(cache.compile_module(SOURCE, "test"))) for _ in range(4)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join()
    assert len(set(map(id, seen))) == 1


FORK = """
import os, threading, warnings
from thalweg.engine import cache
inside, leave = threading.Event(), threading.Event()

def compiling():
    with cache._loaded.lock:
        inside.set()
        leave.wait(1)

thread = threading.Thread(target=compiling)
thread.start()
inside.wait(20)
warnings.simplefilter("ignore")  # that a process with threads forks
child = os.fork()
if child == 0:
    os._exit(0 if cache._loaded.lock.acquire(timeout=5) else 1)
leave.set()
thread.join()
print(os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_can_compile_though_its_parent_was_compiling():
    ran = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.stdout, ran.stderr) == ("0\n", "")


SCRIPT = f"""
import sys
from thalweg.engine.cache import compile_module
module = compile_module({SOURCE!r}, "test")
assert module.double(21) == 42
print(sum(module.double.stats.cache_hits.values()))
"""


@pytest.mark.slow
def test_four_processes_at_once_and_one_after_them(tmp_path):
    base = tmp_path / "cache"
    base.mkdir(mode=0o700)
    environment = os.environ | {"THALWEG_CACHE_DIR": str(base), "NUMBA_CACHE_DIR": str(tmp_path / "numba")}

    def start():
        command = [sys.executable, "-W", "error", "-c", SCRIPT]
        return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    for process in [start() for _ in range(4)]:
        out, err = process.communicate(timeout=120)
        assert (out.strip() in ("0", "1"), err, process.returncode) == (True, "", 0)
    assert not (tmp_path / "numba").exists()
    assert not list(base.rglob("*.tmp*"))
    last = [start().communicate(timeout=120) for _ in range(2)][-1]
    assert last == ("1\n", "")


def test_the_kernels_written_by_hand_are_compiled_from_their_files(folder):
    module = cache.compiled("finite")
    assert Path(module.__file__).parent == folder
    assert module.BLOCK == 16384
