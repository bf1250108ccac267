"""The sockets of the API: uvicorn's HTTP/1.1 protocol with deadlines and bounds, so that silence costs us nothing.

Plain uvicorn waits for ever for a request's head or body, and its `limit_concurrency` counts such sockets against
everybody. Here a head and a body have deadlines, a reader that stalls is cut off, and where there are too many
connections the oldest one that still owes us its request makes room.
"""

import asyncio
import json
from collections import Counter, OrderedDict
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from market.limits import caller_of
from market.problems import MEDIA_TYPE, Problem

HEAD_SECONDS = 10.0
"""From the connection, or from the first byte of the next request, to the end of its head."""
BODY_SECONDS = 10.0
BODY_BYTES_PER_SECOND = 16 << 10
"""A body may take BODY_SECONDS, and as much longer as its bytes so far take at this rate."""
STALL_SECONDS = 30.0
"""How long a reader may leave our send buffer full."""
LINGER_SECONDS = 2.0
"""How long a body is still taken after we answered without it."""
HEAD_BYTES_MAX = 16 << 10


class Connections:
    """The open connections of a process. `receiving` are those that owe us a request or a part of it, oldest first."""

    def __init__(self, most: int, each: int) -> None:
        """At most `most` connections, of one caller at most `each`."""
        self.most = most
        self.each = each
        self.of: Counter[str] = Counter()
        self.receiving: OrderedDict[GuardedProtocol, None] = OrderedDict()

    def admit(self, protocol: "GuardedProtocol") -> bool:
        """Takes a new connection, if need be in the place of one that owes its request; False if there is no room."""
        caller = protocol.caller
        room = self.of[caller] < self.each or self._evict(caller)
        room = room and (self.of.total() < self.most or self._evict(None))
        if room:
            self.of[caller] += 1
            self.receiving[protocol] = None
        elif not self.of[caller]:
            del self.of[caller]
        return room

    def forget(self, protocol: "GuardedProtocol") -> None:
        """The connection is over."""
        self.receiving.pop(protocol, None)
        self.of[protocol.caller] -= 1
        if self.of[protocol.caller] <= 0:
            del self.of[protocol.caller]

    def _evict(self, caller: str | None) -> bool:
        oldest = next((held for held in self.receiving if caller in (None, held.caller)), None)
        if oldest is None:
            return False
        oldest.cut()
        return True


class GuardedProtocol(H11Protocol):
    """One connection. `open_connections` is set by `guarded`."""

    open_connections: Connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Admits the connection or ends it."""
        super().connection_made(transport)
        self.caller = caller_of({"client": self.client})
        self.admitted = self.open_connections.admit(self)
        self._timer: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._body_from: float | None = None
        self._body_bytes = 0
        if self.admitted:
            self._arm(HEAD_SECONDS)
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Gives the place back."""
        self._disarm()
        self._end_stall()
        if self.admitted:
            self.admitted = False
            self.open_connections.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Takes bytes, and sees what is still owed after them."""
        if not self.admitted:
            return
        if self._body_from is not None:
            self._body_bytes += len(data)
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """The answer is out; a body that is still coming gets a moment, then the connection ends."""
        super().on_response_complete()
        if self.admitted and self.conn.their_state is h11.SEND_BODY:
            self._disarm()
            self._timer = self.loop.call_later(LINGER_SECONDS, self.cut)
        else:
            self._look()

    def pause_writing(self) -> None:
        """The reader is slow: its time runs."""
        super().pause_writing()
        if self._stall is None:
            self._stall = self.loop.call_later(STALL_SECONDS, self.cut)

    def resume_writing(self) -> None:
        """The reader took something."""
        self._end_stall()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is answered with a problem, and is the last of its connection."""
        self._refuse(Problem(400, "request_malformed", msg))

    def cut(self) -> None:
        """Ends the connection at once."""
        self._disarm()
        if self.admitted:
            self.admitted = False
            self.open_connections.forget(self)
        self.transport.abort()

    # --- inside

    def _look(self) -> None:
        """Sets the deadline for what the caller owes now: a head, a body, or nothing."""
        if not self.admitted or self.transport.is_closing():
            return
        waits_for_us = self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body
        if waits_for_us:
            self.open_connections.receiving.pop(self, None)
            self._body_from = None
            self._disarm()
            return
        self.open_connections.receiving.setdefault(self, None)
        if self.cycle is not None and not self.cycle.response_complete:
            if self._body_from is None:
                self._body_from, self._body_bytes = self.loop.time(), 0
                self._arm(BODY_SECONDS)
        elif self._timer is None and self.timeout_keep_alive_task is None:
            self._arm(HEAD_SECONDS)

    def _late(self) -> None:
        """A deadline has passed: a body that came quickly enough goes on, everything else is over."""
        self._timer = None
        if self._body_from is not None:
            allowed = BODY_SECONDS + self._body_bytes / BODY_BYTES_PER_SECOND
            left = self._body_from + allowed - self.loop.time()
            if left > 0:
                self._timer = self.loop.call_later(left + 0.05, self._late)
                return
        self._refuse(Problem(408, "request_too_slow", "the request did not arrive in time"))

    def _refuse(self, problem: Problem) -> None:
        """Answers, where nothing was answered yet, and ends the connection."""
        self._disarm()
        body = json.dumps(problem.body()).encode()
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE) and not self.transport.is_closing():
            parts: list[Any] = [
                h11.Response(status_code=problem.status, headers=headers),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ]
            for part in parts:
                self.transport.write(self.conn.send(part) or b"")
        self.transport.close()

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._timer = self.loop.call_later(seconds, self._late)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None


def guarded(most: int, each: int) -> type[GuardedProtocol]:
    """The protocol of a process with at most `most` connections, `each` of one caller."""
    return type("Guarded", (GuardedProtocol,), {"open_connections": Connections(most, each)})
