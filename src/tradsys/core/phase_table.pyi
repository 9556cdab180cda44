"""What the states of an instrument take and what may follow. No Python face: cimport ``tradsys.core.phase_table``."""
