"""Deciding commands 46 to 54. No Python face: cimport ``tradsys.core.venue_commands``."""
