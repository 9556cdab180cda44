"""Hash, invariants and snapshot of positions and limits. No Python face: cimport ``tradsys.core.risk_image``."""
