"""What risk sends back into the venue: kill switch and limit changes, as operator commands through the order door."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tradsys.app.doors import address_of
from tradsys.app.sessions import curve_of
from tradsys.client.order_client import OrderClient
from tradsys.config import Config, Participant, Session, sessions_of
from tradsys.errors import ConfigError, SessionError, UsageError, reject_text
from tradsys.risk.account_limits import LimitFile
from tradsys.wire import commands
from tradsys.wire.enums import InstrumentState, ReportType

ANSWER_SECONDS = 3.0
RETRY_SECONDS = 1.0
HEARTBEAT_MS = 10_000
DONE = "done"
STATES = {"halt": InstrumentState.HALTED, "open": InstrumentState.OPEN, "close": InstrumentState.CLOSED}


@dataclass(frozen=True)
class Order:
    """One thing the venue is to do."""

    verb: str  # cancel, block, disable, release, enable
    participant_id: int
    instrument_id: int = 0  # 0: all


class VenueControl:
    """A session of an operator, logged on when it is first needed.

    Parameters
    ----------
    settings : Config
        Has participants, their sessions and the operator's secret.
    address : str
        Of the order door.
    session : Session
        The operator's; its participant has OPERATE.
    """

    def __init__(self, settings: Config, address: str, session: Session) -> None:
        self.session = session
        self.problem = ""
        self._participants = {p.participant_id: p for p in settings.participants}
        self._address, self._curve = address, curve_of(settings)
        self._client: OrderClient | None = None

    @property
    def is_connected(self) -> bool:
        """Whether the session is logged on."""
        return self._client is not None

    def carry_out(self, order: Order, instruments: Iterable[int]) -> str:
        """Send what an order takes, in its order, and wait for the answers: ``done``, ``refused: ...`` or ``failed: ...``.

        Parameters
        ----------
        order : Order
        instruments : iterable of int
            Ids of all instruments.
        """
        wanted = [order.instrument_id] if order.instrument_id else list(instruments)
        return self.send(commands_of(self._participants[order.participant_id], order, wanted))

    def send(self, batch: Iterable[np.ndarray]) -> str:
        """Send commands one behind the other and wait for their answers."""
        try:
            client = self._connected()
            sent = [client.send_one(command) for command in batch]
            if not sent:
                return DONE
            reports = client.receive_until(sent[-1], ANSWER_SECONDS)
        except SessionError as error:
            self.problem = str(error)
            self._drop()
            return f"failed: {error}"
        self.problem = ""
        refused = reports[
            (reports["report_type"] == ReportType.REJECTED) & np.isin(reports["client_seq"], sent)
        ]
        return f"refused: {reject_text(int(refused['reject_reason'][0]))}" if len(refused) else DONE

    def poll(self) -> None:
        """Keep the session alive."""
        if self._client is None:
            return
        try:
            self._client.receive(0.0)
        except SessionError as error:
            self.problem = str(error)
            self._drop()

    def close(self) -> None:
        """Log out."""
        if self._client is not None:
            try:
                self._client.close(1.0)
            except SessionError:
                self._drop()
            self._client = None

    def _connected(self) -> OrderClient:
        if self._client is None:
            client = OrderClient(
                self._address, self.session.api_key, self.session.secret.encode(), curve=self._curve,
                heartbeat_ms=HEARTBEAT_MS, reconnect_s=0.0,
            )  # fmt: skip
            self._client = client.connect(ANSWER_SECONDS)
        return self._client

    def _drop(self) -> None:
        if self._client is not None:
            self._client.session.state = type(self._client.session.state).OFFLINE
            self._client.close(0.0)
        self._client = None


def commands_of(participant: Participant, order: Order, instruments: Iterable[int]) -> list[np.ndarray]:
    """The commands of an order.

    Cancelling comes behind forbidding: what was entered before the one is gone by the other.
    """
    number = participant.participant_id
    made: list[np.ndarray] = []
    if order.verb in ("block", "disable", "release"):
        allowed = order.verb == "release"
        made += [
            commands.set_entitlement(number, instrument_id, allowed=allowed) for instrument_id in instruments
        ]
    if order.verb in ("cancel", "block", "disable"):
        made.append(commands.mass_cancel(target_participant_id=number, instrument_id=order.instrument_id))
    if order.verb in ("disable", "enable"):
        made += [
            commands.define_session(
                session.session_id, number, name=session.name, enabled=order.verb == "enable"
            )
            for session in participant.sessions
            if session.fix is None or session.fix.kind == "orders"
        ]
    return made


def _entitlement_commands(
    limits: LimitFile, names: Mapping[str, int], instruments: Mapping[str, int]
) -> list[np.ndarray]:
    """Who may trade what."""
    return [
        commands.set_entitlement(names[name], instruments[symbol], allowed=allowed)
        for name, entitlements in limits.entitlements.items()
        for symbol, allowed in entitlements.items()
        if symbol in instruments
    ]


LimitCommands = Callable[[LimitFile, Mapping[str, int], Mapping[str, int]], list[np.ndarray]]

# What of a file of limits the venue holds itself, and the commands that tell it; a new kind of limit is a line here.
LIMIT_COMMANDS: dict[str, LimitCommands] = {"entitlements": _entitlement_commands}


def limit_commands(
    limits: LimitFile, names: Mapping[str, int], instruments: Mapping[str, int]
) -> list[np.ndarray]:
    """All commands that bring the venue's limits to what a file says.

    Parameters
    ----------
    limits : LimitFile
    names : mapping
        Participant ids by name.
    instruments : mapping
        Instrument ids by symbol; what the file says of others waits until they are defined.
    """
    return [command for make in LIMIT_COMMANDS.values() for command in make(limits, names, instruments)]


def operator_session(settings: Config, named: str) -> Session:
    """The session to send commands with: the one named, else the first whose participant has OPERATE.

    Raises
    ------
    ConfigError
        There is none.
    """
    found = [
        session
        for participant, session in sessions_of(settings)
        if session.fix is None
        and "OPERATE" in participant.permissions
        and named in ("", session.name, session.api_key)
    ]
    if not found:
        what = f"no session {named!r}" if named else "no binary session"
        raise ConfigError(f"the settings have {what} of a participant with OPERATE")
    return found[0]


def by_hand(
    settings: Config, verb: str, name: str, instrument: str, orders: str, operator: str
) -> tuple[int, str]:
    """Carry out a verb: how many commands it took, and its outcome.

    Raises
    ------
    UsageError
        The settings have no such name, or it is not of this verb.
    SessionError
        The venue was not reached, or has not answered.
    """
    batch = _batch(settings, verb, name, instrument)
    link = VenueControl(settings, address_of(settings, orders), operator_session(settings, operator))
    try:
        outcome = link.send(batch)
    finally:
        link.close()
    if outcome.startswith("failed"):
        raise SessionError(outcome.removeprefix("failed: "))
    return len(batch), outcome


def _batch(settings: Config, verb: str, name: str, instrument: str) -> list[np.ndarray]:
    """The commands of a verb, or a refusal of names that are none."""
    symbols = {item.symbol: item.instrument_id for item in settings.instruments}
    if verb in STATES:
        if instrument:
            raise UsageError(
                f"--instrument goes with cancel, block and release; {verb} takes the symbol itself"
            )
        return [commands.set_instrument_state(_found(symbols, "instrument", name), STATES[verb])]
    participants = {participant.name: participant for participant in settings.participants}
    participant = _found(participants, "participant", name)
    if verb == "release" and "TRADE" not in participant.permissions:
        raise UsageError(f"{name} has not the permission TRADE: to release it would give it what it had not")
    if instrument and verb in ("disable", "enable"):
        raise UsageError(f"{verb} is of the whole participant, not of --instrument {instrument}")
    chosen = _found(symbols, "instrument", instrument) if instrument else 0
    order = Order(verb, participant.participant_id, chosen)
    return commands_of(participant, order, [chosen] if chosen else list(symbols.values()))


def _found(known: Mapping[str, Any], kind: str, name: str) -> Any:
    if name not in known:
        raise UsageError(f"the settings have no {kind} {name!r}; there are: {', '.join(known) or 'none'}")
    return known[name]


class Actions:
    """Orders to the venue that have not been carried out yet, and those that have, by the limit they were made for."""

    def __init__(self, link: VenueControl, outcomes: Mapping[tuple[str, str], str] | None = None) -> None:
        self.outcomes: dict[tuple[str, str], str] = dict(outcomes or {})  # whom, limit; of a process before, too
        self._link = link
        self._waiting: dict[tuple[str, str], Order] = {}
        self._retry_s = 0.0

    def want(self, key: tuple[str, str], order: Order) -> None:
        """Take an order, unless it is carried out already."""
        if not self.outcomes.get(key, "failed").startswith("failed"):
            return
        self._waiting[key] = order
        self._retry_s = 0.0

    def drop(self, key: tuple[str, str]) -> None:
        """The breach is over: what has failed until now is not tried again."""
        self._waiting.pop(key, None)
        self.outcomes.pop(key, None)

    def pump(self, instruments: Iterable[int]) -> list[tuple[str, str]]:
        """Carry out what waits, when it is time to; the limits whose outcome is new."""
        if not self._waiting or time.monotonic() < self._retry_s:
            return []
        told = []
        ids = list(instruments)
        for key, order in list(self._waiting.items()):
            outcome = self._link.carry_out(order, ids)
            if not outcome.startswith("failed"):
                del self._waiting[key]
            if self.outcomes.get(key) != outcome:
                self.outcomes[key] = outcome
                told.append(key)
            if outcome.startswith("failed"):
                self._retry_s = time.monotonic() + RETRY_SECONDS
                break  # the others would wait for the same door
        return told


def known_limits(limits: LimitFile, settings: Config) -> None:
    """Refuse a file that names who or what the settings have not.

    Raises
    ------
    ConfigError
        With the name.
    """
    participants = {participant.name: participant for participant in settings.participants}
    symbols = {item.symbol for item in settings.instruments}
    for whom in [*limits.limits, *limits.entitlements]:
        name, slash, account = whom.partition("/")
        if whom == "*" and whom in limits.limits:
            continue
        if name not in participants or (slash and whom in limits.entitlements):
            raise ConfigError(
                f"limits of {whom!r}: the settings have no such participant; there are: {', '.join(participants)}"
            )
        accounts = {"0", *map(str, participants[name].accounts)}
        if slash and account not in accounts:
            raise ConfigError(
                f"limits of {whom!r}: {name} has no such account; it has: {', '.join(sorted(accounts))}"
            )
    named = {s for one in limits.limits.values() for s in one.positions} | {
        s for e in limits.entitlements.values() for s in e
    }
    unknown = sorted(named - symbols) if symbols else []
    if unknown:
        raise ConfigError(
            f"limits of positions in {', '.join(unknown)}: the settings have no such instrument"
        )
