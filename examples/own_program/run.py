"""A program of your own, from its C source to verified results and the receipt, on the running local network.

    make run                                                 # in another shell, until it says that the network stays up
    .venv/bin/python examples/own_program/run.py

The program compares texts: each task measures how far one text is from all that follow it, so that copies with typing
errors are found. It is built here, admitted, registered, paid for, run by devices, checked by verifiers, and every
result is compared with plain Python. Exit status 0 only if all of them agree.
"""

import argparse
import sys
import time
from pathlib import Path

from reference import decode, encode, expected_output, sample_texts

from multitude import Client, Terms, key_of
from multitude.build.module import BuiltModule, build_source, try_out
from multitude.build.registration import register_program
from multitude.errors import MultitudeError
from multitude.network import account_key, read_network
from protocol.wasm import Limits

SOURCE = Path(__file__).with_name("edit_distance.c")
LIMITS = Limits(wu=100_000_000, memory_pages=16, frame_bytes=65_536)
STACK_BYTES = 16_384
REGISTER_S, FINAL_S = 60, 300
CLOSE_BYTES = 12
"""Texts that differ by at most so many bytes are called copies."""

STARTED = time.monotonic()


def say(text: str) -> None:
    """A line with the seconds since the start."""
    print(f"{time.monotonic() - STARTED:6.1f} s  {text}", flush=True)


def show(what: str, rows: list[tuple[str, str]]) -> None:
    """A quote or a receipt, line by line."""
    say(f"{what}:")
    print("\n".join(f"{name:>25}  {text}" for name, text in rows), flush=True)


def build(inputs: list[bytes]) -> BuiltModule:
    """The program, and one task of it run here before any money moves."""
    built = build_source(SOURCE, LIMITS, STACK_BYTES)
    say(f"built and admitted: {len(built.module)} bytes, program {built.program_id}")
    trial = try_out(built, [("task 0", inputs[0])])[0]
    say(f"one task here: {trial.status}, {trial.wu} WU, distances {decode(trial.output)[:8]} ...")
    return built


def open_client() -> Client:
    """The local network's buyer, with tokens from the faucet if it has none. Raises MultitudeError."""
    network = read_network()
    key = account_key(network, "buyer")
    if key is None:
        raise MultitudeError("no local network is up: start one with `make run`")
    client = Client(str(network["api"]), key_of(key), str(network["rpc"]))
    if client.wallet.tokens() == 0:
        client.wallet.drip()
    return client


def check(texts: list[bytes], outputs: list[bytes]) -> int:
    """Compares every output with plain Python and prints the copies; how many outputs differ."""
    wrong = sum(output != expected_output(texts[k:]) for k, output in enumerate(outputs))
    say(f"{len(outputs) - wrong} of {len(outputs)} outputs equal plain Python's")
    for k, output in enumerate(outputs):
        for j, distance in enumerate(decode(output)):
            if distance <= CLOSE_BYTES:
                print(f"{distance:12} bytes apart: {texts[k].decode()!r}")
                print(f"{'':25} {texts[k + 1 + j].decode()!r}")
    return wrong


def main(arguments: list[str]) -> int:
    """Everything; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=24, help="how many texts are compared with each other")
    texts = sample_texts(parser.parse_args(arguments).texts)
    inputs = [encode(texts[k:]) for k in range(len(texts) - 1)]
    built = build(inputs)
    with open_client() as client:
        say(f"registered: {register_program(client.api, built, 'edit-distance', REGISTER_S)}")
        quote = client.quote(built.program_id, inputs)
        show("quote", quote.rows())
        job = client.submit(built.program_id, inputs, Terms(span_tasks=2), quote=quote, deposit=True)
        say(f"job {job.job_id}: {len(inputs)} tasks")
        for number, task in enumerate(job.as_completed(state="accepted", timeout_s=FINAL_S), 1):
            say(f"{number:3} delivered: task {task.task} by {task.device}, {task.wu} WU")
        say("delivered; now results are committed, drawn, replayed and paid")
        outputs = job.wait(FINAL_S).results()
        say("final, and verified against the chain")
        wrong = check(texts, outputs)
        receipt = job.receipt()
        show("receipt", receipt.rows())
        print(receipt.to_csv(), end="")
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except MultitudeError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(2)
