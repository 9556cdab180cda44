"""Risk of portfolios: pure functions of NumPy arrays, hot loops in numba. Nothing is imported until it is asked for.

Conventions of every module: a profit is positive, a loss negative; VaR and ES are losses, so a risk is a positive number.
``level`` is the probability that a loss is not beyond the VaR, such as 0.99. Amounts are in the currency of the exposures,
returns are fractions (0.01 is one per cent), volatilities are per step of the data unless a name says otherwise.
What cannot be answered is refused with ``tradsys.errors.RiskError`` and a name of ``tradsys.risk.inputs.Problem``.
"""
