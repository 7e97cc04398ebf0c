"""A process of its own that the operating system ends: at a step of its work, or at any moment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

from tests.command_line import Ran

DYING = """
import os, signal, sys
import sfnb.store.files as files
from sfnb.org.client import OrgClient
left, taken = int(sys.argv[1]), 0
def step():
    global taken
    taken += 1
    if taken == left:
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
def dying(real):
    def call(*arguments, **options):
        step()
        answer = real(*arguments, **options)
        step()
        return answer
    return call
for of, name in ((OrgClient, "request"), (files.Files, "open_new"), (files.Files, "put_new"),
                 (files.Files, "sync"), (files.Files, "delete")):
    setattr(of, name, dying(getattr(of, name)))
from sfnb.cli.main import run
code = run(sys.argv[2:])
print("steps", taken, file=sys.stderr)
sys.exit(code)
"""
"""A step is a call to the org, or a change of a file of the store, before or after it is done."""

ENDED = (0, 1, 2, 3, 75)


def dies_at(step: int, environ: Mapping[str, str], *arguments: str) -> Ran | None:
    """Run one command, dead at so manieth a step; what it said where it ended before that. 0: never."""
    words = [sys.executable, "-c", DYING, str(step), *arguments]
    done = subprocess.run(
        words, env=_own(environ), check=False, capture_output=True, encoding="utf-8"
    )
    return Ran(done.returncode, done.stdout, done.stderr) if done.returncode in ENDED else None


def dies_after(seconds: float, environ: Mapping[str, str], *arguments: str) -> Ran | None:
    """As ``dies_at``, ended from outside after a while, whatever it is doing then."""
    words = [sys.executable, "-c", DYING, "0", *arguments]
    with subprocess.Popen(
        words, env=_own(environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    ) as process:
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return None
    return Ran(process.returncode, out, err)


def steps_of(ran: Ran) -> int:
    """How many steps a command took that came to its end."""
    return int(ran.err.rpartition("steps ")[2])


def _own(environ: Mapping[str, str]) -> dict[str, str]:
    return {**environ, "PYTHONPATH": os.pathsep.join(sys.path)}
