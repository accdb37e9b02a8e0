"""Both ends of iperf3 on this machine: `both_ends.py IPERF3 SECONDS` writes the client's report."""

import socket
import subprocess
import sys
import time

TRIES = 100

if __name__ == "__main__":
    iperf3, seconds = sys.argv[1], sys.argv[2]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        here = ("127.0.0.1", "--port", str(probe.getsockname()[1]))
    server = subprocess.Popen(  # noqa: S603  # the program that was probed, arguments of ours
        [iperf3, "--server", "--one-off", "--bind", *here], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def ask() -> subprocess.CompletedProcess[bytes]:
        """Have a client measure, as soon as somebody listens."""
        line = [iperf3, "--client", *here, "--time", seconds, "--json"]
        return subprocess.run(line, capture_output=True, check=False)  # noqa: S603  # as above

    try:
        told = ask()
        for _ in range(TRIES):
            # Some versions end well although nobody listened yet.
            if b'"sum_received"' in told.stdout or server.poll() is not None:
                break
            time.sleep(0.1)
            told = ask()
    finally:
        server.kill()
        server.wait()
    sys.stdout.write(told.stdout.decode())
    sys.exit(told.returncode)
