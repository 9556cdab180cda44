"""Deciding the rare commands. No Python face: cimport ``tradsys.core.admin``."""
