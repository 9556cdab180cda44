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
from tradsys.wire import commands, records
from tradsys.wire.enums import AssetClass, InstrumentState, Permission, StpMode, StpScope, Template


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
    _raise_if_refused(sequencer.read_events(first_event, sequencer.last_event_seq - first_event + 1))
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


def _raise_if_refused(events: np.ndarray) -> None:
    refused = events[events["template_id"] == Template.COMMAND_REJECTED]
    if len(refused):
        first = refused[:1].view(records.COMMAND_REJECTED)[0]
        what = Template(int(first["refused_template"])).name
        raise ConfigError(f"the settings' {what} is refused: {reject_text(int(first['reject_reason']))}")
