"""Limits of conduct. No Python face: cimport ``tradsys.core.conduct``."""
