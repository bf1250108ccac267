"""A small launcher for test_supervisor: a network with a service that has awkward children. Argument: its folder."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from deploy.local.network import LocalNetwork
from deploy.local.profiles import LOCAL
from deploy.local.supervisor import StopRequested, stop_on_signals

# A grandchild with an empty environment in a session of its own, and one that ignores SIGTERM.
AWKWARD = """
import signal, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], env={}, start_new_session=True)
subprocess.Popen([sys.executable, "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"], env={})
time.sleep(600)
"""


def main() -> int:
    """Starts the network, says `up` and waits for a signal."""
    try:
        with stop_on_signals(), LocalNetwork(LOCAL, Path(sys.argv[1])) as network:
            network.start_python("awkward", ["-c", AWKWARD], restart=True)
            time.sleep(0.7)
            print("up", flush=True)
            network.wait_while_healthy(lambda: False)
    except StopRequested as stop:
        return stop.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
