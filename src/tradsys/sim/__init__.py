"""The venue in a box: workloads, reference engine, faulty wire and disk, checkers."""
