"""Many devices search the hyper-parameters of a small network at once, on the running local network.

    make run                                                 # in another shell, until it says that the network stays up
    .venv/bin/python examples/parallel_search.py             # --tasks 256 --devices 1,2,4 --after 15 --seed 1

Each task trains one integer network on handwritten digits (programs/trainer) and answers how many of 300 validation
images it tells right. The same search is done by 1, 2 and 4 devices that this script adds to the network and removes
again: they work cheaper than those that are there, and the bid takes no dearer ones. It prints the best accuracy after
a fixed time and the time of the whole search, draws both (var/examples/parallel_search.svg, or as text without
matplotlib), and trains the best network again in numpy: every bit must be the same.
"""

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
from search_devices import Devices
from search_report import Answer, Search, plot, table, text_plot

from multitude import Client, Terms, key_of
from multitude.build.module import examine
from multitude.build.registration import register_program
from multitude.errors import MultitudeError
from multitude.network import account_key, read_network
from programs.catalogue import CATALOGUE
from programs.trainer.reference import VALIDATION, Network, Settings, expected_output

FOLDER = Path(__file__).resolve().parents[1] / "var" / "examples"
PRICE_WEI_PER_GWU = 10**14
"""Far below what the network's other devices ask."""
STAKE_WEI = 3 * 10**17
REGISTER_S, SEARCH_S, FINAL_S = 60, 600, 300


def draw_settings(count: int, seed: int) -> list[Settings]:
    """Hyper-parameters of a random search."""
    chance = Random(seed)
    return [
        Settings(
            hidden=chance.randint(16, 48),
            rate_shift=chance.randint(2, 9),
            halve_every=chance.choice((2, 4, 8, 16)),
            epochs=chance.randint(16, 32),
            seed=chance.randint(1, 2**32 - 1),
        )
        for _ in range(count)
    ]


def search(client: Client, program_id: str, inputs: Sequence[bytes], devices: int) -> Search:
    """One job over all the inputs; returns when every answer is final and equal to what was delivered."""
    terms = Terms(max_price_wei_per_gwu=PRICE_WEI_PER_GWU, span_tasks=1)
    job = client.submit(program_id, inputs, terms, deposit=True)
    started, answers, best = time.monotonic(), [], 0
    for task in job.as_completed(state="accepted", timeout_s=SEARCH_S):
        answers.append(Answer(time.monotonic() - started, task.task, task.output))
        if answers[-1].right > best or sys.stdout.isatty():
            best = max(best, answers[-1].right)
            progress(f"{devices} devices: {len(answers)} of {len(inputs)}, best {best / VALIDATION:.1%}")
    done = Search(devices, tuple(answers))
    progress(f"{devices} devices: all in {done.seconds:.1f} s; waiting until it is verified and paid")
    settled = job.wait(FINAL_S).results()
    if [settled[answer.task] for answer in answers] != [answer.output for answer in answers]:
        raise MultitudeError("what was settled is not what was delivered")
    progress(
        f"{devices} devices: all in {done.seconds:.1f} s, verified and paid in {time.monotonic() - started:.1f} s\n"
    )
    return done


def progress(text: str) -> None:
    """The line that says where things stand."""
    print(f"\r{text:90}" if sys.stdout.isatty() else f"{text}\n", end="", flush=True)


def accuracy_of_best(settings: Settings, output: bytes) -> float:
    """Trains a network again in numpy and compares every bit; its accuracy on 500 images that no search saw."""
    from programs.digits import dataset

    if expected_output(settings) != output:
        raise MultitudeError(f"numpy trains another network with {settings}")
    chosen = sorted(dataset.held_out())
    pixels = np.array([list(dataset.images()[index]) for index in chosen])
    labels = np.array([dataset.labels()[index] for index in chosen])
    return Network.decode(output).right_answers(pixels, labels) / len(chosen)


def report(searches: Sequence[Search], settings: Sequence[Settings], after_s: float) -> None:
    """Prints the table, the plot and the winner, which is trained again."""
    print(table(searches, after_s))
    path = plot(searches, FOLDER / "parallel_search.svg")
    print(text_plot(searches) if path is None else f"drawn in {path} and as PNG")
    best = searches[-1].best
    print(f"best: {best.right / VALIDATION:.1%} of the validation images with {settings[best.task]}")
    held_out = accuracy_of_best(settings[best.task], best.output)
    print(f"trained again in numpy: the same bits; {held_out:.1%} of 500 images that it never saw")


def run(options: argparse.Namespace) -> None:
    """Everything. Raises MultitudeError."""
    network = read_network()
    key = account_key(network, "buyer")
    if key is None:
        raise MultitudeError("no local network is up: start one with `make run`")
    entry, settings, searches = CATALOGUE["trainer"], draw_settings(options.tasks, options.seed), []
    inputs = [one.encode() for one in settings]
    FOLDER.mkdir(parents=True, exist_ok=True)
    with Client(str(network["api"]), key_of(key), str(network["rpc"])) as client:
        if client.wallet.tokens() == 0:
            client.wallet.drip()
        built = examine(entry.module.read_bytes(), entry.limits)
        register_program(client.api, built, entry.name, REGISTER_S)
        with Devices(client, network, FOLDER, PRICE_WEI_PER_GWU, STAKE_WEI) as devices:
            for count in sorted({int(part) for part in options.devices.split(",")}):
                devices.run(count)
                searches.append(search(client, built.program_id, inputs, count))
    report(searches, settings, options.after)


def main(arguments: list[str]) -> int:
    """The exit status: 0 when everything agrees, 2 where it cannot be told."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=256, help="networks to train")
    parser.add_argument("--devices", default="1,2,4", help="how many devices: one search for each number")
    parser.add_argument("--after", type=float, default=15, help="seconds after which the best accuracies are compared")
    parser.add_argument("--seed", type=int, default=1, help="of the hyper-parameters that are tried")
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that no device is left behind
    try:
        run(parser.parse_args(arguments))
    except MultitudeError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
