"""
What one command took: wall time, CPU time and peak memory, its helpers included.

The caller must stay small: Linux counts the memory of the process that starts another as that one's own until it has
begun, so a caller of 200 MB would make every peak 200 MB. Nothing here imports pyarrow or pandas.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

SAMPLE_S = 0.1

MB = 1_000_000


@dataclass(frozen=True)
class Measure:
    """
    Args:
        peak_mb: of the largest process as the kernel knows it; of the whole tree, sampled, where there are several.
        output: what the command printed.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float
    exit_code: int
    output: str


def measure(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
    has_children: bool = False,
) -> Measure:
    """
    Run a command to its end.

    Args:
        folder: its working folder; what it prints is kept there.
        has_children: it does its work in several processes, so memory is sampled over all of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    printed = folder / "printed.txt"
    with printed.open("wb") as out, (folder / "errors.txt").open("wb") as errors:
        began_s = time.perf_counter()
        process = subprocess.Popen(
            command,
            env=dict(environment),
            cwd=folder,
            stdout=out,
            stderr=errors,
            stdin=subprocess.DEVNULL,
        )
        tree = _TreePeak(process.pid, is_sampled=has_children or not hasattr(os, "wait4"))
        with tree:
            exit_code, cpu_s, peak_bytes = _wait(process, tree)
        wall_s = time.perf_counter() - began_s
    return Measure(
        wall_s, cpu_s, max(peak_bytes, tree.peak_bytes) / MB, exit_code, printed.read_text("utf-8")
    )


def _wait(process: subprocess.Popen[bytes], tree: _TreePeak) -> tuple[int, float, int]:
    """Exit code, CPU seconds with the children it waited for, peak bytes of the largest process."""
    if hasattr(os, "wait4"):
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        unit = 1 if os.uname().sysname == "Darwin" else 1024
        return process.returncode, used.ru_utime + used.ru_stime, used.ru_maxrss * unit
    return process.wait(), tree.cpu_s, 0


class _TreePeak:
    """Samples the memory of a process and its descendants, and the CPU time of those seen."""

    def __init__(self, pid: int, *, is_sampled: bool) -> None:
        self.peak_bytes = 0
        self._cpu_s: dict[int, float] = {}
        self._over = threading.Event()
        self._thread = (
            threading.Thread(target=self._watch, args=(pid,), daemon=True) if is_sampled else None
        )

    @property
    def cpu_s(self) -> float:
        return sum(self._cpu_s.values())

    def _watch(self, pid: int) -> None:
        with suppress(psutil.NoSuchProcess):
            root = psutil.Process(pid)
            while not self._over.wait(SAMPLE_S):
                total = 0
                for process in [root, *root.children(recursive=True)]:
                    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                        total += process.memory_info().rss
                        times = process.cpu_times()
                        self._cpu_s[process.pid] = times.user + times.system
                self.peak_bytes = max(self.peak_bytes, total)

    def __enter__(self) -> _TreePeak:
        if self._thread:
            self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._over.set()
        if self._thread:
            self._thread.join()
