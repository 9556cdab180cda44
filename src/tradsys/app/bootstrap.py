"""What a venue's settings define and its engine does not know yet, as commands."""

import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from tradsys import config
from tradsys.app.fix_rules import load_dictionary
from tradsys.engine.sequencer import Sequencer
from tradsys.errors import ConfigError, UnitError, reject_text
from tradsys.fix.validation import Validator
from tradsys.gateways.definitions import defined_ids
from tradsys.gateways.fix_sessions import FixSessionConfig
from tradsys.gateways.fix_settings import session_of
from tradsys.gateways.logon import Credential
from tradsys.limits import PRICE_TICKS_MAX, QTY_LOTS_MAX
from tradsys.wire import commands, records
from tradsys.wire.enums import (
    AssetClass,
    InstrumentState,
    Permission,
    RejectReason,
    StpMode,
    StpScope,
    Template,
)


def define_what_is_missing(sequencer: Sequencer, settings: config.Config) -> int:
    """Define what the settings have and the engine has not; what is defined stays as operators have left it.

    Returns
    -------
    int
        Commands run; 0 at the second start with the same settings.

    Raises
    ------
    ConfigError
        The engine refused one.
    """
    known = defined_ids(sequencer.engine)
    made = [*_participants(settings, known), *_instruments(settings, known)]
    if not made:
        return 0
    first_event = sequencer.last_event_seq + 1
    count = sequencer.run(commands.pack(made), time.time_ns())
    sequencer.wait_released()
    _raise_if_refused(sequencer.read_events(first_event, sequencer.last_event_seq - first_event + 1), settings)
    return count


def credentials_of(settings: config.Config) -> dict[str, Credential]:
    """API keys of the settings and the sessions they open."""
    return {
        session.api_key: Credential(
            session.session_id,
            participant.participant_id,
            session.secret.encode("utf-8"),
            session.throttle_messages,
            session.throttle_window_ms,
        )
        for participant, session in config.sessions_of(settings)
        if session.fix is None
    }


def fix_sessions_of(settings: config.Config) -> list[FixSessionConfig]:
    """FIX sessions of the settings."""
    return [
        _fix_session(settings, participant, session, session.fix)
        for participant, session in config.sessions_of(settings)
        if session.fix is not None
    ]


def _fix_session(
    settings: config.Config, participant: config.Participant, session: config.Session, fix: config.FixSession
) -> FixSessionConfig:
    return session_of(
        fix,
        f"session {session.session_id}",
        {"reset_by_logon": fix.reset_by_logon, "reset_on_logon": fix.reset_on_logon},
        session_id=session.session_id,
        participant_id=participant.participant_id,
        directory=Path(settings.venue.data_dir) / "fix" / f"{session.session_id:06d}",
        name=session.name,
        secret=session.secret.encode("utf-8"),
        accounts=fix.accounts,
        default_account=fix.default_account,
        stock_only=fix.stock_only,
        cod=fix.cod,
        cod_grace_ms=fix.cod_grace_ms,
        throttle_messages=session.throttle_messages,
        throttle_window_ms=session.throttle_window_ms,
        cancel_multiple=fix.cancel_multiple,
        instruments=fix.instruments,
        rules=strict_rules(settings.fix.dictionary) if fix.validation == "strict" else None,
        orders_max=fix.orders_max,
        is_durable=settings.venue.durability == "fsync",
        kind=fix.kind,
    )


@cache
def strict_rules(path: str) -> Validator:
    """Make the rules of a dictionary, once for all sessions; ours if no path is given."""
    dictionary = load_dictionary(Path(path) if path else None)
    if dictionary is None:
        raise ConfigError("validation: strict needs a dictionary, and ours is not here: name one in fix.dictionary")
    return Validator(dictionary, strict=True)


def _participants(settings: config.Config, known: dict[str, set[int]]) -> Iterator[np.ndarray]:
    for participant in settings.participants:
        number = participant.participant_id
        if number not in known["participants"]:
            permissions = Permission(0)
            for name in participant.permissions:
                permissions |= Permission[name]
            yield commands.define_participant(
                number,
                permissions=permissions,
                stp_mode=StpMode[participant.stp_mode],
                stp_scope=StpScope[participant.stp_scope],
                enabled=participant.enabled,
            )
        for session in participant.sessions:
            if session.session_id not in known["sessions"]:
                yield commands.define_session(
                    session.session_id, number, name=session.name, enabled=session.enabled
                )
        for account in participant.accounts:
            if account not in known["accounts"]:
                yield commands.define_account(account, number)


def _instruments(settings: config.Config, known: dict[str, set[int]]) -> Iterator[np.ndarray]:
    for instrument in settings.instruments:
        if instrument.instrument_id in known["instruments"]:
            continue
        yield _definition(instrument)
        if instrument.open:
            yield commands.set_instrument_state(instrument.instrument_id, InstrumentState.OPEN)


def _definition(instrument: config.Instrument) -> np.ndarray:
    try:
        return commands.define_instrument(
            instrument.instrument_id,
            instrument.symbol,
            currency=instrument.currency,
            asset_class=AssetClass[instrument.asset_class],
            tick=instrument.tick,
            lot=instrument.lot,
            price_increment=instrument.price_increment,
            price_min=instrument.price_min,
            price_max=instrument.price_max,
            qty_increment=instrument.qty_increment,
            qty_min=instrument.qty_min,
            qty_max=instrument.qty_max,
        )
    except UnitError as error:
        raise ConfigError(f"the settings' instrument {instrument.symbol}: {error}") from None


def _raise_if_refused(events: np.ndarray, settings: config.Config) -> None:
    refused = events[events["template_id"] == Template.COMMAND_REJECTED]
    if not len(refused):
        return
    first = refused[:1].view(records.COMMAND_REJECTED)[0]
    what, reason = Template(int(first["refused_template"])), RejectReason(int(first["reject_reason"]))
    why = reject_text(reason)
    if what == Template.DEFINE_INSTRUMENT:
        number = int(first["instrument_id"])
        (instrument,) = (one for one in settings.instruments if one.instrument_id == number)
        why = f"instrument {number} ({instrument.symbol}): {_fault_of(instrument, reason, settings) or why}"
    raise ConfigError(f"the settings' {what.name} is refused: {why}")


def _fault_of(instrument: config.Instrument, reason: RejectReason, settings: config.Config) -> str:
    """Which of the rules of definitions (rule book 7.1, 7.2) an instrument breaks; empty: none of these."""
    if reason == RejectReason.ALREADY_DEFINED:
        return "another instrument of the venue has this symbol"
    made, ids_max = _definition(instrument)[0], settings.capacities.instruments_max
    price_min, price_max = int(made["price_min_ticks"]), int(made["price_max_ticks"])
    qty_min, qty_max = int(made["qty_min_lots"]), int(made["qty_max_lots"])
    price_largest = max(abs(price_min), abs(price_max))
    faults = {
        f"instrument_id must be below capacities.instruments_max, {ids_max}": instrument.instrument_id >= ids_max,
        "price_increment must be at least one tick": made["price_increment_ticks"] < 1,
        "qty_increment must be at least one lot": made["qty_increment_lots"] < 1,
        f"price_min must not be above price_max, were {instrument.price_min} and {instrument.price_max}": price_min > price_max,
        f"prices must be within {PRICE_TICKS_MAX} ticks of 0, was {price_largest}": price_largest > PRICE_TICKS_MAX,
        f"qty_min must be from one lot to qty_max, were {qty_min} and {qty_max} lots": not 1 <= qty_min <= qty_max,
        f"qty_max must be at most {QTY_LOTS_MAX} lots, was {qty_max}": qty_max > QTY_LOTS_MAX,
        f"largest price times qty_max must be below 2^63 ticks x lots, was {price_largest * qty_max}":
            price_largest * qty_max >= 1 << 63,
    }  # fmt: skip
    return next((fault for fault, is_so in faults.items() if is_so), "")
