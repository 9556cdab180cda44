"""Triggers of the engine. No Python face: cimport ``tradsys.core.triggers``."""
