"""Deciding commands. No Python face: cimport ``tradsys.core.decide``."""
