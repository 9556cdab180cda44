"""Phases of an instrument, calls and price ranges. No Python face: cimport ``tradsys.core.phases``."""
