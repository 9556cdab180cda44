"""Memory of positions, limits, kill switches and price bands. No Python face: cimport ``tradsys.core.risk_state``."""
