"""TradSys: a trading venue in one package. Start at ``tradsys.core.Engine`` or with ``tradsys --help``."""

__version__ = "0.1.0"
