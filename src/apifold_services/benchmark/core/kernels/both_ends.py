"""Both ends of iperf3 on this machine: `both_ends.py IPERF3 SECONDS` writes the client's report."""

import socket
import subprocess
import sys
import time

if __name__ == "__main__":
    iperf3, seconds = sys.argv[1], sys.argv[2]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    here = ("127.0.0.1", "--port", port)
    server = subprocess.Popen(  # noqa: S603  # the program that was probed, arguments of ours
        [iperf3, "--server", "--one-off", "--bind", *here], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    client = None
    try:
        for _ in range(100):
            client = subprocess.run(  # noqa: S603  # as above
                [iperf3, "--client", *here, "--time", seconds, "--json"], capture_output=True, check=False
            )
            # Some versions end well although nobody listened yet.
            if (client.returncode == 0 and b'"sum_received"' in client.stdout) or server.poll() is not None:
                break
            time.sleep(0.1)
        sys.stdout.write(client.stdout.decode())
    finally:
        server.kill()
        server.wait()
    sys.exit(client.returncode)
