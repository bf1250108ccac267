"""JSON-RPC over one or several nodes of one chain."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import requests
from web3 import HTTPProvider
from web3.exceptions import Web3Exception
from web3.types import RPCEndpoint

from chain import codec
from chain.codec import Decoded
from chain.errors import NodeRefused, RpcFailed, SendRefused, WrongChain, refusal

TOO_MANY_REQUESTS = 429

T = TypeVar("T")


class Node:
    """One node. `timeout` in seconds for connecting and for each answer."""

    def __init__(self, url: str, timeout: float) -> None:
        self.url = url
        self.is_checked = False
        self._provider = HTTPProvider(url, request_kwargs={"timeout": timeout}, exception_retry_configuration=None)

    def ask(self, method: str, params: Sequence[Any] = ()) -> Decoded:
        """The result of one request. Raises ContractReverted where the answer is a revert, else RpcFailed."""
        answer = _carried(method, lambda: self._provider.make_request(RPCEndpoint(method), list(params)))
        return _result(method, answer)

    def ask_together(self, asked: Sequence[tuple[str, Sequence[Any]]]) -> list[Decoded]:
        """The results of some requests in one batch: a balancer gives it to one node, which answers from one state."""
        batch = [(RPCEndpoint(method), list(params)) for method, params in asked]
        answers = _carried(asked[0][0], lambda: self._provider.make_batch_request(batch))
        if not isinstance(answers, list):
            answers = [answers]
        results = [_result(method, answer) for (method, _), answer in zip(asked, answers, strict=False)]
        if len(results) != len(asked):
            raise RpcFailed(f"{len(results)} answers to {len(asked)} requests")
        return results


class Nodes:
    """Nodes of the chain `chain_id` (0: of whatever chain), asked in turn.

    A request goes to the node that answered last and, where that fails, once to each of the others: so it fails after
    as many timeouts as there are nodes, at most. Each node's chain id is compared when it is first used. Safe between
    threads.
    """

    def __init__(self, urls: Sequence[str], chain_id: int, timeout: float) -> None:
        self._nodes = [Node(url, timeout) for url in urls]
        self._chain_id = chain_id
        self._present = 0

    def ask(self, work: Callable[[Node], T]) -> T:
        """What `work` returns at the first node where it does not raise RpcFailed.

        Reverts and refused transactions are answers: no other node is asked. Raises what the last node raised.
        """
        first, failure = self._present, RpcFailed("no node is named")
        for turn in range(len(self._nodes)):
            index = (first + turn) % len(self._nodes)
            try:
                answer = work(self._checked(index))
            except SendRefused:
                raise
            except RpcFailed as error:
                failure = error
                continue
            self._present = index
            return answer
        raise failure

    def chain_id(self) -> int:
        """The present node's chain id, whatever it should be."""
        return int(self._nodes[self._present].ask("eth_chainId"), 16)

    def _checked(self, index: int) -> Node:
        node = self._nodes[index]
        if self._chain_id and not node.is_checked:
            found = int(node.ask("eth_chainId"), 16)
            if found != self._chain_id:
                raise WrongChain(
                    f"the node at {index + 1} of {len(self._nodes)} is of chain {found}, not {self._chain_id}"
                )
            node.is_checked = True
        return node


def _carried(method: str, send: Callable[[], Decoded]) -> Decoded:
    """The answer; what goes wrong on the way as RpcFailed. URLs hold keys, so no message may name them."""
    try:
        return send()
    except requests.HTTPError as error:
        status = error.response.status_code
        text = f"{method}: HTTP status {status}: {error.response.text[:200]}"
        raise (NodeRefused if 400 <= status < 500 and status != TOO_MANY_REQUESTS else RpcFailed)(text) from None
    except (requests.RequestException, Web3Exception, ValueError, OSError) as error:
        raise RpcFailed(f"{method}: {type(error).__name__}") from error


def _result(method: str, answer: Decoded) -> Decoded:
    error = answer.get("error")
    if error is None:
        return answer["result"]
    message = str(error.get("message", error)) if isinstance(error, dict) else str(error)
    data = error.get("data") if isinstance(error, dict) else None
    if isinstance(data, dict):
        data = data.get("data")
    if isinstance(data, str) and data.startswith("0x") and len(data) > 2:
        raise codec.revert_of(bytes.fromhex(data[2:]))
    if "revert" in message:
        raise codec.revert_of(b"")
    raise refusal(method, message)
