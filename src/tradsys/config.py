"""Settings: typed defaults, one ``tradsys.yaml`` over them, environment variables over that; parsed once at start.

A setting is a field of a frozen struct below ``Config``. The environment variable of ``venue.orders_port`` is
``TRADSYS_VENUE__ORDERS_PORT``: two underscores between section and field. A value is read as YAML, so a list is
``[1, 2]``. Unknown names, wrong types and values out of range are refused with the place and what was expected.

Example
-------
venue:
  data_dir: /var/lib/tradsys
  durability: fsync
instruments:
  - {instrument_id: 1, symbol: AMZN, asset_class: STOCK, currency: USD, tick: "0.01", lot: "1",
     price_min: "0.01", price_max: "100000", qty_max: "1000000"}
"""

import ipaddress
import os
import re
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml
from msgspec import Meta, Struct

from tradsys import limits
from tradsys.errors import ConfigError
from tradsys.units import InstrumentUnits
from tradsys.wire.enums import AssetClass, Permission, StpMode, StpScope

ENV_PREFIX = "TRADSYS_"
ENV_SEPARATOR = "__"
FILE_NAME = "tradsys.yaml"
SECRET_NAMES = ("secret", "secret_key", "password")
MASK = "********"
PLACE = re.compile(r"at `\$\.?(.*)`")

Port = Annotated[int, Meta(ge=0, le=65535)]  # 0 binds to any free port
Count = Annotated[int, Meta(ge=1)]
Frames = Annotated[int, Meta(ge=1, le=2**31 - 1)]  # high-water marks of sockets
Identifier = Annotated[int, Meta(ge=1, le=2**32 - 1)]
Place = Annotated[str, Meta(pattern="^[^\\x00]*$")]  # of a folder
Milliseconds = Annotated[int, Meta(ge=0)]
Name = Annotated[str, Meta(min_length=1, max_length=16, pattern="^[!-~]+$")]


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all sections: frozen, and a name it does not know is an error."""


class Curve(Section, frozen=True):
    """CURVE encryption of the sockets; keys in ZeroMQ's Z85 form of 40 characters."""

    enabled: bool = False
    public_key: str = ""
    secret_key: str = ""
    client_keys: tuple[str, ...] = ()  # public keys of the clients let in; empty lets in every client

    def __post_init__(self) -> None:
        if self.enabled and not (len(self.public_key) == 40 and len(self.secret_key) == 40):
            raise ValueError("an enabled curve needs public_key and secret_key of 40 characters each")
        if not self.enabled and (self.public_key or self.secret_key or self.client_keys):
            raise ValueError("a curve with keys needs enabled: true; without keys the doors are not encrypted")
        for key in (self.public_key, self.secret_key, *self.client_keys):
            if not key.isascii():
                raise ValueError("keys of a curve must be ASCII, in ZeroMQ's Z85 form")


class ClientCurve(Section, frozen=True):
    """Keys of the programs that speak to a venue with CURVE: the venue's public key and a pair of their own, in Z85 form.

    `python -c "import zmq; print(*zmq.curve_keypair())"` makes a pair; the venue has its first in `curve.client_keys`.
    """

    server_key: str = ""  # the venue's curve.public_key; empty: none of its own, on the venue's machine the venue's pair
    public_key: str = ""
    secret_key: str = ""

    def __post_init__(self) -> None:
        keys = (self.server_key, self.public_key, self.secret_key)
        if any(keys) and not all(len(key) == 40 and key.isascii() for key in keys):
            raise ValueError("a client's curve needs server_key, public_key and secret_key of 40 ASCII characters each")


class Venue(Section, frozen=True):
    """The venue process: where it listens, where it keeps its files, how durable and how eager it is."""

    data_dir: Place = "tradsys-data"
    bind: str = "127.0.0.1"  # address of all doors
    orders_port: Port = 5555
    feed_a_port: Port = 5556
    feed_b_port: Port = 5557
    snapshot_port: Port = 5558  # snapshots and gap fill
    fix_port: Port = 9878  # FIX 4.4; listens only when a session has `fix` settings
    fix_tls_port: Port = 9879  # the same over TLS; listens only with fix.tls
    operator_bind: str = "127.0.0.1"  # of the operator door (protocols/operator.md)
    operator_port: Port = 0  # 0: any free one; it stands in data_dir/operator.address
    durability: Literal["none", "batch", "fsync"] = "batch"
    poll: Literal["spin", "sleep"] = "sleep"
    snapshot_commands: Annotated[int, Meta(ge=0)] = (
        5_000_000  # commands between two snapshots; 0: only at the end
    )
    curve: Curve = Curve()

    def __post_init__(self) -> None:
        ports = [self.orders_port, self.feed_a_port, self.feed_b_port, self.snapshot_port]
        ports += [self.fix_port, self.fix_tls_port, self.operator_port]
        taken = [port for port in ports if port]
        if len(set(taken)) < len(taken):
            raise ValueError(f"the venue's ports must differ, were {ports}")


class Orders(Section, frozen=True):
    """Bounds of the order door; each is explained in protocols/order_entry.md."""

    frame_messages_max: Annotated[int, Meta(ge=1, le=65_535)] = limits.FRAME_MESSAGES_MAX
    frame_bytes_max: Annotated[int, Meta(ge=160, le=1 << 24)] = limits.FRAME_BYTES_MAX
    frames_per_turn: Count = 256
    protocol_errors_max: Count = 10
    logons_pending_max: Count = 64
    logon_window_ms: Count = 5_000
    logon_failures_max: Count = 5
    logon_failure_window_ms: Count = 60_000
    nonces_max: Count = 65_536
    flood_multiple: Count = 10
    refusals_per_second: Count = 1_000
    resend_reports_per_turn: Count = 2_048
    send_queue_frames: Frames = limits.SEND_QUEUE_FRAMES
    slow_reports_max: Count = limits.SLOW_REPORTS_MAX


class Feed(Section, frozen=True):
    """The public feed: packing, retention, pace. Addresses are the venue's."""

    line_b: bool = True  # publish on feed_b_port too
    packet_bytes_max: Annotated[int, Meta(ge=1 << 10, le=1 << 20, multiple_of=8)] = limits.PACKET_BYTES_MAX  # largest frame
    retention_bytes: Annotated[int, Meta(ge=1 << 16)] = limits.FEED_RETAIN_BYTES  # of L3, for gap fills; the rest keep less
    turn_events_max: Annotated[int, Meta(ge=1, le=1 << 20)] = 1 << 14  # events published in one turn
    heartbeat_ms: Annotated[int, Meta(ge=1)] = 250  # on idle channels
    snapshot_cycle_ms: Milliseconds = 5_000  # periodic snapshots of all books; 0: none
    service_messages_per_turn: Count = 2_048  # of answers and periodic snapshots
    requests_max: Count = 1_024  # open at a time, all readers
    requests_per_peer_max: Count = 16
    gap_fill_messages_max: Count = limits.GAP_FILL_MESSAGES_MAX  # of one request
    peer_timeout_ms: Count = 2_000  # a reader that takes no answer so long loses it
    send_hwm: Frames = limits.FEED_SEND_FRAMES  # frames kept for a slow reader before it loses some


class Journal(Section, frozen=True):
    """What the venue keeps on disk; durability and time between snapshots are the venue's settings."""

    on_corruption: Literal["refuse", "cut"] = "refuse"  # damage in the middle: do not start, or give up what is behind it
    snapshots_kept: Count = limits.SNAPSHOTS_KEPT
    prune_journal: bool = False  # remove segments older than the oldest kept snapshot; events are always kept


class Capacities(Section, frozen=True):
    """How much of everything the engine has room for; fixed for the life of a data directory."""

    orders_max: Annotated[int, Meta(ge=2, le=limits.ORDERS_MAX)] = limits.ORDERS_DEFAULT
    instruments_max: Annotated[int, Meta(ge=2, le=limits.INSTRUMENTS_MAX)] = limits.INSTRUMENTS_DEFAULT
    participants_max: Annotated[int, Meta(ge=2, le=limits.PARTICIPANTS_MAX)] = limits.PARTICIPANTS_DEFAULT
    sessions_max: Annotated[int, Meta(ge=2, le=limits.SESSIONS_MAX)] = limits.SESSIONS_DEFAULT
    accounts_max: Annotated[int, Meta(ge=2, le=limits.ACCOUNTS_MAX)] = limits.ACCOUNTS_DEFAULT
    positions_max: Annotated[int, Meta(ge=2, le=limits.POSITIONS_MAX)] = limits.POSITIONS_DEFAULT


CompId = Annotated[str, Meta(min_length=1, max_length=64, pattern="^[!-~]+$")]


class FixTls(Section, frozen=True):
    """TLS of the FIX door; files in PEM."""

    certificate: str = ""  # ours, with the chain behind it; empty: no TLS
    key: str = ""  # its private key, without a passphrase; empty: in the same file
    client_ca: str = ""  # who signs clients' certificates; empty: clients need none


class FixDoor(Section, frozen=True):
    """Bounds of the FIX door; each is explained in fix_specs/RULES_OF_ENGAGEMENT.md."""

    connections_max: Count = 1_024
    out_bytes_max: Annotated[int, Meta(ge=1 << 16)] = 4 << 20
    logon_failures_max: Count = 5
    logon_failure_window_ms: Count = 60_000
    logon_timeout_ms: Count = 5_000
    refusal_delay_ms: Milliseconds = 1_000
    slow_ms: Count = 10_000
    catch_up_reports_per_turn: Count = 2_048
    desk_messages_per_turn: Count = 64
    desk_events_per_turn: Annotated[int, Meta(ge=16, le=1 << 16)] = 4_096
    desk_requests_max: Count = 64
    subscriptions_max: Count = 1_024
    plain: bool = True  # listens at fix_port; false: over TLS only
    tls: FixTls = FixTls()
    dictionary: str = ""  # of sessions with strict validation, in QuickFIX's form; empty: ours

    def __post_init__(self) -> None:
        if not (self.plain or self.tls.certificate):
            raise ValueError("a FIX door that is not plain needs tls.certificate")


Day = Literal["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]
TimeOfDay = Annotated[str, Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$")]


PhaseName = Literal[
    "CLOSED", "OPEN", "HALTED", "PRE_OPEN", "OPENING_AUCTION", "CLOSING_AUCTION", "TRADE_AT_CLOSE", "NAV_COLLECTION",
    "CANCEL_ONLY", "POST_ONLY",
]  # fmt: skip


class Phase(Section, frozen=True):
    """A phase of a trading day; with `until` it is a call whose uncross leads to `then`."""

    at: TimeOfDay
    state: PhaseName
    until: TimeOfDay | None = None  # later the same day; only of OPENING_AUCTION and CLOSING_AUCTION
    then: Literal["OPEN", "POST_ONLY", "CLOSED", "TRADE_AT_CLOSE"] = "OPEN"
    day_ends: bool = False  # DAY orders are cancelled when it begins

    def __post_init__(self) -> None:
        if self.until is not None and not self.state.endswith("_AUCTION"):
            raise ValueError(f"until is for auctions, {self.state} is none")
        if self.until is not None and self.until <= self.at:
            raise ValueError(f"the call at {self.at} must end later that day, was until {self.until}")


class Timetable(Section, frozen=True):
    """The trading day of some instruments; instruments in none stay as commands leave them."""

    phases: Annotated[tuple[Phase, ...], Meta(min_length=1)]  # in order
    instruments: tuple[Identifier, ...] = ()  # instrument_ids; empty: all of asset_class
    asset_class: Literal["STOCK", "REIT", "MUTUAL_FUND", "ETF", "BOND", "CRYPTO", "FOREX", "COMMODITY"] | None = None
    zone: str = "UTC"  # as Europe/Berlin
    days: tuple[Day, ...] = ("MON", "TUE", "WED", "THU", "FRI")

    def __post_init__(self) -> None:
        times = [phase.at for phase in self.phases]
        if times != sorted(set(times)):
            raise ValueError(f"phases must be in order of time, each at its own, were at {', '.join(times)}")


class Schedule(Section, frozen=True):
    """Trading phases by the clock; the commands are the venue's own and lie in the journal like every other."""

    timetables: tuple[Timetable, ...] = ()  # an instrument goes by the first that names it
    indicative_ms: Count = 1_000  # pace of AUCTION_TIMER for each instrument in a call
    expiry_ms: Count = 1_000  # GTD orders are cancelled at most so long after their time


class FixSchedule(Section, frozen=True):
    """Hours of a FIX session (tradsys.fix.schedule): logons are refused outside of them, at their end it is logged out."""

    start: TimeOfDay = "00:00"
    end: TimeOfDay = "00:00"  # not after start: on a later day
    zone: str = "UTC"  # as Europe/Berlin
    days: tuple[Day, ...] = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")  # daily: a period begins on
    first_day: Day | None = None  # weekly: from start on this day ...
    last_day: Day | None = None  # ... to end on this one
    resets: bool = True  # both numbers begin at 1 with a period


class FixIdentity(Section, frozen=True):
    """What every FIX session has: names, credentials, hours, times."""

    sender_comp_id: CompId  # the client's name: 49 of what it sends
    target_comp_id: CompId = "TRADSYS"  # ours
    username: str = ""  # 553; empty: not looked at
    password: str = ""  # 554; empty: a signature, with public_key or with the session's secret
    public_key: str = ""  # the client's Ed25519 key: PEM, or base64 of its 32 bytes
    heartbeat_s_min: Count = 1
    heartbeat_s_max: Count = 60
    schedule: FixSchedule | None = None  # hours, and whether numbers begin at 1 with them; else always open
    precision: Literal["s", "ms", "us", "ns"] = "us"  # of the times sent
    latency_s: Annotated[int, Meta(ge=0)] = 120  # largest difference of SendingTime and clock; 0: not looked at
    allowed_addresses: tuple[str, ...] = ()  # 10.1.2.3 or 10.1.0.0/16; empty: all

    def __post_init__(self) -> None:
        if self.heartbeat_s_min > self.heartbeat_s_max:
            raise ValueError(
                f"heartbeat_s_min must not exceed heartbeat_s_max, were {self.heartbeat_s_min} and {self.heartbeat_s_max}"
            )
        if self.password and self.public_key:
            raise ValueError("a session has a password or a public_key, not both")
        for text in self.allowed_addresses:
            try:
                ipaddress.ip_network(text)
            except ValueError as error:
                raise ValueError(f"allowed_addresses are like 10.1.2.3 or 10.1.0.0/16, was {text!r}: {error}") from None


class FixSession(FixIdentity, frozen=True):
    """The FIX side of a session: its choices (fix_specs/RULES_OF_ENGAGEMENT.md section 9)."""

    accounts: tuple[Identifier, ...] = ()  # it may name; empty: all of its participant's
    default_account: Annotated[int, Meta(ge=0)] = 0
    stock_only: bool = False
    instruments: tuple[Name, ...] = ()  # symbols it may enter orders in; empty: all its participant may
    cancel_multiple: Annotated[int, Meta(ge=1, le=1_000)] = 4  # cancels have so many times the session's throttle
    kind: Literal["orders", "drop_copy"] = "orders"  # drop_copy: told what its participant's sessions (accounts) are told
    cod: Literal["none", "disconnect", "logout", "both"] = "none"  # cancel on disconnect
    cod_grace_ms: Annotated[int, Meta(ge=0, le=60_000)] = 0
    reset_by_logon: bool = True  # 141=Y is followed
    reset_on_logon: bool = False
    validation: Literal["liberal", "strict"] = "liberal"  # strict: everything the dictionary says
    orders_max: Annotated[int, Meta(ge=1 << 10, le=1 << 24)] = 1 << 18  # ClOrdIDs remembered; a power of two

    def __post_init__(self) -> None:
        FixIdentity.__post_init__(self)
        if self.orders_max & (self.orders_max - 1):
            raise ValueError(f"orders_max must be a power of two, was {self.orders_max}")
        if self.kind == "drop_copy" and (self.cod != "none" or self.default_account):
            raise ValueError("a drop_copy session has no orders: cod must be none and default_account 0")


class FixMarketDataSession(FixIdentity, frozen=True):
    """A session of the FIX market data port; it trades nothing, so it belongs to no participant."""

    secret: str = ""  # key of a HMAC signature
    rpt_seq: bool = False  # number the entries of each book with 83, which stock FIX 4.4 has not there

    def __post_init__(self) -> None:
        FixIdentity.__post_init__(self)
        if not (self.password or self.public_key) and len(self.secret) < 16:
            raise ValueError(f"{self.sender_comp_id} needs a password, a public_key or a secret of at least 16 characters")
        if not (self.password or self.latency_s):
            raise ValueError(f"{self.sender_comp_id}: a signature needs latency_s, or it could be used again")


class FixMarketData(Section, frozen=True):
    """The FIX market data process; each bound is explained in fix_specs/RULES_OF_ENGAGEMENT.md section 12."""

    port: Port = 9880
    tls: FixTls = FixTls()  # with a certificate the port speaks TLS
    sessions: tuple[FixMarketDataSession, ...] = ()
    line_a: str = ""  # ZeroMQ address of the feed; empty: the venue's
    line_b: str = ""  # likewise; "none": there is no line B
    recovery: str = ""  # gap fills and snapshots; likewise
    receive_hwm: Frames = 10_000  # frames a socket keeps while the process is busy
    connections_max: Count = 256
    logon_failures_max: Count = 5
    logon_failure_window_ms: Count = 60_000
    logon_timeout_ms: Count = 5_000
    refusal_delay_ms: Milliseconds = 1_000
    throttle_messages: Count = 50  # requests of a session a window
    throttle_window_ms: Count = 1_000
    flood_messages: Count = 500  # messages of any kind a window; more ends the session
    requests_max: Count = 100  # subscriptions of a session at a time
    symbols_max: Count = 200  # of one request
    books_max: Count = 2_000  # symbols of all subscriptions of a session
    levels_max: Annotated[int, Meta(ge=1, le=100_000)] = 1_000  # levels a side, also when all are asked for
    conflate_bytes: Annotated[int, Meta(ge=1 << 12)] = 64 << 10  # not taken by the client; above, changes collapse
    out_bytes_max: Annotated[int, Meta(ge=1 << 16)] = 4 << 20  # likewise; above, the connection is closed
    trades_max: Count = 10_000  # that wait for a client; more ends the session
    slow_ms: Count = 10_000  # changes collapse so long without a break: the session is ended
    stale_ms: Milliseconds = 500  # a book not known for so long is told to be

    def __post_init__(self) -> None:
        if self.out_bytes_max <= self.conflate_bytes:
            raise ValueError(f"out_bytes_max must exceed conflate_bytes, were {self.out_bytes_max} and {self.conflate_bytes}")


class Session(Section, frozen=True):
    """A session of a participant and the key it logs on with, or its FIX settings: a session has one door."""

    session_id: Identifier
    name: Name
    api_key: Annotated[str, Meta(max_length=32, pattern="^[!-~]*$")] = ""
    secret: str = ""
    enabled: bool = True
    throttle_messages: Annotated[int, Meta(ge=0, le=10_000_000)] = 0  # commands a window; 0: no limit
    throttle_window_ms: Annotated[int, Meta(ge=1, le=60_000)] = 1_000
    fix: FixSession | None = None  # speaks FIX; else the binary protocol

    def __post_init__(self) -> None:
        if self.fix is None and not self.api_key:
            raise ValueError(f"session {self.session_id} needs an api_key, or fix settings")
        if self.fix is not None and not (self.fix.password or self.fix.public_key or self.secret):
            raise ValueError(
                f"session {self.session_id}: fix needs a password or a public_key, or the session a secret to sign with"
            )
        if self.fix is not None and not (self.fix.password or self.fix.latency_s):
            raise ValueError(f"session {self.session_id}: a signature needs latency_s, or it could be used again")
        if (self.fix is None or self.secret) and len(self.secret) < 16:
            raise ValueError(f"secret must have at least 16 characters, session {self.session_id}'s has {len(self.secret)}")


class Participant(Section, frozen=True):
    """Who may trade: permissions, accounts, sessions."""

    participant_id: Identifier
    name: Name
    permissions: tuple[str, ...] = ("TRADE",)  # names of Permission
    stp_mode: str = "CANCEL_NEWEST"  # name of StpMode: default of its orders
    stp_scope: str = "PARTICIPANT"  # name of StpScope: whose orders are its own
    accounts: tuple[Identifier, ...] = ()
    sessions: tuple[Session, ...] = ()
    enabled: bool = True

    def __post_init__(self) -> None:
        for permission in self.permissions:
            one_of("permissions", permission, Permission.__members__)
        one_of(
            "stp_mode",
            self.stp_mode,
            [mode.name for mode in StpMode if mode is not StpMode.PARTICIPANT_DEFAULT],
        )
        one_of("stp_scope", self.stp_scope, StpScope.__members__)


class Instrument(Section, frozen=True):
    """An instrument in readable terms; prices and quantities are decimals in quotes."""

    instrument_id: Identifier
    symbol: Name
    currency: Annotated[str, Meta(min_length=1, max_length=8, pattern="^[!-~]+$")] = "USD"
    asset_class: str = "STOCK"  # name of AssetClass
    tick: str = "0.01"  # size of one tick, in the currency
    lot: str = "1"  # size of one lot, in units of the instrument
    price_increment: str = ""  # empty: one tick
    price_min: str = "0.01"
    price_max: str = "1000000"
    qty_increment: str = ""  # empty: one lot
    qty_min: str = ""  # empty: the increment
    qty_max: str = "1000000"
    open: bool = True  # opened at the first start

    def __post_init__(self) -> None:
        one_of("asset_class", self.asset_class, AssetClass.__members__)
        InstrumentUnits.parse(self.tick, self.lot)


class Recorder(Section, frozen=True):
    """The recorder process: what it listens to, what it writes (protocols/recording.md)."""

    directory: Place = ""  # empty: recording/ in the venue's data_dir
    line_a: str = ""  # ZeroMQ address; empty: the venue's
    line_b: str = ""  # likewise; "none": there is no line B
    recovery: str = ""  # gap fills and snapshots; likewise
    receive_hwm: Frames = 4096  # frames a socket keeps while the recorder is busy
    batch_rows: Annotated[int, Meta(ge=1024, le=1 << 22)] = 1 << 16  # messages of a buffer
    queue_batches: Annotated[int, Meta(ge=8)] = 16  # buffers: one a channel and some that wait for the disk
    flush_seconds: Annotated[float, Meta(gt=0)] = 1.0  # a buffer is written after this time even if not full
    segment_rows: Count = 4_000_000  # a file is closed when it has reached one of these three
    segment_bytes: Count = 512 << 20
    segment_seconds: Count = 900
    compression: Literal["none", "lz4", "zstd"] = "lz4"  # of files being written; closed ones are zstd
    fsync: bool = False  # put each batch on disk, not only closed files
    compact: bool = True  # make Parquet of closed files while recording; else at the next start
    gap_wait_ms: Milliseconds = 20  # how long the other line has to bring what is missing
    request_timeout_ms: Milliseconds = 1000  # how long a gap fill may make no progress
    fill_tries_max: Annotated[int, Meta(ge=0)] = 5  # then the messages are given up; 0: there is no recovery
    pending_bytes_max: Count = 256 << 20  # of frames kept behind a hole of one channel
    groups: dict[str, tuple[Count, ...]] = {}  # instrument groups; instruments in none belong to "main"

    def __post_init__(self) -> None:
        reserved = {"feed", "main"} & set(self.groups)
        if reserved or not all(name.isidentifier() for name in self.groups):
            raise ValueError(
                f"groups must be identifiers other than feed and main, were {', '.join(self.groups)}"
            )
        members = [instrument_id for group in self.groups.values() for instrument_id in group]
        if len(set(members)) < len(members):
            raise ValueError("an instrument may be in one group only")

    @property
    def buffer_bytes(self) -> int:
        """Size of one buffer [bytes]; the largest frame always fits."""
        return max(48 * self.batch_rows, 1 << 20)


class Config(Section, frozen=True):
    """All settings of all processes."""

    venue: Venue = Venue()
    client_curve: ClientCurve = ClientCurve()
    orders: Orders = Orders()
    fix: FixDoor = FixDoor()
    journal: Journal = Journal()
    capacities: Capacities = Capacities()
    feed: Feed = Feed()
    recorder: Recorder = Recorder()
    fix_market_data: FixMarketData = FixMarketData()
    schedule: Schedule = Schedule()
    participants: tuple[Participant, ...] = ()
    instruments: tuple[Instrument, ...] = ()

    def __post_init__(self) -> None:
        sessions = [session for participant in self.participants for session in participant.sessions]
        unique("participant_id", [participant.participant_id for participant in self.participants])
        unique("session_id", [session.session_id for session in sessions])
        unique("api_key", [session.api_key for session in sessions if session.api_key])
        unique(
            "fix comp ids",
            [(s.fix.sender_comp_id, s.fix.target_comp_id) for s in sessions if s.fix is not None],
        )
        unique(
            "fix_market_data comp ids", [(s.sender_comp_id, s.target_comp_id) for s in self.fix_market_data.sessions]
        )
        unique("account", [account for participant in self.participants for account in participant.accounts])
        unique("instrument_id", [instrument.instrument_id for instrument in self.instruments])
        unique("symbol", [instrument.symbol for instrument in self.instruments])


def load(
    path: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, str] | None = None,
) -> Config:
    """Read the settings.

    Parameters
    ----------
    path : path, optional
        The YAML file. Without it ``TRADSYS_CONFIG`` names it, else ``./tradsys.yaml`` is read if there is one.
    environ : mapping, optional
        The environment; ``os.environ`` when not given.
    overrides : mapping, optional
        Dotted names to values, e.g. ``{"venue.orders_port": "0"}``; they outrank the environment.

    Raises
    ------
    ConfigError
        A file that cannot be read, an unknown name, a wrong type or a value out of range.
    """
    environ = os.environ if environ is None else environ
    source, settings = read_file(path, environ)
    for name, text in environ.items():
        if name.startswith(ENV_PREFIX) and ENV_SEPARATOR in name:
            overlay(settings, name.removeprefix(ENV_PREFIX).lower().split(ENV_SEPARATOR), text, name)
    for name, text in (overrides or {}).items():
        overlay(settings, name.split("."), text, name)
    try:
        return msgspec.convert(settings, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{source}: {error}{found_at(settings, str(error))}") from None


class YamlLoader(yaml.SafeLoader):
    """YAML without numbers to the base of 60: 17:30 is a time of day, not 1050."""

    def construct_number(self, node: yaml.ScalarNode) -> int | str:
        """Read a whole number."""
        return node.value if ":" in node.value else int(self.construct_yaml_int(node))


YamlLoader.add_constructor("tag:yaml.org,2002:int", YamlLoader.construct_number)


def found_at(settings: dict[str, Any], complaint: str) -> str:
    """Say what stands where msgspec complains of something else, ``at `$.venue.poll```; secrets are not said."""
    place = PLACE.search(complaint)
    value: Any = settings
    names = re.findall(r"[^.\[\]]+", place[1]) if place else []
    if not names or names[-1] in SECRET_NAMES:
        return ""
    try:
        for name in names:
            value = value[int(name)] if isinstance(value, list) else value[name]
    except (KeyError, IndexError, TypeError, ValueError):
        return ""
    return "" if isinstance(value, (dict, list)) else f", was {value!r}"


def read_file(path: str | os.PathLike[str] | None, environ: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """Read the YAML file into plain dicts; without one there is nothing but defaults."""
    named = path or environ.get(f"{ENV_PREFIX}CONFIG")
    if named is None and not Path(FILE_NAME).exists():
        return "settings", {}
    file = Path(named or FILE_NAME)
    try:
        settings = yaml.load(file.read_text(encoding="utf-8"), YamlLoader)
    except OSError as error:
        raise ConfigError(f"{file} must be a file of settings, cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError, yaml.YAMLError) as error:  # ValueError: no UTF-8, or a date that is none
        raise ConfigError(f"{file} must be settings in YAML, is not: {' '.join(str(error).split())}") from None
    if settings is not None and not isinstance(settings, dict):
        raise ConfigError(f"{file}: expected sections, was {type(settings).__name__}")
    return str(file), settings or {}


def overlay(settings: dict[str, Any], names: list[str], text: str, source: str) -> None:
    """Put one value into the settings, at ``names``; ``source`` is what the error message calls it."""
    kind: Any = Config
    place: Any = settings
    for depth, name in enumerate(names):
        if not (isinstance(kind, type) and issubclass(kind, Struct)):
            raise ConfigError(f"{source}: {'.'.join(names[:depth])} has no settings below it")
        hints = typing.get_type_hints(kind)
        if name not in hints:
            raise ConfigError(
                f"{source}: no setting {'.'.join(names[: depth + 1])}; there are: {', '.join(hints)}"
            )
        kind = hints[name]
        if depth < len(names) - 1:
            place = place.setdefault(name, {})
            if not isinstance(place, dict):
                raise ConfigError(f"{source}: {'.'.join(names[: depth + 1])} must have settings below it")
    try:
        place[names[-1]] = text if kind is str else yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: {error}") from None


def describe(config: Section) -> str:
    """Write the settings as YAML, secrets masked: what a process prints at its start."""
    return yaml.safe_dump(masked(msgspec.to_builtins(config)), sort_keys=False, allow_unicode=True)


def masked(settings: Any) -> Any:
    """Copy plain settings with every secret replaced."""
    if isinstance(settings, dict):
        return {k: MASK if k in SECRET_NAMES and v else masked(v) for k, v in settings.items()}
    return [masked(value) for value in settings] if isinstance(settings, (list, tuple)) else settings


def sessions_of(config: Config) -> Iterator[tuple[Participant, Session]]:
    """Walk over all sessions with their participants."""
    for participant in config.participants:
        for session in participant.sessions:
            yield participant, session


def one_of(name: str, value: str, allowed: typing.Collection[str]) -> None:
    """Raise ValueError unless the value is one of the allowed names."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, was {value!r}")


def unique(name: str, values: list[Any]) -> None:
    """Raise ValueError when a value occurs twice."""
    twice = {value for value in values if values.count(value) > 1}
    if twice:
        raise ValueError(f"each {name} must be given once, twice was {', '.join(map(str, sorted(twice)))}")
