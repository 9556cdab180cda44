"""Risk of a portfolio that changes by fills: updated, not computed again.

Of a normal P&L: with exposures w and covariance C, the portfolio keeps C w. A fill of exposure x in asset i adds
x C[:, i] to it and x (2 (C w)[i] + x C[i, i]) to the variance: one column, whatever the number of positions. Of a
history: it keeps the P&L of every day, and a fill adds x times one column of returns.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from tradsys.risk.covariance import factor
from tradsys.risk.distributions import normal_pdf, normal_quantile
from tradsys.risk.historical import VarEs, historical_var_es
from tradsys.risk.inputs import Floats, Problem, level_of, matrix, refusal, symmetric, vector
from tradsys.risk.kernel import kernel

REFRESH_FILLS = 1 << 16  # after so many fills everything is computed again, so rounding does not pile up


class NormalRisk:
    """VaR and ES of normal returns, kept up to date fill by fill. Not for several threads at a time.

    Invariant: ``slopes`` is the covariance times the exposures and ``variance`` their product with the exposures, up to the
    rounding of at most 65,536 fills; ``check`` is that sentence in code.

    Parameters
    ----------
    covariance
        (assets, assets) of returns over the horizon, positive semi-definite.
    level
        In [0.5, 1).
    exposures
        (assets,) amounts held at the start; none if not given.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE; SINGULAR: a covariance that is not positive semi-definite.
    """

    __slots__ = ("_es_factor", "_state", "_var_factor", "covariance", "exposures", "slopes")

    def __init__(self, covariance: ArrayLike, level: float, exposures: ArrayLike | None = None) -> None:
        self.covariance = symmetric("covariance", covariance)
        factor(self.covariance)  # refuses what is not positive semi-definite
        size = len(self.covariance)
        self.exposures = (
            np.zeros(size) if exposures is None else vector("exposures", exposures, length=size).copy()
        )
        self._var_factor = float(normal_quantile(level_of(level)))
        self._es_factor = float(normal_pdf(self._var_factor)) / (1.0 - level)
        self.slopes = np.empty(size)
        self._state = np.zeros(2)  # variance, fills since it was computed
        self.refresh()

    @property
    def variance(self) -> float:
        """Of the P&L, in squares of the currency."""
        return max(float(self._state[0]), 0.0)

    @property
    def var(self) -> float:
        """Value at risk."""
        return self._var_factor * math.sqrt(self.variance)

    @property
    def es(self) -> float:
        """Expected shortfall."""
        return self._es_factor * math.sqrt(self.variance)

    def sibling(self) -> "NormalRisk":
        """Make a portfolio without exposures over the same covariance, which both share; O(assets)."""
        made = NormalRisk.__new__(NormalRisk)
        made.covariance = self.covariance
        made._var_factor, made._es_factor = self._var_factor, self._es_factor
        made.exposures, made.slopes = np.zeros(len(self.exposures)), np.zeros(len(self.exposures))
        made._state = np.zeros(2)
        return made

    def figures(self) -> VarEs:
        """VaR and ES."""
        return VarEs(self.var, self.es)

    def fill(self, asset: int, exposure: float) -> VarEs:
        """Add ``exposure`` (an amount, negative for a sale) of one asset and give the new VaR and ES; O(assets).

        Raises
        ------
        RiskError
            UNKNOWN: there is no such asset; NOT_FINITE.
        """
        self._refuse(asset, exposure)
        variance = _fill(self.covariance, self.exposures, self.slopes, self._state, asset, exposure)
        if self._state[1] >= REFRESH_FILLS:
            self.refresh()
            variance = self.variance
        deviation = math.sqrt(variance)
        return VarEs(self._var_factor * deviation, self._es_factor * deviation)

    def after(self, asset: int, exposure: float) -> VarEs:
        """VaR and ES if such a fill came, without taking it: for a limit before a trade; O(1)."""
        self._refuse(asset, exposure)
        added = exposure * (2.0 * self.slopes[asset] + exposure * self.covariance[asset, asset])
        deviation = math.sqrt(max(float(self._state[0] + added), 0.0))
        return VarEs(self._var_factor * deviation, self._es_factor * deviation)

    def component_var(self) -> Floats:
        """What each asset adds to the VaR (assets,); zero where nothing moves; O(assets)."""
        deviation = math.sqrt(self.variance)
        return self.exposures * self.slopes * (self._var_factor / deviation if deviation > 0.0 else 0.0)

    def refresh(self) -> None:
        """Compute everything again from exposures and covariance; O(assets^2)."""
        self.slopes[:] = self.covariance @ self.exposures
        self._state[:] = self.exposures @ self.slopes, 0.0

    def check(self) -> None:
        """Assert the invariant."""
        scale = np.abs(self.covariance) @ np.abs(self.exposures)
        drift = 1e-9 * max(float(scale.max()), 1e-300)
        assert np.abs(self.slopes - self.covariance @ self.exposures).max() <= drift
        total = float(np.abs(self.exposures).sum())
        assert abs(self._state[0] - self.exposures @ self.covariance @ self.exposures) <= max(
            drift * total, 1e-12
        )

    def _refuse(self, asset: int, exposure: float) -> None:
        if not 0 <= asset < len(self.exposures):
            raise refusal(Problem.UNKNOWN, f"asset must be in [0, {len(self.exposures)}), was {asset}")
        if not math.isfinite(exposure):
            raise refusal(Problem.NOT_FINITE, f"the exposure of a fill must be finite, was {exposure}")


class HistoricalRisk:
    """VaR and ES over a history of returns, kept up to date fill by fill. Not for several threads at a time.

    Invariant: ``pnl`` is the returns times the exposures.

    Parameters
    ----------
    returns
        (observations, assets) fractions.
    level
        In [0.5, 1).
    exposures
        (assets,) amounts held at the start; none if not given.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE.
    """

    __slots__ = ("_by_asset", "_fills", "exposures", "level", "pnl")

    def __init__(self, returns: ArrayLike, level: float, exposures: ArrayLike | None = None) -> None:
        data = matrix("returns", returns)
        self._by_asset = np.ascontiguousarray(data.T)
        self.level = level_of(level)
        self.exposures = (
            np.zeros(data.shape[1])
            if exposures is None
            else vector("exposures", exposures, length=data.shape[1]).copy()
        )
        self.pnl = data @ self.exposures
        self._fills = 0

    def sibling(self) -> "HistoricalRisk":
        """Make a portfolio without exposures over the same returns, which both share; O(observations + assets)."""
        made = HistoricalRisk.__new__(HistoricalRisk)
        made._by_asset, made.level = self._by_asset, self.level
        made.exposures, made.pnl = np.zeros(len(self.exposures)), np.zeros(len(self.pnl))
        made._fills = 0
        return made

    def component_var(self) -> Floats:
        """What each asset adds to the VaR (assets,): its loss on the day of the VaR, which sum to it."""
        var = historical_var_es(self.pnl, self.level).var
        day = int(np.abs(self.pnl + var).argmin())
        return -self.exposures * self._by_asset[:, day] + 0.0

    def refresh(self) -> None:
        """Compute the P&L of every day again from returns and exposures; O(observations x assets)."""
        self.pnl[:] = self.exposures @ self._by_asset
        self._fills = 0

    def fill(self, asset: int, exposure: float) -> None:
        """Add ``exposure`` of one asset; O(observations).

        Raises
        ------
        RiskError
            UNKNOWN: there is no such asset; NOT_FINITE.
        """
        if not 0 <= asset < len(self.exposures):
            raise refusal(Problem.UNKNOWN, f"asset must be in [0, {len(self.exposures)}), was {asset}")
        if not math.isfinite(exposure):
            raise refusal(Problem.NOT_FINITE, f"the exposure of a fill must be finite, was {exposure}")
        self.exposures[asset] += exposure
        self.pnl += exposure * self._by_asset[asset]
        self._fills += 1
        if self._fills >= REFRESH_FILLS:
            self.refresh()

    def figures(self) -> VarEs:
        """VaR and ES; O(observations) expected."""
        return historical_var_es(self.pnl, self.level)

    def check(self) -> None:
        """Assert the invariant."""
        scale = np.abs(self.exposures) @ np.abs(self._by_asset)
        assert np.abs(self.pnl - self.exposures @ self._by_asset).max() <= 1e-9 * max(
            float(scale.max()), 1e-300
        )


@kernel("float64(float64[:, ::1], float64[::1], float64[::1], float64[::1], int64, float64)")
def _fill(covariance, exposures, slopes, state, asset, exposure):  # type: ignore[no-untyped-def]
    """Take one fill; gives the variance, not below zero."""
    state[0] += exposure * (2.0 * slopes[asset] + exposure * covariance[asset, asset])
    state[1] += 1.0
    exposures[asset] += exposure
    for i in range(len(slopes)):
        slopes[i] += exposure * covariance[asset, i]
    return max(state[0], 0.0)
