"""Looking at all order lists. No Python face: cimport ``tradsys.core.inspect_lists``."""
