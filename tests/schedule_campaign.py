"""
A simulated time on a fast clock, in which the schedule's service is killed again and again.

Commands run in the campaign's own process, as real ones do in theirs: they outlive the service,
take their run by its token, and write how it ended. The service is a process of its own; its
successor stands by, so that a kill costs little of the simulated time.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sfnb.clock import SystemClock
from sfnb.errors import StateUnavailable
from sfnb.memory import State, open_state
from sfnb.schedule.service import Service
from sfnb.state.schedule_values import Entry, ScheduledRun

START = datetime(2027, 3, 1, tzinfo=UTC)
POLL_S = 1800.0
PAUSED = 75


class FastClock:
    """
    Real time, many times as fast, from ``START`` to an end at which it stands still. No
    ``SystemClock``: in its place a database's server would be asked for the time.
    """

    def __init__(self, began_s: float, speed: float, length_s: float) -> None:
        self.began_s, self.speed, self.length_s = began_s, speed, length_s
        self._real = SystemClock()

    def now(self) -> datetime:
        passed_s = (time.time() - self.began_s) * self.speed
        return START + timedelta(seconds=min(max(passed_s, 0.0), self.length_s))

    def monotonic(self) -> float:
        return self._real.monotonic() * self.speed

    def wait(self, seconds: float, stop: threading.Event | None = None) -> bool:
        # Not shorter than a look takes: the service reads the state at each.
        return self._real.wait(max(seconds / self.speed, 0.005), stop)

    @property
    def is_over(self) -> bool:
        return self.now() >= START + timedelta(seconds=self.length_s)

    @property
    def words(self) -> list[str]:
        return [str(self.began_s), str(self.speed), str(self.length_s)]


@dataclass(frozen=True)
class Line:
    """A cron line, and by itself when it is due."""

    cron: str
    is_due: Callable[[datetime], bool]


def lines(hourly: int, six_hourly: int, daily: int) -> dict[str, Line]:
    made = {}
    for n in range(hourly):
        minute = (7 * n) % 60
        made[f"hourly-{n}"] = Line(f"{minute} * * * *", lambda at, m=minute: at.minute == m)  # type: ignore[misc]
    for n in range(six_hourly):
        minute = (11 * n + 5) % 60
        made[f"six-{n}"] = Line(
            f"{minute} */6 * * *",
            lambda at, m=minute: at.minute == m and at.hour % 6 == 0,  # type: ignore[misc]
        )
    for n in range(daily):
        hour, minute = n % 24, (13 * n) % 60
        made[f"daily-{n}"] = Line(
            f"{minute} {hour} * * *",
            lambda at, h=hour, m=minute: (at.hour, at.minute) == (h, m),  # type: ignore[misc]
        )
    return made


@dataclass
class Outcome:
    """What happened."""

    kills: int
    expected: Counter[tuple[str, datetime]]
    written: Counter[tuple[str, datetime]]
    ran: Counter[tuple[str, datetime]]
    paused: Counter[tuple[str, datetime]]
    runs: list[ScheduledRun] = field(default_factory=list)
    open_at_end: list[ScheduledRun] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    """What commands met, and whether all came to rest in time."""

    @property
    def lost(self) -> int:
        """Due times without a line, and lines that are neither run, caught up nor refused."""
        silent = [
            run for run in self.runs
            if not self.ran[run.name, run.due_at] and run.covered_by is None and "refused" not in run.note
        ]  # fmt: skip
        return len(self.expected - self.written) + len(silent)

    @property
    def doubled(self) -> int:
        """Lines too many, and commands that ran once more than they paused."""
        waiting = {(run.name, run.due_at) for run in self.runs if run.again_at is not None}
        too_many = [
            key for key, n in self.ran.items() if n != (key not in waiting) + self.paused[key]
        ]
        return len(self.written - self.expected) + len(too_many)


class Commands(socketserver.ThreadingTCPServer):
    """Where commands run. Each connection is one attempt; it is closed when the attempt is over."""

    daemon_threads = True

    def __init__(self, state: State, seed: int) -> None:
        super().__init__(("127.0.0.1", 0), Attempt)
        self.state, self.random = state, random.Random(seed)  # noqa: S311 - replayed by its seed
        self.lock = threading.Lock()
        self.ran: Counter[tuple[str, datetime]] = Counter()
        self.paused: Counter[tuple[str, datetime]] = Counter()
        self.trouble: list[str] = []

    def handle_error(self, *_: object) -> None:
        """Nobody reads its standard error."""
        self.trouble.append(traceback.format_exc())


class Attempt(socketserver.StreamRequestHandler):
    server: Commands

    def handle(self) -> None:
        token = self.rfile.readline().decode().strip()
        book = self.server.state.schedule
        if not token or (run := book.take(token)) is None:
            return
        key = run.name, run.due_at
        with self.server.lock:
            self.server.ran[key] += 1
            code = PAUSED if self.server.random.random() < 0.1 else 0
            self.server.paused[key] += code == PAUSED
        again_at = self.server.state.database.clock.now() + timedelta(seconds=POLL_S)
        assert book.finish(token, code, again_at=again_at if code else None)


class Remote:
    """A command that runs there."""

    def __init__(self, port: int, token: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(f"{token}\n".encode())
        self.socket.setblocking(False)

    def is_over(self) -> bool:
        try:
            return self.socket.recv(1) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def stop(self) -> None:
        """It ends by itself."""


class StandBy:
    """A service's process that has started and waits for its turn."""

    def __init__(self, url: str, port: int) -> None:
        command = [sys.executable, "-m", "tests.schedule_campaign", url, str(port)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def is_ready(self) -> bool:
        assert self.process.stdout
        return self.process.stdout.readline() == b"ready\n"

    def begin(self, clock: FastClock) -> None:
        assert self.process.stdin
        self.process.stdin.write(" ".join(clock.words).encode() + b"\n")
        self.process.stdin.close()

    def end(self, number: int) -> None:
        self.process.send_signal(number)
        self.process.wait(60)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()


def campaign(
    url: str, entries: dict[str, Line], *, days: int, real_s: float, kills: int, seed: int
) -> Outcome:
    """Run it; what happened."""
    length_s = days * 86_400.0
    standing = FastClock(time.time(), 0.0, 0.0)
    with open_state(url, clock=standing) as state:
        for name, line in entries.items():
            state.schedule.add(name, cron=line.cron, tz="UTC", command=["jobs"])
    chance = random.Random(seed)  # noqa: S311 - replayed by its seed
    nap = threading.Event()
    # Time begins when the services stand by: a machine under load takes seconds to start one.
    clock = FastClock(time.time() + 3600, length_s / real_s, length_s)
    with open_state(url, clock=clock) as state:
        commands = Commands(state, seed)
        threading.Thread(target=commands.serve_forever, daemon=True).start()
        waiting = [StandBy(url, commands.server_address[1]) for _ in range(min(kills + 1, 5))]
        for one in waiting:
            one.is_ready()
        clock.began_s = time.time()
        service = waiting.pop(0)
        service.begin(clock)
        try:
            for n in range(kills):
                nap.wait(real_s / (kills + 1) * chance.uniform(0.6, 1.2))
                service.end(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
                service = waiting.pop(0)
                service.begin(clock)
                if n + len(waiting) < kills - 1:
                    waiting.append(StandBy(url, commands.server_address[1]))
            expected = _expected(entries, days)
            for _ in range(600):
                nap.wait(0.1)
                if clock.is_over and _is_settled(state, len(expected)):
                    break
            else:
                commands.trouble.append("not at rest after a minute")
        finally:
            for one in (service, *waiting):
                one.end(signal.SIGTERM)
            commands.shutdown()
            commands.server_close()
        runs = state.schedule.runs()
        written = Counter((run.name, run.due_at) for run in runs)
        return Outcome(
            kills, expected, written, commands.ran, commands.paused, runs,
            state.schedule.open_runs(), commands.trouble,
        )  # fmt: skip


def _expected(entries: dict[str, Line], days: int) -> Counter[tuple[str, datetime]]:
    """Minute by minute, without the product's own reading of cron lines."""
    minutes = (START + timedelta(minutes=n) for n in range(1, days * 1440 + 1))
    return Counter(
        (name, at) for at in minutes for name, line in entries.items() if line.is_due(at)
    )


def _is_settled(state: State, count: int) -> bool:
    """Whether each due time has its line and none runs; what was paused just now may still wait."""
    opened = state.schedule.open_runs()
    return not any(run.is_running for run in opened) and len(state.schedule.runs()) >= count


def main() -> None:
    """The service: stands by, then works until SIGTERM."""
    url, port = sys.argv[1:]
    print("ready", flush=True)
    words = sys.stdin.readline().split()
    if not words:
        return
    began_s, speed, length_s = map(float, words)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with open_state(url, clock=FastClock(began_s, speed, length_s)) as state:

        def start(_what: Entry | ScheduledRun, token: str) -> Remote:
            return Remote(int(port), token)

        Service(state, start, poll_s=POLL_S).run(stop)


if __name__ == "__main__":
    try:
        main()
    except StateUnavailable:
        os._exit(1)  # the campaign is over and took the database away
