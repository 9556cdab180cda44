"""What the FIX door knows of its sessions before anybody connects: names, rights, files."""

from dataclasses import dataclass
from pathlib import Path

from tradsys.fix.settings import SessionSettings
from tradsys.fix.validation import Validator
from tradsys.wire.enums import CloseReason

ORDERS, DROP_COPY = "orders", "drop_copy"  # kinds of sessions
STORES_KEPT = 32  # files of one session: the current one and those before the last resets
ENDS_BY_LOGOUT = ("logout", "both")
ENDS_BY_LOSS = ("disconnect", "both")


@dataclass(frozen=True, slots=True)
class FixSessionConfig:
    """One FIX session.

    Parameters
    ----------
    session_id, participant_id : int
        The engine's session, and whose it is.
    settings : SessionSettings
        CompIDs and rules of the session layer.
    directory : Path
        Where its store lies.
    name : str
        Its name in the settings, for people.
    username, password : str
        Tags 553 and 554 of its Logon; an empty password asks for a signature (95, 96) with `secret`, and no secret
        either lets anybody in who knows the CompIDs.
    secret : bytes
        Key of a HMAC signature.
    public_key : bytes
        The client's Ed25519 key, 32 bytes: the signature is its own, not the secret's.
    accounts : tuple of int
        Accounts it may name; empty: all of its participant's.
    default_account : int
        Account of orders that name none; 0: the house account.
    cod : str
        Cancel on disconnect: none, disconnect, logout or both.
    cod_grace_ms : int
        How long a lost connection may come back before its orders are cancelled.
    throttle_messages, throttle_window_ms : int
        Rate of its messages; 0: no limit.
    cancel_multiple : int
        Cancels (F, q) have a rate of their own, so many times that of the others; so have administrative messages.
    instruments : tuple of str
        Symbols it may enter and change orders in; empty: all its participant may trade. Cancels are always taken.
    allowed_addresses : tuple of str
        Addresses and networks it may connect from; empty: all.
    rules : Validator, optional
        What every message in is held against beside what the venue needs.
    orders_max : int
        ClOrdIDs remembered, a power of two.
    is_durable : bool
        Whether each write waits for the disk.
    kind : str
        orders; or drop_copy: it enters none and is told the ExecutionReports of its participant's sessions, of `accounts`
        where there are some.
    stock_only : bool
        Whether reports about special orders keep to tags and values of stock FIX 4.4, as a copy's do.
    """

    session_id: int
    participant_id: int
    settings: SessionSettings
    directory: Path
    name: str = ""
    username: str = ""
    password: str = ""
    secret: bytes = b""
    public_key: bytes = b""
    accounts: tuple[int, ...] = ()
    default_account: int = 0
    cod: str = "none"
    cod_grace_ms: int = 0
    throttle_messages: int = 0
    throttle_window_ms: int = 1_000
    cancel_multiple: int = 4
    instruments: tuple[str, ...] = ()
    allowed_addresses: tuple[str, ...] = ()
    rules: Validator | None = None
    orders_max: int = 1 << 18
    is_durable: bool = False
    kind: str = ORDERS
    stock_only: bool = False

    def __repr__(self) -> str:
        """Everything but the secrets."""
        return f"FixSessionConfig(session_id={self.session_id}, comp_id={self.settings.target_comp_id})"

    def cancels(self, close_reason: int) -> bool:
        """Whether the end of a connection for this reason cancels the session's orders."""
        return self.cod in (ENDS_BY_LOGOUT if close_reason == CloseReason.LOGOUT else ENDS_BY_LOSS)


def store_path(config: FixSessionConfig) -> Path:
    """The file a session goes on with: its newest, else its first."""
    config.directory.mkdir(parents=True, exist_ok=True)
    files = store_files(config.directory)
    return files[-1] if files else config.directory / "00000001.fix"


def next_store_path(config: FixSessionConfig) -> Path:
    """The file behind the newest; the oldest ones are removed."""
    files = store_files(config.directory)
    for file in files[: -(STORES_KEPT - 1)]:
        file.unlink()
    return config.directory / f"{int(files[-1].stem) + 1 if files else 1:08d}.fix"


def store_files(directory: Path) -> list[Path]:
    """Files of one session, oldest first."""
    return sorted(directory.glob("[0-9]*.fix"))
