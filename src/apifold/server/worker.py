"""gunicorn's worker that speaks our protocol."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import sys
import traceback

import uvloop
from gunicorn.workers.base import Worker

from apifold.application import Application
from apifold.errors import DescriptionErrors, MissingExtra, SettingsError
from apifold.server.edge import edge
from apifold.server.hub import Hub
from apifold.server.protocol import HttpProtocol
from apifold.settings import Settings

HEARTBEAT_SECONDS = 1.0
BOOT_ERROR = 3
"""gunicorn stops altogether when a worker exits so: it could not boot, and the next one could not either."""


class ApifoldWorker(Worker):  # type: ignore[misc]  # gunicorn has no types
    """One process: its own loop, the shared sockets, the application."""

    wsgi: Application

    def init_signals(self) -> None:
        """Signals are handled on the loop; until it runs they end the process."""
        for name in self.SIGNALS:
            signal.signal(name, signal.SIG_DFL)

    def run(self) -> None:
        """Serve until told to stop."""
        loop = uvloop.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(self._serve(loop))
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    async def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        application = self.wsgi
        settings = application.settings
        stop = asyncio.Event()
        quick = asyncio.Event()

        def stop_quickly() -> None:
            quick.set()
            stop.set()

        loop.add_signal_handler(signal.SIGTERM, stop.set)
        for name in (signal.SIGINT, signal.SIGQUIT):
            loop.add_signal_handler(name, stop_quickly)
        loop.add_signal_handler(signal.SIGUSR1, lambda: None)
        try:
            await application.start()
        except (DescriptionErrors, SettingsError, MissingExtra) as error:
            if application.crew.first_to_say("refused"):
                sys.stderr.write(
                    f"{error}\n\napifold: not started; mend these, or start with --quarantine to serve the rest\n"
                )
            await application.stop()
            sys.exit(BOOT_ERROR)
        except Exception:  # another worker would fare no better
            if application.crew.first_to_say("refused"):
                traceback.print_exc()
            sys.exit(BOOT_ERROR)
        running = application.running
        hub = Hub(edge(running.answer, settings, application.limits), settings, loop, running.takes_pieces)
        context = tls_context(settings)
        servers = [
            await loop.create_server(lambda: HttpProtocol(hub), sock=sock.sock, ssl=context, backlog=2048)
            for sock in self.sockets
        ]
        if application.crew.first_to_say("started"):
            sys.stderr.write(f"apifold: serving on {_where(settings, self.sockets[0].sock)}; Ctrl-C stops\n")
        while not stop.is_set() and self.ppid == os.getppid():
            self.notify()
            try:
                await asyncio.wait_for(stop.wait(), HEARTBEAT_SECONDS)
            except TimeoutError:
                continue
        application.stopping = True
        for server in servers:
            server.close()
        beat = asyncio.create_task(self._beat())
        await hub.drain(0 if quick.is_set() else settings.graceful_timeout)
        await application.stop()
        beat.cancel()

    async def _beat(self) -> None:
        """A draining worker is not a hung one."""
        while True:
            self.notify()
            await asyncio.sleep(HEARTBEAT_SECONDS)


def _where(settings: Settings, listener: socket.socket) -> str:
    """The address, and how many serve there, for people."""
    count = settings.worker_count
    workers = f"with {count} worker{'s' if count > 1 else ''}"
    if settings.listen.startswith("unix:"):
        return f"{settings.listen} {workers}"
    host, port = listener.getsockname()[:2]
    scheme = "https" if settings.tls_certificate else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port} {workers}"


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """The TLS context that the settings ask for, or None.

    Raises:
        SettingsError: the certificate or its key can't be read.
    """
    if not settings.tls_certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key or None)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"tls_certificate {settings.tls_certificate}: {error}; give a PEM file and its key"
        ) from None
    context.set_alpn_protocols(["http/1.1"])
    return context
