"""The market's HTTP API as a buyer sees it."""

from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpx2

from chain.deployment import Deployment
from chain.errors import DeploymentInvalid
from multitude.buyer.http import BLOB_BYTES_MAX, RESULTS_BYTES_MAX, Connection
from multitude.buyer.wire import object_of, text_of
from multitude.errors import ApiHostile, ApiUnreachable
from protocol.blobs import blob_id
from protocol.encoding import to_hex
from protocol.messages import Bid

STREAMS_MOST = 16
"""Streams of events that are open at once; further jobs are polled, so that requests find a connection."""


class StoryOver(Exception):
    """The job is over and nothing follows in its story."""


class JobEvent(NamedTuple):
    """Something that happened to a job: its number in the job's story, its kind such as "span.final", its data."""

    id: int
    kind: str
    data: Mapping[str, Any]


class AsyncMarketApi:
    """Requests to one market. `timeout` in seconds. Every method raises ApiRefused, ApiUnreachable and ApiHostile."""

    def __init__(self, url: str, timeout: float = 30) -> None:
        self.connection = Connection(url, timeout)
        self.url = self.connection.url
        self.token: str | None = None
        self._streams = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Give the connections back."""
        await self.connection.aclose()

    async def deployment(self) -> Deployment:
        """The contracts that this market settles on. Whoever trusts no market compares them with its own file."""
        value = await self.network()
        try:
            return Deployment.from_json(value | {"contracts": value["addresses"]})
        except (DeploymentInvalid, KeyError) as error:
            raise ApiHostile(f"the market describes no network: {error}") from error

    async def network(self) -> dict[str, Any]:
        """Contracts, clocks in seconds, settler, fee."""
        return await self.connection.json("GET", "/v1/network")

    async def put_blob(self, data: bytes) -> str:
        """Upload a blob, unless it is there; its id. Raises NotSignedIn for a large one of a stranger."""
        name = to_hex(blob_id(data))
        there = await self.connection.send("HEAD", f"/v1/blobs/{name}", accept=(404,))
        if there.status == httpx2.codes.NOT_FOUND:
            kind = {"content-type": "application/octet-stream"} | self._person()
            await self.connection.send("PUT", f"/v1/blobs/{name}", content=data, headers=kind)
        return name

    async def get_blob(self, name: bytes, most: int = BLOB_BYTES_MAX) -> bytes:
        """A blob of at most `most` bytes, checked against its id. Raises ApiHostile for other bytes."""
        answer = await self.connection.send("GET", f"/v1/blobs/{to_hex(name)}", most=most)
        if blob_id(answer.body) != name:
            raise ApiHostile(f"the bytes of {to_hex(name)} are others")
        return answer.body

    async def admit(self, original_hash: str, limits: dict[str, int], name: str | None) -> str:
        """Ask for an uploaded module to be admitted and registered; the program's id. Raises ProgramRefused."""
        body = {"originalHash": original_hash, "limits": limits, "name": name}
        value = await self.connection.json("POST", "/v1/programs", json=body)
        return text_of(value, "programId", 66)

    async def program(self, program_id: str) -> dict[str, Any]:
        """A program."""
        return await self.connection.json("GET", f"/v1/programs/{program_id}")

    async def programs(self, cursor: int | None = None) -> dict[str, Any]:
        """Programs, newest first: `programs` and `next`, the cursor of the next page or None."""
        return await self.connection.json("GET", "/v1/programs", params=_present(cursor=cursor, limit=200))

    async def quote(self, program_id: str, manifest: str, rate_floor_ppm: int, min_stake: int) -> dict[str, Any]:
        """What a job over the manifest's inputs would cost; a sample of them is run."""
        wishes = {"rateFloorPpm": rate_floor_ppm, "minStake": str(min_stake)}
        body = {"programId": program_id, "manifest": manifest, **wishes}
        return await self.connection.json("POST", "/v1/quotes", json=body)

    async def submit(self, bid: Bid, signature: bytes, key: str) -> dict[str, Any]:
        """Open a job on a signed bid; `key` makes repeating it harmless."""
        body = {"bid": bid.to_json(), "signature": to_hex(signature)}
        return await self.connection.json("POST", "/v1/jobs", json=body, headers={"idempotency-key": key})

    async def job(self, job_id: str) -> dict[str, Any]:
        """Where a job stands."""
        return await self.connection.json("GET", f"/v1/jobs/{job_id}")

    async def jobs(self, buyer: str, cursor: int | None = None, limit: int = 50) -> dict[str, Any]:
        """Jobs of a buyer, newest first: `jobs` and `next`."""
        found = _present(buyer=buyer, cursor=cursor, limit=limit)
        return await self.connection.json("GET", "/v1/jobs", params=found)

    async def results(self, job_id: str, cursor: int, limit: int) -> dict[str, Any]:
        """Results from task `cursor` on: `results` and `next`."""
        found = {"cursor": cursor, "limit": limit}
        return await self.connection.json("GET", f"/v1/jobs/{job_id}/results", params=found, most=RESULTS_BYTES_MAX)

    async def receipt(self, job_id: str) -> dict[str, Any]:
        """Where a job's money went."""
        return await self.connection.json("GET", f"/v1/jobs/{job_id}/receipt")

    async def offers(self) -> dict[str, Any]:
        """Counts of live devices."""
        return await self.connection.json("GET", "/v1/offers?summary=true")

    async def events(self, job_id: str, after: int) -> AsyncIterator[JobEvent]:
        """A job's story after an event, until the connection ends. Raises StoryOver where nothing follows."""
        if self._streams >= STREAMS_MOST:
            raise ApiUnreachable(f"{STREAMS_MOST} streams are open already")
        headers = {"last-event-id": str(after)} if after else {}
        self._streams += 1
        try:
            async with self.connection.events(f"/v1/jobs/{job_id}/events", headers) as source:
                if source is None:
                    raise StoryOver
                async for event in source:
                    yield _event(event)
        finally:
            self._streams -= 1

    async def person(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        """A call of the signed-in person; an empty answer is an empty object."""
        headers = self._person()
        if method == "DELETE":
            await self.connection.send(method, path, headers=headers, **request)
            return {}
        return await self.connection.json(method, path, headers=headers, **request)

    def _person(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"} if self.token else {}


def _event(event: httpx2.ServerSentEvent) -> JobEvent:
    if not event.id.isascii() or not event.id.isdigit() or len(event.id) > 18:
        raise ApiHostile(f"an event without a number: {event.id[:50]!r}")
    try:
        data = event.json()
    except (ValueError, RecursionError) as error:
        raise ApiHostile(f"event {event.id}: no JSON") from error
    return JobEvent(int(event.id), event.event[:64], object_of(data, f"event {event.id}"))


def _present(**values: object) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
