"""Hash, invariants and snapshot of fees. No Python face: cimport ``tradsys.core.venue_image``."""
