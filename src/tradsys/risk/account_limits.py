"""Limits of accounts: read from YAML, held against figures, told where they stand.

The form is that of protocols/risk_stream.md, section 5.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import yaml

from tradsys.errors import ConfigError
from tradsys.risk.live import Figures

EVERYBODY = "*"
FALL_SHARE = 0.95  # a state falls below this share of where it rose, so that it does not flutter
AMOUNTS = ("gross", "net", "var", "es", "loss", "concentration")
OK, WARNING, BREACH = "ok", "warning", "breach"

Action = Literal["alert", "cancel", "block", "disable"]


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of one account or participant; None: there is none."""

    gross: float | None = None
    net: float | None = None  # of its magnitude
    var: float | None = None
    es: float | None = None
    loss: float | None = None  # of minus the P&L
    concentration: float | None = None
    positions: dict[str, float] = {}  # magnitude of the quantity in units, by symbol
    warn: float = 0.8  # share of a limit
    on_breach: Action = "alert"

    def __post_init__(self) -> None:
        for name, bound in [*((n, getattr(self, n)) for n in AMOUNTS), *self.positions.items()]:
            if bound is not None and not 0.0 < bound < math.inf:
                raise ValueError(f"the limit {name} must be above 0 and finite, was {bound}")
        if not 0.0 < self.warn <= 1.0:
            raise ValueError(f"warn must be a share of the limit in (0, 1], was {self.warn}")


class LimitFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of limits."""

    limits: dict[str, Limits] = {}  # NAME, NAME/N or "*"
    entitlements: dict[str, dict[str, bool]] = {}  # participant: symbol: whether it may trade it

    def of(self, name: str) -> Limits | None:
        """Limits of a participant or account; "*" holds for participants without a line of their own."""
        return self.limits.get(name) or (self.limits.get(EVERYBODY) if "/" not in name else None)


class Judged(NamedTuple):
    """One limit held against the figures."""

    limit: str  # "var", or "position SYMBOL"
    value: float
    bound: float


class Standing(NamedTuple):
    """Where one limit of somebody stands."""

    whom: str
    judged: Judged
    state: str
    action: Action
    since_us: int


def read_limits(path: Path) -> LimitFile:
    """Read a file of limits.

    Raises
    ------
    ConfigError
        It cannot be read, is no YAML, names what there is not, or has a limit that cannot be.
    """
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
        return msgspec.convert({} if read is None else read, LimitFile)
    except OSError as error:
        raise ConfigError(f"{path} must be a file of limits, cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError, yaml.YAMLError) as error:  # ValueError: no UTF-8, or not in this form
        raise ConfigError(f"{path} must be limits in YAML, is not: {' '.join(str(error).split())}") from None


def judge(limits: Limits, figures: Figures, quantities: Mapping[str, float]) -> Iterator[Judged]:
    """Hold figures against limits; a figure that is not known is not judged.

    Parameters
    ----------
    limits
        Of whom the figures are.
    figures
        Of the portfolio.
    quantities
        Units held, by symbol.
    """
    values = {
        "gross": figures.gross, "net": abs(figures.net), "var": figures.var, "es": figures.es,
        "loss": max(-figures.pnl, 0.0), "concentration": figures.concentration,
    }  # fmt: skip
    for name in AMOUNTS:
        bound, value = getattr(limits, name), values[name]
        if bound is not None and value is not None:
            yield Judged(name, value, bound)
    for symbol, bound in limits.positions.items():
        yield Judged(f"position {symbol}", abs(quantities.get(symbol, 0.0)), bound)


def names_of(limits: Limits) -> set[str]:
    """Names of the limits there are."""
    amounts = {name for name in AMOUNTS if getattr(limits, name) is not None}
    return amounts | {f"position {symbol}" for symbol in limits.positions}


class Watch:
    """Where every limit stands; a state falls later than it rises.

    Parameters
    ----------
    standings
        Where they stood for a watch before, by whom and limit: taken over, and each that is not ok is told once.
    """

    def __init__(self, standings: Mapping[tuple[str, str], Standing] | None = None) -> None:
        self.standings: dict[tuple[str, str], Standing] = dict(standings or {})  # whom, limit
        self._taken_over = {key for key, standing in self.standings.items() if standing.state != OK}

    def judge(
        self, whom: str, limits: Limits | None, figures: Figures, quantities: Mapping[str, float], now_us: int
    ) -> list[Standing]:
        """Hold somebody's figures against the limits; what stands otherwise than before."""
        told: list[Standing] = []
        found = {} if limits is None else {j.limit: j for j in judge(limits, figures, quantities)}
        there_are = (
            set() if limits is None else names_of(limits)
        )  # a figure not known leaves its limit as it stood
        for name in [name for who, name in self.standings if who == whom and name not in there_are]:
            gone = self.standings.pop((whom, name))
            if gone.state != OK:
                told.append(gone._replace(state=OK, since_us=now_us))
        for name, judged in found.items():
            assert limits is not None, "what was judged has limits"
            before = self.standings.get((whom, name))
            state = _state(judged, limits.warn, OK if before is None else before.state)
            is_same = before is not None and before.state == state
            since_us = before.since_us if before is not None and is_same else now_us
            now = self.standings[whom, name] = Standing(whom, judged, state, limits.on_breach, since_us)
            is_untold = (whom, name) in self._taken_over
            self._taken_over.discard((whom, name))
            if (is_untold and state != OK) or (not is_same and (state != OK or before is not None)):
                told.append(now)
        return told

    def breaches(self) -> list[Standing]:
        """The limits that are breached."""
        return [standing for standing in self.standings.values() if standing.state == BREACH]


def _state(judged: Judged, warn: float, before: str) -> str:
    used = judged.value / judged.bound
    fall = {OK: (1.0, 1.0), WARNING: (FALL_SHARE, 1.0), BREACH: (FALL_SHARE, FALL_SHARE)}[before]
    if used >= 1.0 * fall[1]:
        return BREACH
    return WARNING if used >= warn * fall[0] else OK


def as_fields(standing: Standing) -> dict[str, Any]:
    """The fields of an alert's frame."""
    judged = standing.judged
    return {
        "whom": standing.whom, "limit": judged.limit, "state": standing.state, "value": judged.value,
        "bound": judged.bound, "since_us": standing.since_us,
    }  # fmt: skip
