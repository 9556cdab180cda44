"""The price of an auction and its uncross. No Python face: cimport ``tradsys.core.auction``."""
