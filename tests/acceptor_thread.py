"""A FIX acceptor of ours behind a real socket, in a thread of its own, for tests of both ends."""

import asyncio
import ssl
import threading
from collections.abc import Callable
from typing import Any

from tradsys.app.fix_acceptor import EchoAcceptor

WAIT_S = 60.0


class AcceptorThread:
    """Runs an acceptor until it is left; `call` runs a function between its steps."""

    def __init__(self, acceptor: EchoAcceptor, tls: ssl.SSLContext | None = None) -> None:
        self.acceptor, self.tls = acceptor, tls
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "AcceptorThread":
        self._thread.start()
        start = self.acceptor.start("127.0.0.1", 0, self.tls)
        self.port = asyncio.run_coroutine_threadsafe(start, self._loop).result(WAIT_S)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self.acceptor.stop(), self._loop).result(WAIT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def call(self, function: Callable[[], Any]) -> Any:
        async def run() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(WAIT_S)

    def wait_until(self, condition: Callable[[], bool], seconds: float = WAIT_S) -> None:
        """Let the acceptor go on until a condition holds."""

        async def run() -> None:
            while not condition():
                await asyncio.sleep(0.001)

        asyncio.run_coroutine_threadsafe(asyncio.wait_for(run(), seconds), self._loop).result()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
