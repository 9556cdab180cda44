"""Conduct looked at as a whole. No Python face: cimport ``tradsys.core.conduct_image``."""
