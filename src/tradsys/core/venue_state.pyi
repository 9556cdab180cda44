"""Memory of fees. No Python face: cimport ``tradsys.core.venue_state``."""
