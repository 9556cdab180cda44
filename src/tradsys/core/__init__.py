"""The deterministic matching engine: NumPy records of commands in, records of events out."""
