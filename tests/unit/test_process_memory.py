"""Memory that a command's threads have freed is the machine's again."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

FREED_BY_THREADS = """
import sys
from threading import Thread
from sfnb.process_memory import give_back_free_memory

if sys.argv[1] == "yes":
    give_back_free_memory()

def resident_mb():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6

kept = []

def work():
    del (large := [bytearray(30_000_000)])[0]
    blocks = []
    for _ in range(100):
        blocks.append(bytearray(200_000))
        kept.append(bytearray(600))

before = resident_mb()
threads = [Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
stays_mb = round(resident_mb() - before)
import pyarrow
print(stays_mb, pyarrow.default_memory_pool().backend_name)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_what_threads_have_freed_is_given_back() -> None:
    """
    Eighty megabytes that four threads had, with small blocks between them that stay: with the usual
    settings most of it would stay the process's own. Arrow allocates the same way.
    """
    environment = {k: v for k, v in os.environ.items() if "MALLOC" not in k and "ARROW" not in k}

    def kept(how: str) -> tuple[int, str]:
        command = [sys.executable, "-c", FREED_BY_THREADS, how]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        mb, pool = ended.stdout.split()
        return int(mb), pool

    usual, mine = kept("no"), kept("yes")
    assert usual[0] > 60 and usual[1] == "mimalloc"
    assert mine[0] < 20 and mine[1] == "system"
