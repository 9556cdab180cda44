"""Deciding commands 46 to 50. No Python face: cimport ``tradsys.core.venue_commands``."""
