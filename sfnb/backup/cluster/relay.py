"""
In Dask's scheduler: questions of workers go to the coordinator, its answers go back.

A worker reaches its scheduler, and so does the coordinator; they need not reach each other. Dask's own
events would do the same, but the scheduler keeps those in its memory.
"""

from __future__ import annotations

import asyncio
from typing import Any

from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.protocol.pickle import dumps

TOPIC = "sfnb"
"""Of the messages to a coordinator."""

NAME = "sfnb-relay"


class Relay(SchedulerPlugin):  # type: ignore[misc]  # untyped where dask is not installed
    """
    One for all coordinators of a cluster. It runs on the scheduler's loop, so nothing is locked.

    Handlers: ``sfnb_join`` of a coordinator, ``sfnb_ask`` of a worker, ``sfnb_answer`` of a
    coordinator. What they carry is not looked into and not kept.
    """

    name = NAME
    idempotent = True

    def __init__(self) -> None:
        self._coordinators: set[str] = set()
        self._asked: dict[int, tuple[str, asyncio.Future[bytes | None]]] = {}
        self._number = 0
        self._forgetting: set[asyncio.Task[Any]] = set()

    async def start(self, scheduler: Any) -> None:
        self._scheduler = scheduler
        scheduler.handlers["sfnb_join"] = self.join
        scheduler.handlers["sfnb_ask"] = self.ask
        scheduler.handlers["sfnb_answer"] = self.answer

    async def join(self, coordinator: str) -> None:
        """A coordinator wants to hear of workers."""
        self._coordinators.add(coordinator)

    async def ask(self, coordinator: str, worker: str, body: bytes) -> bytes | None:
        """The coordinator's answer; None: it is gone."""
        if coordinator not in self._scheduler.client_comms:
            return None
        self._number += 1
        number, answer = self._number, asyncio.get_running_loop().create_future()
        self._asked[number] = (coordinator, answer)
        try:
            self._tell(coordinator, ask=number, worker=worker, body=body)
            found: bytes | None = await answer
            return found
        finally:
            self._asked.pop(number, None)

    async def answer(self, number: int, body: bytes) -> None:
        _, answer = self._asked.get(number, ("", None))
        if answer is not None and not answer.done():
            answer.set_result(body)

    def add_worker(self, scheduler: Any, worker: str) -> None:  # noqa: ARG002 - Dask's hook
        for coordinator in self._coordinators:
            self._tell(coordinator, came=worker)

    def remove_worker(self, scheduler: Any, worker: str, **_: Any) -> None:  # noqa: ARG002
        for coordinator in self._coordinators:
            self._tell(coordinator, gone=worker)

    def remove_client(self, scheduler: Any, client: str) -> None:
        """A coordinator is gone: whoever asked it hears so, and its session is forgotten."""
        if client not in self._coordinators:
            return
        self._coordinators.discard(client)
        for coordinator, answer in self._asked.values():
            if coordinator == client and not answer.done():
                answer.set_result(None)
        task = asyncio.ensure_future(self._forget(scheduler, client))
        self._forgetting.add(task)
        task.add_done_callback(self._forgetting.discard)

    async def _forget(self, scheduler: Any, coordinator: str) -> None:
        from sfnb.backup.cluster.far import forget

        call = {"function": dumps(forget), "args": dumps((coordinator,)), "kwargs": dumps({})}
        await scheduler.broadcast(msg={"op": "run", "wait": True, **call}, on_error="ignore")

    def _tell(self, coordinator: str, **message: Any) -> None:
        comm = self._scheduler.client_comms.get(coordinator)
        if comm is not None:
            comm.send({"op": "event", "topic": TOPIC, "event": (0.0, message)})
