"""Deciding commands 46 and 47. No Python face: cimport ``tradsys.core.venue_commands``."""
