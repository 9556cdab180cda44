"""``tradsys fix``: tools for the FIX door."""

from __future__ import annotations

import getpass
import os
import select
import ssl
import sys
import time
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

import tradsys
from tradsys.app.arguments import (
    SECONDS_MAX,
    CompId,
    Host,
    InputFile,
    OutputDirectory,
    Port,
    Printable,
    Seconds,
)
from tradsys.app.fix_certify import certify
from tradsys.app.fix_log import log
from tradsys.app.fix_orders import HELP, Orders
from tradsys.app.fix_rules import load_dictionary
from tradsys.app.fix_text import FixText
from tradsys.client.fix_client import FixClient
from tradsys.errors import InputError, SessionError, UsageError
from tradsys.fix.message import Message
from tradsys.fix.settings import SessionSettings

PASSWORD_VARIABLE = "TRADSYS_FIX_PASSWORD"
TICK_S = 0.1
MESSAGE_BYTES_MAX = 1 << 20  # whole books are long
PROMPT = "fix> "

app = App(name="tradsys fix", version=tradsys.__version__, help="Talk to a FIX door, look into its sessions.")
app.command(log)
app.command(certify)


@app.command
def console(
    *,
    host: Host = "127.0.0.1",
    port: Port = 9878,
    sender: CompId = "DEMO",
    target: CompId = "TRADSYS",
    username: Printable = "",
    password: Printable = "",
    tls: Annotated[bool, Parameter(negative="")] = False,
    ca: InputFile | None = None,
    certificate: InputFile | None = None,
    directory: Annotated[OutputDirectory | None, Parameter(name=["--dir", "-d"])] = None,
    dictionary: InputFile | None = None,
    wait: Seconds = 1.0,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Log on to a FIX door, type orders, see the messages of both sides by name; help lists the commands.

    Orders are taken at port 9878, market data is told at port 9880. Commands may come from a pipe as well. Exit status 1:
    the session was refused or lost, or a command was none.

    Example: echo "buy AMZN 100 @ 223.81" | tradsys fix console --username demo --json

    Parameters
    ----------
    host
        Where the door is.
    port
        Its port.
    sender
        Our CompID.
    target
        The venue's CompID.
    username
        Username of the Logon, tag 553.
    password
        Password, tag 554. Better in TRADSYS_FIX_PASSWORD, or typed when asked: others can see command lines.
    tls
        Speak TLS; the venue's port for it is 9879.
    ca
        Certificates (PEM) to trust instead of the system's.
    certificate
        Our certificate and its key in one PEM file, for a venue that asks for one.
    directory
        Keep sequence numbers and sent messages there; without, every start asks for a reset of the numbers.
    dictionary
        Names in QuickFIX's form; ours if not given.
    wait
        From a pipe: seconds to wait for the answer to a command, and for more at the end.
    as_json
        One JSON object a message.
    """
    if sys.stdin is None:
        raise UsageError("commands must come from a terminal, a pipe or a file, there is no standard input")
    if username and not password:
        password = os.environ.get(PASSWORD_VARIABLE, "")
        if not password and sys.stdin.isatty():
            password = getpass.getpass()
    text = FixText(load_dictionary(dictionary))
    write = text.json if as_json else text.block
    client = FixClient(
        host, port, sender, target, username=username, password=password, directory=directory,
        settings=SessionSettings(sender_comp_id=sender, target_comp_id=target, message_bytes_max=MESSAGE_BYTES_MAX),
        ask_reset=directory is None, tls=context_of(ca, certificate) if tls or ca or certificate else None,
        trace=lambda direction, message: print(write(direction, message), flush=True),
    )  # fmt: skip
    with client:
        return Console(client, wait, username or sender).run(sys.stdin.fileno(), is_terminal=sys.stdin.isatty())


def context_of(ca: Path | None, certificate: Path | None) -> ssl.SSLContext:
    """TLS as a client: whom to trust, and who we are."""
    try:
        context = ssl.create_default_context(cafile=ca)
        if certificate is not None:
            context.load_cert_chain(certificate)
    except OSError as error:
        raise InputError(f"{ca or certificate}: {error}") from None
    return context


def seconds_of(text: str) -> float:
    """Read a time to wait."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= SECONDS_MAX:
        raise InputError(f"wait needs seconds from 0 to {SECONDS_MAX:,.0f}, was {text!r}")
    return seconds


class Console:
    """Carries out the lines of a file and takes what comes meanwhile."""

    def __init__(self, client: FixClient, wait_s: float, username: str) -> None:
        self._client, self._wait_s = client, wait_s
        self._orders = Orders(username=username)
        self._has_failed = False

    def run(self, fd: int, is_terminal: bool) -> int:
        """Run until the file ends or says quit; return the exit status."""
        rest = b""
        while True:
            if is_terminal:
                print(PROMPT, end="", file=sys.stderr, flush=True)
            chunk = self._read(fd)
            *lines, rest = (rest + chunk).split(b"\n") if chunk else [rest, b""]
            for line in lines:
                if not self._carry_out(line.decode("utf-8", "replace").strip(), waits=not is_terminal):
                    return int(self._has_failed)
            if not chunk:
                self._take(self._wait_s)
                return int(self._has_failed)

    def _read(self, fd: int) -> bytes:
        """Read from the file, taking what comes from the other side until something is there."""
        while not select.select([fd], [], [], TICK_S)[0]:
            self._take(0.0)
        return os.read(fd, 4096)

    def _carry_out(self, line: str, waits: bool) -> bool:
        """Do what a line says. False: it says quit."""
        try:
            match line.split():
                case []:
                    return True
                case ["quit" | "exit"]:
                    return False
                case ["help"]:
                    print(HELP, file=sys.stderr)
                case ["wait", seconds]:
                    self._take(seconds_of(seconds))
                case _:
                    if not line.startswith("#"):
                        self._client.send(*self._orders.message(line, time.time_ns()))
                        if waits:
                            self._remember(self._client.receive(self._wait_s))
        except InputError as error:
            self._has_failed = True
            print(error, file=sys.stderr)
        return True

    def _take(self, seconds: float) -> None:
        """Take what comes within a time."""
        deadline = time.monotonic() + seconds
        while True:
            self._remember(self._client.receive(max(deadline - time.monotonic(), 0.0)))
            if time.monotonic() >= deadline:
                return

    def _remember(self, messages: list[Message]) -> None:
        for message in messages:
            self._orders.take(message)
        if not self._client.is_logged_on:
            raise SessionError("the session ended")
