"""The native driver and its threads: every slice once, barriers kept, whoever runs what; forks, signals and exits."""

import array
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from graphc.backends.cpu.control import CONTROL_BYTES, FINISH, HELPERS, INDEPENDENT, SPINS, WAVE
from graphc.backends.cpu.threads import Native, Pool, available_cores, shared_pool
from native_driver import WORDS, Table, address, load, plain_kernels, save

Run = Callable[[Table], int]
TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("driver")
    save(folder)
    return folder


@pytest.fixture(scope="module")
def loaded(folder: Path) -> tuple[Native, dict[str, int]]:
    return load(folder)


@pytest.fixture(params=[1, 2, 3, 4, 8])
def pool(request: pytest.FixtureRequest, loaded: tuple[Native, dict[str, int]]) -> Iterator[Pool]:
    pool = Pool(loaded[0], request.param)
    yield pool
    pool.close()


class Program:
    """A random table over some buffers, in waves; what it leaves in the buffers depends on every barrier."""

    def __init__(self, chain: int, seed: int, entries: int) -> None:
        draw = random.Random(seed)
        self.start = array.array("q", [draw.randrange(1 << 40) for _ in range(8 * WORDS)])
        self.buffers = array.array("q", self.start)
        self.table = Table()
        while self.table.entries < entries:
            order = draw.sample(range(8), 8)
            wave = draw.choice([1, 1, 2, 5])
            for i in range(wave):
                source, target = (address(self.buffers) + WORDS * 8 * k for k in (order[7 - i % 3], order[i]))
                flags = draw.choice([0, FINISH]) | (INDEPENDENT if i < wave - 1 else 0)
                self.table.add(chain, draw.choice([1, 2, 3, 8, 16]), source, target, flags=flags)

    def results(self, run: Run) -> list[int]:
        self.buffers[:] = self.start
        assert run(self.table) == -1
        return self.buffers.tolist()


def test_results_depend_on_neither_threads_nor_timing(pool: Pool, loaded: tuple[Native, dict[str, int]]) -> None:
    program = Program(loaded[1]["chain"], seed=1, entries=400)
    alone = program.results(lambda table: pool.run_serial(table.address, table.entries, address(table.status)))
    for _ in range(100):
        assert program.results(lambda table: pool.run(table.address, table.entries)) == alone


def test_plain_python_gives_the_same(pool: Pool, loaded: tuple[Native, dict[str, int]]) -> None:
    from graphc.backends.cpu import driver
    from graphc.backends.cpu.atomics import stand_in

    native = Program(loaded[1]["chain"], seed=2, entries=12)
    chain = next(kernel for kernel in plain_kernels() if kernel.__name__ == "chain")
    plain = Program(stand_in(chain), seed=2, entries=12)
    expected = native.results(lambda table: pool.run(table.address, table.entries))
    serial = plain.results(lambda table: driver.run_serial(table.address, table.entries, address(table.status)))
    assert serial == expected


def test_plain_python_with_helpers_gives_the_same() -> None:
    """The protocol itself, where a thread can lose its turn between any two steps."""
    from graphc.backends.cpu import driver
    from graphc.backends.cpu.atomics import stand_in

    chain = next(kernel for kernel in plain_kernels() if kernel.__name__ == "chain")
    program = Program(stand_in(chain), seed=3, entries=30)
    alone = program.results(lambda table: driver.run_serial(table.address, table.entries, address(table.status)))
    block = array.array("q", [0] * (CONTROL_BYTES // 8))
    block[HELPERS // 8], block[SPINS // 8] = 3, 5
    helpers = [threading.Thread(target=driver.help, args=(address(block),), daemon=True) for _ in range(3)]
    interval = sys.getswitchinterval()
    try:
        sys.setswitchinterval(1e-6)
        for helper in helpers:
            helper.start()
        for _ in range(3):
            assert program.results(lambda table: driver.run(table.address, table.entries, address(block))) == alone
    finally:
        sys.setswitchinterval(interval)
        driver.run(0, -1, address(block))
        for helper in helpers:
            helper.join(10)
    assert not any(helper.is_alive() for helper in helpers)


@pytest.mark.parametrize("slices", [0, 1, 2, 5, 64, 1000])
def test_every_slice_and_finish_once(pool: Pool, loaded: tuple[Native, dict[str, int]], slices: int) -> None:
    counts = array.array("q", [0] * (slices + 1))
    table = Table().add(loaded[1]["count"], slices, address(counts), flags=FINISH)
    for _ in range(200):
        assert pool.run(table.address, table.entries) == -1
    assert counts.tolist() == [200] * (slices + 1)


def test_a_wave_longer_than_the_counters(pool: Pool, loaded: tuple[Native, dict[str, int]]) -> None:
    counts = [array.array("q", [0] * (entry % 4 + 1)) for entry in range(2 * WAVE + 3)]
    table = Table()
    for entry, words in enumerate(counts):
        table.add(loaded[1]["count"], entry % 4, address(words), flags=FINISH | INDEPENDENT)
    for _ in range(100):
        assert pool.run(table.address, table.entries) == -1
    assert all(set(words) == {100} for words in counts)


def failing(kernels: dict[str, int], word: int, in_wave: bool) -> tuple[Table, "array.array[int]"]:
    counts = array.array("q", [0] * 5)
    flags = INDEPENDENT if in_wave else 0
    table = Table().add(kernels["linger"], 2, 1).add(kernels["fail"], 4, word, flags=flags)
    table.add(kernels["linger"], 4, 10).add(kernels["count"], 4, address(counts), flags=FINISH)
    return table, counts


@pytest.mark.parametrize("word", [0, 7])
@pytest.mark.parametrize(("in_wave", "last"), [(False, 1), (True, 2)])
def test_stops_at_trouble(
    pool: Pool, loaded: tuple[Native, dict[str, int]], word: int, in_wave: bool, last: int
) -> None:
    """The index is that of the last entry of the wave: nothing after it has run."""
    table, counts = failing(loaded[1], word, in_wave)
    for _ in range(50):
        assert pool.run(table.address, table.entries) == last
        table.status[word] = 0
        assert pool.run_serial(table.address, table.entries, address(table.status)) == last
        table.status[word] = 0
    assert set(counts) == {0}


def test_empty_table(pool: Pool) -> None:
    table = Table()
    assert pool.run(0, 0) == -1
    assert pool.run_serial(0, 0, address(table.status)) == -1


@pytest.mark.parametrize("pools", [1, 2])
def test_two_callers(loaded: tuple[Native, dict[str, int]], pools: int) -> None:
    """On one pool one of them has the helpers at a time; trouble of one is not the other's."""
    native, kernels = loaded
    owners = [Pool(native, 2) for _ in range(pools)]
    programs = [Program(kernels["chain"], seed, entries=60) for seed in (5, 6)]
    table, _ = failing(kernels, 3, in_wave=False)
    expected = [
        program.results(lambda table: owners[0].run_serial(table.address, table.entries, address(table.status)))
        for program in programs
    ]
    wrong = []

    def call(i: int) -> None:
        pool = owners[i % pools]
        for _ in range(150):
            if programs[i].results(lambda table: pool.run(table.address, table.entries)) != expected[i]:
                wrong.append(i)
            if i == 1:
                table.status[3] = 0
                if pool.run(table.address, table.entries) != 1:
                    wrong.append(2)

    callers = [threading.Thread(target=call, args=(i,)) for i in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    for pool in owners:
        pool.close()
    assert not wrong


@pytest.mark.skipif(available_cores() < 2, reason="a helper rests where there is no core for it")
def test_helpers_do_help(loaded: tuple[Native, dict[str, int]]) -> None:
    """The helper's own thread takes processor time, and none once it is idle."""
    native, kernels = loaded
    pool = Pool(native, 2)
    table = Table().add(kernels["linger"], 64, 20_000)
    before = others()
    for _ in range(50):
        pool.run(table.address, table.entries)
        if others() > before + 0.01:
            break
    assert others() > before + 0.01
    time.sleep(0.1)
    idle = others()
    time.sleep(0.5)
    assert others() - idle < 0.05
    pool.close()


def others() -> float:
    """The processor time that all threads but the calling one have had, in seconds."""
    return time.process_time() - time.thread_time()


def test_a_closed_pool_goes_on_alone(loaded: tuple[Native, dict[str, int]]) -> None:
    program = Program(loaded[1]["chain"], seed=7, entries=30)
    pool = Pool(loaded[0], 3)
    names = [thread.name for thread in threading.enumerate()]
    first = program.results(lambda table: pool.run(table.address, table.entries))
    assert len(threading.enumerate()) == len(names) + 2
    pool.close()
    pool.close()
    assert len(threading.enumerate()) == len(names)
    assert program.results(lambda table: pool.run(table.address, table.entries)) == first
    assert len(threading.enumerate()) == len(names)


def test_a_dropped_pool_lets_its_helpers_go(loaded: tuple[Native, dict[str, int]]) -> None:
    table = Table().add(loaded[1]["linger"], 2, 1)
    before = threading.active_count()
    pool = Pool(loaded[0], 2)
    pool.run(table.address, table.entries)
    assert threading.active_count() == before + 1
    del pool
    assert threading.active_count() == before


def test_no_threads_left_to_start(loaded: tuple[Native, dict[str, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    program = Program(loaded[1]["chain"], seed=8, entries=30)
    pool = Pool(loaded[0], 4)
    alone = program.results(lambda table: pool.run_serial(table.address, table.entries, address(table.status)))
    assert program.results(lambda table: pool.run(table.address, table.entries)) == alone


def test_shared_pool(loaded: tuple[Native, dict[str, int]]) -> None:
    assert shared_pool(loaded[0], 2) is shared_pool(loaded[0], 2)
    assert shared_pool(loaded[0], 3).threads == 3


# -- processes ------------------------------------------------------------------------------------------------------

PRELUDE = """
import os, signal, sys, threading, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from native_driver import Table, address, load
from graphc.backends.cpu.control import FINISH
from graphc.backends.cpu.threads import Pool, shared_pool
import array
native, kernels = load(Path(sys.argv[2]))
counts = array.array("q", [0] * 9)
table = Table().add(kernels["count"], 8, address(counts), flags=FINISH)
def step(pool, times=50):
    before = counts[8]
    for _ in range(times):
        assert pool.run(table.address, 1) == -1
    assert set(counts) == {before + times}, counts
"""


def run_process(folder: Path, code: str) -> str:
    command = [sys.executable, "-X", "faulthandler", "-W", "ignore", "-c", PRELUDE + code, str(TESTS), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_numba_is_not_needed(folder: Path) -> None:
    code = """
step(Pool(native, 2))
print("numba" in sys.modules, "graphc.backends.cpu.driver" in sys.modules)
"""
    assert run_process(folder, code) == "False False\n"


def test_no_python_in_the_objects(folder: Path) -> None:
    """What the object code leaves to be resolved is the C library's."""
    from llvmlite import binding

    binding.initialize_native_target()
    names = re.compile(rb"\x00((?:Py|_Py|NRT_|numba_)\w+)")
    for name in (*Native._fields, *(kernel.__name__ for kernel in plain_kernels())):
        assert names.findall((folder / f"{name}.o").read_bytes()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork(folder: Path) -> None:
    """A child and its child run with helpers of their own, also while another thread of the parent is in a step."""
    code = """
pool, closed = Pool(native, 3), Pool(native, 2)
closed.close()
step(pool)
long = Table().add(kernels["linger"], 32, 50_000)
other = threading.Thread(target=lambda: [pool.run(long.address, 1) for _ in range(3)])
other.start()
time.sleep(0.01)
child = os.fork()
if child == 0:
    assert threading.active_count() == 1
    step(pool)
    assert threading.active_count() == 3
    step(closed)
    assert threading.active_count() == 3
    grandchild = os.fork()
    if grandchild == 0:
        step(pool)
        os._exit(0)
    assert os.waitpid(grandchild, 0)[1] == 0
    step(pool)
    sys.exit(0)
other.join()
step(pool)
assert os.waitpid(child, 0)[1] == 0
step(pool)
print("parent")
"""
    assert run_process(folder, code) == "parent\n"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs affinities")
@pytest.mark.parametrize("when", ["before", "after"])
def test_many_threads_on_one_core(folder: Path, when: str) -> None:
    """Bound to one core before the helpers start, or after, when they do not know."""
    bind = "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
    code = f"""
{bind if when == "before" else ""}
pool = Pool(native, 8)
step(pool)
for thread in threading.enumerate():
    os.sched_setaffinity(thread.native_id, {{min(os.sched_getaffinity(0))}})
for _ in range(5):
    step(pool, 500)
    time.sleep(0.001)
print("end")
"""
    assert run_process(folder, code) == "end\n"


@pytest.mark.skipif(not hasattr(os, "kill") or sys.platform == "win32", reason="needs signals")
def test_keyboard_interrupt(folder: Path) -> None:
    """It arrives after the native call, and the pool goes on."""
    code = """
pool = Pool(native, 2)
step(pool)
long = Table().add(kernels["linger"], 16, 500_000).add(kernels["count"], 8, address(counts), flags=FINISH)
signal.signal(signal.SIGALRM, signal.default_int_handler)
for _ in range(3):
    before = counts[8]
    signal.setitimer(signal.ITIMER_REAL, 0.005)
    try:
        pool.run(long.address, 2)
    except KeyboardInterrupt:
        print("interrupted", counts[8] - before)
    else:
        print("finished", counts[8] - before)
    signal.setitimer(signal.ITIMER_REAL, 0)
step(pool)
"""
    assert run_process(folder, code) == "interrupted 1\n" * 3


@pytest.mark.parametrize(
    "code", ["", "pool.close()", "idle = Pool(native, 4)", "import atexit; atexit.register(step, pool)"]
)
def test_exits(folder: Path, code: str) -> None:
    """With helpers asleep or just awake, with pools closed, unused, or used by what runs at exit."""
    assert run_process(folder, f"pool = shared_pool(native, 4)\nstep(pool)\n{code}\nprint('end')") == "end\n"


def test_exit_while_another_thread_runs(folder: Path) -> None:
    code = """
pool = Pool(native, 2)
long = Table().add(kernels["linger"], 8, 400_000)
threading.Thread(target=lambda: [pool.run(long.address, 1) for _ in range(100)], daemon=True).start()
time.sleep(0.05)
"""
    assert run_process(folder, code) == ""
