"""Ring memory; used from Cython only."""
