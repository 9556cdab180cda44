"""Sequencer, journal, event log, snapshots and recovery: what makes the decisions of the core last.

``Sequencer.open(data_dir)`` is the door: it recovers what is there and goes on.
"""
