"""`python -m deploy.local`: the local network with the main job, as `make run` starts it."""

import argparse
import sys
import time

LAUNCHED = time.monotonic()


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options. `--liar` takes 0 or 1 too, for `make run LIAR=0`."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    parser.add_argument("--profile", default="local", choices=["local", "testnet"], help="which clocks to run on")
    parser.add_argument("--exit", action=argparse.BooleanOptionalAction, default=False, help="stop after the job")
    parser.add_argument(
        "--liar", nargs="?", const="1", default="1", choices=["0", "1"], help="does the fifth device lie"
    )
    parser.add_argument("--no-liar", dest="liar", action="store_const", const="0", help="everybody is honest")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run; the exit status."""
    options = parse(arguments)
    from deploy.local.mainjob.play import play
    from deploy.local.profiles import profile_named
    from deploy.local.supervisor import StopRequested, SupervisorError, stop_on_signals

    try:
        with stop_on_signals():
            return play(profile_named(options.profile), options.liar == "1", not options.exit, LAUNCHED)
    except StopRequested as stop:
        return stop.exit_status
    except SupervisorError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
