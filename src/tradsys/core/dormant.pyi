"""Dormant orders of the engine. No Python face: cimport ``tradsys.core.dormant``."""
