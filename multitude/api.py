"""The market's HTTP API as a buyer sees it."""

from types import TracebackType
from typing import Any, Self

import httpx2

from chain.deployment import Deployment
from multitude.errors import ApiRefused, ApiUnreachable
from protocol.blobs import blob_id
from protocol.encoding import to_hex
from protocol.messages import Bid


class MarketApi:
    """Requests to one market. `timeout` in seconds for each. Every method raises ApiRefused and ApiUnreachable."""

    def __init__(self, url: str, timeout: float = 30) -> None:
        self.url = url.rstrip("/")
        self._http = httpx2.Client(base_url=self.url, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def deployment(self) -> Deployment:
        """The contracts that this market settles on. Whoever trusts no market compares them with its own file."""
        value = self.network()
        return Deployment.from_json(value | {"contracts": value["addresses"]})

    def network(self) -> dict[str, Any]:
        """Contracts, clocks in seconds, settler, fee."""
        return self._json("GET", "/v1/network")

    def put_blob(self, data: bytes) -> str:
        """Upload a blob; its id. One that is there is not sent again."""
        name = to_hex(blob_id(data))
        if self._send("HEAD", f"/v1/blobs/{name}", accept=(200, 404)).status_code == 404:
            self._send("PUT", f"/v1/blobs/{name}", content=data, headers={"content-type": "application/octet-stream"})
        return name

    def get_blob(self, name: bytes) -> bytes:
        """A blob, checked against its id. Raises ApiRefused with code "blob_damaged" for other bytes."""
        data = self._send("GET", f"/v1/blobs/{to_hex(name)}").content
        if blob_id(data) != name:
            raise ApiRefused(200, "blob_damaged", f"the bytes of {to_hex(name)} are others")
        return bytes(data)

    def admit(self, original_hash: str, limits: dict[str, int], name: str | None) -> str:
        """Ask for an uploaded module to be admitted and registered; the program's id."""
        body = {"originalHash": original_hash, "limits": limits, "name": name}
        return str(self._json("POST", "/v1/programs", json=body)["programId"])

    def program(self, program_id: str) -> dict[str, Any]:
        """A program."""
        return self._json("GET", f"/v1/programs/{program_id}")

    def quote(self, program_id: str, manifest: str, **wishes: int) -> dict[str, Any]:
        """What a job over the manifest's inputs would cost; a sample of them is run."""
        return self._json("POST", "/v1/quotes", json={"programId": program_id, "manifest": manifest, **wishes})

    def submit(self, bid: Bid, signature: bytes, key: str) -> dict[str, Any]:
        """Open a job on a signed bid; `key` makes repeating it harmless."""
        body = {"bid": bid.to_json(), "signature": to_hex(signature)}
        return self._json("POST", "/v1/jobs", json=body, headers={"idempotency-key": key})

    def job(self, job_id: str) -> dict[str, Any]:
        """Where a job stands."""
        return self._json("GET", f"/v1/jobs/{job_id}")

    def receipt(self, job_id: str) -> dict[str, Any]:
        """Where a job's money went."""
        return self._json("GET", f"/v1/jobs/{job_id}/receipt")

    def offers(self) -> dict[str, Any]:
        """Counts of live devices."""
        return self._json("GET", "/v1/offers?summary=true")

    def _json(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        value: dict[str, Any] = self._send(method, path, **request).json()
        return value

    def _send(self, method: str, path: str, accept: tuple[int, ...] = (), **request: Any) -> httpx2.Response:
        try:
            response = self._http.request(method, path, **request)
        except httpx2.HTTPError as error:
            raise ApiUnreachable(f"{method} {self.url}{path}: {error}") from error
        if response.is_success or response.status_code in accept:
            return response
        raise _problem(response)


def _problem(response: httpx2.Response) -> ApiRefused:
    try:
        value = response.json()
        return ApiRefused(response.status_code, str(value["code"]), str(value.get("detail", "")))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ApiRefused(response.status_code, "no_problem", response.text[:200])
