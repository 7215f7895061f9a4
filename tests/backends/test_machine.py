"""The machine description: plausible for this machine, and another's where the environment asks for it."""

import pytest

from graphc.backends.cpu import machine as module
from graphc.backends.cpu.machine import machine
from graphc.errors import ArgumentError


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("GRAPHC_VECTOR_BITS", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"):
        monkeypatch.delenv(name, raising=False)


def test_this_machine():
    this = machine()
    assert this.cpu
    assert this.vector_bytes in (16, 32, 64)
    assert this.vector_registers in (16, 32)
    first, second, third = this.caches
    assert 8 << 10 <= first <= second <= third
    assert this.cores >= 1
    assert machine() is this


@pytest.mark.parametrize("bits", [128, 256, 512])
def test_the_width_of_another(monkeypatch, bits):
    monkeypatch.setenv("GRAPHC_VECTOR_BITS", str(bits))
    assert machine().vector_bytes == bits // 8


@pytest.mark.parametrize("bits", ["64", "wide", "-128", "256.0"])
def test_a_width_that_is_none(monkeypatch, bits):
    monkeypatch.setenv("GRAPHC_VECTOR_BITS", bits)
    with pytest.raises(ArgumentError, match=f"GRAPHC_VECTOR_BITS is to be 128, 256 or 512, but is '{bits}'"):
        machine()


@pytest.mark.parametrize(
    ("features", "vector_bytes", "registers"),
    [("+sse2,-avx", 16, 16), ("+avx,+avx2,-avx512f", 32, 16), ("+avx2,+avx512f", 64, 32)],
)
def test_the_features_of_another(monkeypatch, features, vector_bytes, registers):
    monkeypatch.setattr(module.platform, "machine", lambda: "x86_64")
    monkeypatch.setenv("NUMBA_CPU_NAME", "another")
    monkeypatch.setenv("NUMBA_CPU_FEATURES", features)
    other = machine()
    assert (other.cpu, other.features) == ("another", features)
    assert (other.vector_bytes, other.vector_registers) == (vector_bytes, registers)


def test_arm(monkeypatch):
    monkeypatch.setattr(module.platform, "machine", lambda: "arm64")
    monkeypatch.setenv("NUMBA_CPU_NAME", "apple-m1")
    monkeypatch.setenv("NUMBA_CPU_FEATURES", "+neon")
    assert (machine().vector_bytes, machine().vector_registers) == (16, 32)


def test_the_caches_that_linux_tells(tmp_path):
    files = {"level": "1", "type": "Data", "size": "48K"}, {"level": "1", "type": "Instruction", "size": "32K"}
    files += {"level": "2", "type": "Unified", "size": "2048K"}, {"level": "3", "type": "Unified"}
    for i, each in enumerate(files):
        (tmp_path / f"index{i}").mkdir()
        for name, text in each.items():
            (tmp_path / f"index{i}" / name).write_text(f"{text}\n")
    assert module._linux_caches(tmp_path) == {1: 48 << 10, 2: 2 << 20}
    assert module._linux_caches(tmp_path / "missing") == {}


def test_it_reads_well(monkeypatch):
    monkeypatch.setenv("NUMBA_CPU_NAME", "znver4")
    monkeypatch.setenv("GRAPHC_VECTOR_BITS", "256")
    monkeypatch.setattr(module, "_caches", lambda: (32 << 10, 1 << 20, 32 << 20))
    monkeypatch.setattr(module, "available_cores", lambda: 2)
    module._machine.cache_clear()
    try:
        lines = str(machine()).splitlines()
    finally:
        module._machine.cache_clear()
    assert lines[0] == "CPU                znver4"
    assert lines[2:] == ["caches             L1 32 KiB, L2 1 MiB, L3 32 MiB", "cores              2"]
