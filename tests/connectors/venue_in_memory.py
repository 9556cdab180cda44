"""A venue without sockets for replay tests: the reference engine, and a link per session that renders its reports."""

import numpy as np

from tradsys.gateways.reports import render_reports
from tradsys.sim.reference_engine import ReferenceEngine
from tradsys.wire import commands
from tradsys.wire.enums import InstrumentState, Permission
from tradsys.wire.records import DTYPES, EXECUTION_REPORT


class VenueInMemory:
    """One instrument (id 1, open), three participants with a session each: 1, 2 and 3, the last an operator."""

    def __init__(self, engine=None, *, tick="0.01"):
        self.engine = engine if engine is not None else ReferenceEngine()
        self.links = {session: Link(self, session) for session in (1, 2, 3)}
        self.engine.submit(
            commands.define_instrument(1, "AMZN", tick=tick, price_max="10000", qty_max="1000000")
        )
        self.engine.submit(commands.set_instrument_state(1, InstrumentState.OPEN))
        for number in (1, 2, 3):
            both = Permission.TRADE | Permission.OPERATE
            self.engine.submit(
                commands.define_participant(number, permissions=both if number == 3 else Permission.TRADE)
            )
            self.engine.submit(commands.define_session(number, number))
            self.engine.submit(commands.open_session(number))

    def decide(self, session, records):
        events = np.array(self.engine.submit(records))
        for number, link in self.links.items():
            reports = render_reports(events, number)
            if len(reports):
                link.waiting.append(reports)


class Link:
    """What OrderLink asks for, straight into the engine."""

    def __init__(self, venue, session):
        self.venue = venue
        self.session = session
        self.next_seq = 1
        self.waiting = []
        self.frames = 0

    def send(self, records):
        first = self.next_seq
        at = 0
        while at < len(records):
            template = int(records[at + 2]) | int(records[at + 3]) << 8
            size = DTYPES[template].itemsize
            command = records[at : at + size].copy()
            view = command.view(DTYPES[template])
            view["session_id"], view["client_seq"] = self.session, self.next_seq
            self.venue.decide(self.session, command)
            self.next_seq += 1
            at += size
        self.frames += 1
        return first

    def receive(self, timeout_s):
        if not self.waiting:
            return np.empty(0, EXECUTION_REPORT)
        return self.waiting.pop(0)
