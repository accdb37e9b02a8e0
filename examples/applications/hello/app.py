"""A small application: it says hello, and counts in the database that its plan requires."""

import os
import sqlite3
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def greeting(name: str, visits: int) -> str:
    return f"Hello {name}, visitor {visits} of instance {os.environ.get('INSTANCE', '1')}\n"


def count() -> int:
    """How often it was asked, this time among them."""
    path = os.environ.get("DATABASE_URL", "sqlite:///hello.sqlite").removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, timeout=10)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS visits (number INTEGER PRIMARY KEY AUTOINCREMENT)")
        return database.execute("INSERT INTO visits DEFAULT VALUES").lastrowid or 0


class Hello(BaseHTTPRequestHandler):
    def answer(self) -> str:
        if self.path == "/health":
            return "well\n"
        return greeting(os.environ.get("GREETED", "world"), count())

    def do_GET(self) -> None:
        text = self.answer().encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Hello).serve_forever()
