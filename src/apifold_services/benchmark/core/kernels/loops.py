"""Loops of integer and floating-point arithmetic, run as a program: `loops.py integer|floating|rsa SECONDS [BITS]`.

Each writes the value of its workloads as one JSON object.
"""

import json
import math
import random
import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any


class Record:
    """What the integer loop assigns, compares and passes on."""

    __slots__ = ("kind", "next", "number", "text")

    def __init__(self, next: Any, kind: int, number: int, text: str) -> None:
        self.next = next
        self.kind = kind
        self.number = number
        self.text = text


def integer(rounds: int) -> None:
    """A mix of assignments, comparisons, calls, table look-ups and integer arithmetic, after Dhrystone's plan."""
    first = Record(None, 0, 40, "DHRYSTONE PROGRAM, SOME STRING")
    table = [0] * 51
    grid = [[0] * 51 for _ in range(51)]
    for index in range(rounds):
        a, b = 2, 3
        other = "DHRYSTONE PROGRAM, 2'ND STRING"
        flag = first.text != other
        while a < b:
            c = 5 * a - b
            c = seven(a, b)
            a += 1
        fill(table, grid, a, c)
        record(first)
        last = "A"
        for letter in "AB":
            if same(letter, "C"):
                flag = not flag
            last = letter
        b = c * a // (7 if flag else 3)
        c = 7 * (c - b) - a + index % 3
        first.kind = ord(last) & 3


def seven(a: int, b: int) -> int:
    """A small call."""
    return b + a + 2


def fill(table: list[int], grid: list[list[int]], a: int, b: int) -> None:
    """Table look-ups and assignments."""
    place = a + 5
    table[place] = b
    table[place + 1] = table[place]
    table[place + 30] = place
    for column in range(place, place + 2):
        grid[place][column] = place
    grid[place][place - 1] += 1
    grid[place + 20][place] = table[place]


def record(first: Record) -> None:
    """Copies of a record."""
    copied = Record(first, first.kind, 5, first.text)
    copied.number = first.number
    if copied.kind == 0:
        copied.number = 6
        copied.next = first.next
    first.number = seven(copied.number, 10) % 41


def same(one: str, other: str) -> bool:
    """A comparison behind a call."""
    return one == other


def floating(rounds: int) -> None:
    """Whetstone's modules in its own proportions; a round is a million Whetstone instructions."""
    t, t1, t2 = 0.499975, 0.50025, 2.0
    n = 10 * rounds
    values = [1.0, -1.0, -1.0, -1.0]
    for _ in range(12 * n):
        values[0] = (values[0] + values[1] + values[2] - values[3]) * t
        values[1] = (values[0] + values[1] - values[2] + values[3]) * t
        values[2] = (values[0] - values[1] + values[2] + values[3]) * t
        values[3] = (-values[0] + values[1] + values[2] + values[3]) * t
    for _ in range(14 * n):
        array(values, t, t2)
    j = 1
    for _ in range(345 * n):
        j = 2 if j == 1 else 3
        j = 0 if j > 2 else 1
        j = 1 if j < 1 else 0
    j, k, m = 1, 2, 3
    for _ in range(210 * n):
        j = j * (k - j) * (m - k)
        k = m * k - (m - j) * k
        m = (m - k) * (k + j)
        values[m - 2] = j + k + m
        values[k - 2] = j * k * m
    x = y = 0.5
    for _ in range(32 * n):
        x = t * math.atan(t2 * math.sin(x) * math.cos(x) / (math.cos(x + y) + math.cos(x - y) - 1.0))
        y = t * math.atan(t2 * math.sin(y) * math.cos(y) / (math.cos(x + y) + math.cos(x - y) - 1.0))
    for _ in range(899 * n):
        procedure(1.0, 1.0, t, t2)
    for _ in range(616 * n):
        values[0], values[1] = values[1], values[2]
        values[2] = values[0]
    x = 0.75
    for _ in range(93 * n):
        x = math.sqrt(math.exp(math.log(x) / t1))


def array(values: list[float], t: float, t2: float) -> None:
    """Whetstone's third module: an array as a parameter."""
    for _ in range(6):
        values[0] = (values[0] + values[1] + values[2] - values[3]) * t
        values[1] = (values[0] + values[1] - values[2] + values[3]) * t
        values[2] = (values[0] - values[1] + values[2] + values[3]) * t
        values[3] = (-values[0] + values[1] + values[2] + values[3]) / t2


def procedure(x: float, y: float, t: float, t2: float) -> float:
    """Whetstone's eighth module: a call."""
    x1 = t * (x + y)
    y1 = t * (x1 + y)
    return (x1 + y1) / t2


def rate(work: Callable[[int], None], seconds: float) -> float:
    """Rounds per second, over at least so many seconds."""
    rounds, done, took = 1, 0, 0.0
    while took < seconds:
        began = perf_counter()
        work(rounds)
        spent = perf_counter() - began
        done, took = done + rounds, took + spent
        rounds = max(1, min(rounds * 2, int(rounds * (seconds - took) / max(spent, 1e-9)) or 1))
    return done / took


def rsa(seconds: float, bits: int) -> dict[str, float]:
    """Signing by the Chinese remainder theorem, two powers of half the length; verifying with exponent 65537.

    The time does not depend on whether the factors are prime, so they are odd numbers that are always the same.
    """
    chance = random.Random(bits)  # noqa: S311  # repeatable, and nothing is secret
    half = bits // 2
    p, q = (chance.getrandbits(half) | 1 << (half - 1) | 1 for _ in range(2))
    dp, dq = chance.getrandbits(half), chance.getrandbits(half)
    modulus, message = p * q, chance.getrandbits(bits - 1)

    def sign(rounds: int) -> None:
        for _ in range(rounds):
            low, high = pow(message % p, dp, p), pow(message % q, dq, q)
            (low + p * ((high - low) * 3 % q)) % modulus

    def verify(rounds: int) -> None:
        for _ in range(rounds):
            pow(message, 65537, modulus)

    return {f"rsa_sign_{bits}": rate(sign, seconds / 2), f"rsa_verify_{bits}": rate(verify, seconds / 2)}


if __name__ == "__main__":
    what, wanted = sys.argv[1], float(sys.argv[2])
    if what == "integer":
        found = {"dhrystone_lps": rate(integer, wanted)}
    elif what == "floating":
        found = {"whetstone_MWIPS": rate(floating, wanted)}
    else:
        found = rsa(wanted, int(sys.argv[3]))
    json.dump(found, sys.stdout)
