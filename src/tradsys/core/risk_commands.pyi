"""Deciding commands 40 to 45. No Python face: cimport ``tradsys.core.risk_commands``."""
