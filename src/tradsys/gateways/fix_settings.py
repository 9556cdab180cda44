"""From what the settings say of a FIX session to what a door knows of it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from tradsys.config import FixIdentity
from tradsys.errors import ConfigError
from tradsys.fix.schedule import Schedule
from tradsys.fix.settings import SessionSettings
from tradsys.gateways.fix_logon import read_public_key
from tradsys.gateways.fix_sessions import FixSessionConfig


def session_of(
    identity: FixIdentity, who: str, protocol: Mapping[str, Any], **choices: Any
) -> FixSessionConfig:
    """Make the names, credentials, hours and rules of a session.

    Parameters
    ----------
    identity : FixIdentity
    who : str
        What an error calls it.
    protocol : mapping
        More fields of its SessionSettings.
    **choices
        More fields of its FixSessionConfig.

    Raises
    ------
    ConfigError
        Its hours or its key are none.
    """
    try:
        schedule = (
            Schedule(**msgspec.structs.asdict(identity.schedule)) if identity.schedule is not None else None
        )
        public_key = read_public_key(identity.public_key) if identity.public_key else b""
    except ValueError as error:
        raise ConfigError(f"{who}: {error}") from None
    settings = SessionSettings(
        sender_comp_id=identity.target_comp_id,
        target_comp_id=identity.sender_comp_id,
        precision=identity.precision,
        heartbeat_s_min=identity.heartbeat_s_min,
        heartbeat_s_max=identity.heartbeat_s_max,
        latency_ns=identity.latency_s * 10**9,
        schedule=schedule,
        **protocol,
    )
    return FixSessionConfig(
        settings=settings,
        username=identity.username,
        password=identity.password,
        public_key=public_key,
        allowed_addresses=identity.allowed_addresses,
        **choices,
    )
