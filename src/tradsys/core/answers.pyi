"""Who may send an operator command, and the answers to it. No Python face: cimport ``tradsys.core.answers``."""
