"""Order lists of the engine. No Python face: cimport ``tradsys.core.lists``."""
