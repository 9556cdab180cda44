"""Matches that are kept, to be busted and corrected. No Python face: cimport ``tradsys.core.trades``."""
