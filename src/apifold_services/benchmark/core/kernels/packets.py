"""Packets to inspect: `packets.py capture FILE COMMAND ...` writes them for a tool and becomes that tool;
`packets.py inspect SECONDS` looks into them itself and writes packets and bits per second as JSON.
"""

import json
import os
import random
import struct
import sys
from time import perf_counter

FLOWS = 400
PACKETS_OF_A_FLOW = 20

PAYLOADS = (
    (80, b"GET /index.html HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: apifold\r\n\r\n"),
    (443, bytes.fromhex("16030100c8010000c40303") + b"\x11" * 32 + b"\x20" + b"\x22" * 160),
    (22, b"SSH-2.0-OpenSSH_9.2\r\n"),
    (25, b"EHLO mail.example.org\r\n"),
    (53, bytes.fromhex("123401000001000000000000") + b"\x03www\x07example\x03org\x00\x00\x01\x00\x01"),
    (5060, b"INVITE sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP pc.example.org\r\n\r\n"),
    (9999, b"\x00" * 700),
)
DATAGRAMS = (53, 5060)


def packets() -> list[bytes]:
    """Ethernet frames of many flows, some protocols that can be told and one that can't; always the same."""
    chance = random.Random(2048)  # noqa: S311  # repeatable, and nothing is secret
    frames = []
    for flow in range(FLOWS):
        port, payload = PAYLOADS[flow % len(PAYLOADS)]
        source = bytes((10, flow >> 8, flow & 255, 1))
        for number in range(PACKETS_OF_A_FLOW):
            body = payload if number == 0 else chance.randbytes(200 + 60 * (number % 20))
            frames.append(frame(source, 20000 + flow, port, number, body))
    return frames


def frame(source: bytes, sport: int, port: int, number: int, body: bytes) -> bytes:
    """An Ethernet frame with IPv4 and TCP or UDP (RFC 791, 9293, 768); checksums are left to the card, as usual."""
    if port in DATAGRAMS:
        protocol, transport = 17, struct.pack("!HHHH", sport, port, 8 + len(body), 0)
    else:
        protocol = 6
        transport = struct.pack("!HHIIBBHHH", sport, port, 1000 + number * 1460, 1, 5 << 4, 0x18, 65535, 0, 0)
    size = 20 + len(transport) + len(body)
    network = struct.pack("!BBHHHBBH4s4s", 0x45, 0, size, number, 0, 64, protocol, 0, source, bytes((192, 0, 2, 7)))
    return b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\x00" + network + transport + body


def write_capture(path: str) -> None:
    """A capture file in libpcap's format, version 2.4."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number, one in enumerate(packets()):
            file.write(struct.pack("<IIII", number // 1000, number % 1000 * 1000, len(one), len(one)) + one)


def inspect(seconds: float) -> dict[str, float]:
    """Tell protocols from ports and first bytes, flow by flow."""
    frames = packets()
    bits = 8 * sum(map(len, frames))
    rounds, began = 0, perf_counter()
    while perf_counter() - began < seconds:
        flows: dict[tuple[bytes, int, int], str] = {}
        for one in frames:
            header = (one[14] & 15) * 4
            start = 14 + header
            sport, port = struct.unpack_from("!HH", one, start)
            key = (one[26:34], sport, port)
            if flows.get(key, "unknown") == "unknown":
                offset = start + ((one[start + 12] >> 4) * 4 if one[23] == 6 else 8)
                flows[key] = told(one[offset : offset + 16], port)
        rounds += 1
    took = perf_counter() - began
    return {"dpi_pps": rounds * len(frames) / took, "dpi_bps": rounds * bits / took}


def told(head: bytes, port: int) -> str:
    """The protocol that the first bytes of a flow speak of."""
    if head.startswith((b"GET ", b"POST ", b"HTTP/")):
        return "http"
    if head[:2] == b"\x16\x03":
        return "tls"
    if head.startswith(b"SSH-"):
        return "ssh"
    if head.startswith((b"EHLO", b"HELO", b"220 ")):
        return "smtp"
    if b" sip:" in head or head.startswith(b"SIP/"):
        return "sip"
    if port == 53 and len(head) >= 12:
        return "dns"
    return "unknown"


if __name__ == "__main__":
    if sys.argv[1] == "capture":
        write_capture(sys.argv[2])
        os.execvp(sys.argv[3], sys.argv[3:])  # noqa: S606  # no shell, on purpose
    json.dump(inspect(float(sys.argv[2])), sys.stdout)
