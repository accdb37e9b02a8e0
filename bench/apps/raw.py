"""The limit: uvloop, httptools and orjson with nothing between. It checks nothing: no token, no schema, no method."""

from __future__ import annotations

import asyncio
import sys

import httptools
import orjson
import uvloop
import work

HEAD = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
REFUSAL = {"title": "Bad Request", "status": 400, "detail": "The request breaks its contract."}
MISSING = {"title": "Not Found", "status": 404, "detail": "Nothing is served at this path."}


class Raw(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)
        self.body = b""

    def data_received(self, data):
        self.parser.feed_data(data)

    def on_header(self, name, value):
        self.headers[name] = value

    def on_url(self, url):
        self.url = url
        self.headers = {}

    def on_body(self, body):
        self.body += body

    def on_message_complete(self):
        path, _, query = self.url.decode().partition("?")
        if path == "/items":
            self.send(b"200 OK", work.ITEMS[: int(query.partition("=")[2])])
        elif path.startswith("/plans/"):
            self.send(b"200 OK", work.PLANS[path[7:]])
        elif path in ("/plans", "/checked/plans"):
            plan = orjson.loads(self.body)
            self.body = b""
            if plan["priority"] > 100:
                self.send(b"400 Bad Request", REFUSAL)
            else:
                self.send(b"201 Created", work.create(plan))
        else:
            self.send(b"404 Not Found", MISSING)

    def send(self, status, value):
        body = orjson.dumps(value)
        self.transport.write(HEAD % (status, len(body), body))


async def main(port):
    server = await asyncio.get_running_loop().create_server(Raw, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
