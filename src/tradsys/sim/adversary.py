"""Commands nobody well-behaved sends: every field wrong in every way, against every rule, mixed with good ones.

The world is small (few prices, references and slots) so that orders meet: self-trades, duplicate references, full
books, replaces that cross, cancels of what has just been filled, sessions and instruments that come and go.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from tradsys.limits import PRICE_TICKS_MAX, QTY_LOTS_MAX
from tradsys.sim import (
    adversary_breakers,
    adversary_conduct,
    adversary_fees,
    adversary_lists,
    adversary_risk,
    adversary_trades,
    commands,
)
from tradsys.sim.draw import Draw
from tradsys.sim.reference_records import COMMANDS, Layout, is_padding
from tradsys.wire.enums import AssetClass, InstrumentState, Permission, RejectReason, StpScope, Template
from tradsys.wire.records import DTYPES

CAPACITIES = {
    "orders_max": 24,
    "instruments_max": 8,
    "participants_max": 8,
    "sessions_max": 80,
    "accounts_max": 16,
    "positions_max": 60,
}
PARTICIPANTS = (1, 2, 3, 4, 5)
SESSIONS = tuple(10 * participant + n for participant in PARTICIPANTS for n in (1, 2))
INSTRUMENTS = (1, 2, 3, 4)
REFS = (*range(24), 1 << 63, (1 << 64) - 1, (1 << 64) - 2, 0x9E3779B97F4A7C15)
_SIGNED = (0, 1, -1, 2, -2, 5, 1 << 31, 1 << 32, -(1 << 32), 1 << 60, -(1 << 60), (1 << 63) - 1, -(1 << 63))
_UNSIGNED = (
    0,
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    9,
    127,
    128,
    255,
    256,
    1 << 15,
    (1 << 16) - 1,
    1 << 31,
    (1 << 32) - 1,
    (1 << 64) - 1,
)
_OPERATOR_TEMPLATES = (*range(20, 32), 36, 37, *range(40, 56), int(Template.EXPIRE_ORDERS), int(Template.SET_MARK_PRICE))
_PHASES = tuple(InstrumentState)
_CALLS = (InstrumentState.OPENING_AUCTION, InstrumentState.VOLATILITY_AUCTION, InstrumentState.CLOSING_AUCTION)
# How often each template is sent.
_WEIGHTS = (
    (Template.NEW_ORDER, 66),
    (Template.NEW_COMPLEX_ORDER, 54),
    (Template.NEW_ORDER_LIST, 20),
    (Template.CANCEL_ORDER, 24),
    (Template.REDUCE_ORDER, 16),
    (Template.REPLACE_ORDER, 40),
    (Template.MASS_CANCEL, 5),
    (Template.REFUSE_COMMAND, 2),
    (Template.OPEN_SESSION, 3),
    (Template.CLOSE_SESSION, 2),
    (Template.DEFINE_INSTRUMENT, 3),
    (Template.SET_INSTRUMENT_STATE, 12),
    (Template.DEFINE_PARTICIPANT, 5),
    (Template.DEFINE_SESSION, 5),
    (Template.DEFINE_ACCOUNT, 2),
    (Template.SET_ENTITLEMENT, 2),
    (Template.EXPIRE_DAY_ORDERS, 1),
    (Template.EXPIRE_ORDERS, 2),
    (Template.CHECKPOINT, 2),
    (Template.SET_MARK_PRICE, 10),
    (Template.SET_ALLOCATION, 2),
    (Template.SET_ALLOCATION_SHARE, 2),
    (Template.SET_AUCTION_RULES, 3),
    (Template.START_CALL, 5),
    (Template.AUCTION_TIMER, 10),
    (Template.PUBLISH_NAV, 2),
    *adversary_risk.WEIGHTS,
    *adversary_fees.WEIGHTS,
    *adversary_trades.WEIGHTS,
    *adversary_breakers.WEIGHTS,
    *adversary_conduct.WEIGHTS,
)
_RISK_TEMPLATES = frozenset(template for template, _ in adversary_risk.WEIGHTS)
_DECK = tuple(template for template, weight in _WEIGHTS for _ in range(weight))


class LiveOrder(NamedTuple):
    """What a command needs to name an order."""

    order_id: int
    session_id: int
    client_ref: int
    instrument_id: int


class Adversary:
    """A seeded stream of hostile commands.

    Parameters
    ----------
    seed
        Equal seeds and equal live orders give equal commands.
    """

    def __init__(self, seed: int) -> None:
        self.draw = Draw(seed)
        # Half of the worlds share out the busiest instrument; there orders of section 9 are refused.
        self.shared_out = (1, 1, 1, 2, 3, 4, 5) if seed % 2 else (2, 3, 4, 5, 6)
        self.grouped = (1, 3, 4) if seed % 3 == 0 else ()  # participants of a trade group from the beginning
        # Half of the worlds have no pre-trade risk, the others begin without it.
        self.risk_begins = 150 if seed // 2 % 2 else 1 << 60
        # A third of the worlds begin with fees, matches that are kept and circuit breakers with short halts.
        self.watched = INSTRUMENTS[:2] if seed % 3 == 1 else ()
        self.sent = 0  # commands so far, set-up included
        self.known_orders: list[LiveOrder] = []  # orders seen, live ones and ended ones
        self.known_matches: list[tuple[int, int]] = []  # seq and instrument of matches that were kept
        self.makers = {
            Template.NEW_ORDER: self.new_order,
            Template.NEW_COMPLEX_ORDER: self._new_complex_order,
            Template.NEW_ORDER_LIST: lambda: adversary_lists.new_order_list(self),
            Template.CANCEL_ORDER: self._cancel_order,
            Template.REDUCE_ORDER: self._reduce_order,
            Template.REPLACE_ORDER: self._replace_order,
            Template.MASS_CANCEL: self._mass_cancel,
            Template.REFUSE_COMMAND: self._refuse_command,
            Template.OPEN_SESSION: self._open_session,
            Template.CLOSE_SESSION: self._close_session,
            Template.DEFINE_INSTRUMENT: self._define_instrument,
            Template.SET_INSTRUMENT_STATE: self._set_instrument_state,
            Template.DEFINE_PARTICIPANT: self._define_participant,
            Template.DEFINE_SESSION: self._define_session,
            Template.DEFINE_ACCOUNT: self._define_account,
            Template.SET_ENTITLEMENT: self._set_entitlement,
            Template.EXPIRE_DAY_ORDERS: self._expire_day_orders,
            Template.EXPIRE_ORDERS: self._expire_day_orders,
            Template.CHECKPOINT: self._checkpoint,
            Template.SET_MARK_PRICE: self._set_mark_price,
            Template.SET_ALLOCATION: self._set_allocation,
            Template.SET_ALLOCATION_SHARE: self._set_allocation_share,
            Template.SET_AUCTION_RULES: self._set_auction_rules,
            Template.START_CALL: self._start_call,
            Template.AUCTION_TIMER: self._auction_timer,
            Template.PUBLISH_NAV: self._publish_nav,
            **adversary_risk.makers(self.draw),
            **adversary_fees.makers(self.draw),
            **adversary_trades.makers(self.draw, self.known_matches, self.price),
            **adversary_breakers.makers(self.draw, self.price, lambda: self.sent * 1000),
            **adversary_conduct.makers(self.draw),
        }

    def setup(self) -> np.ndarray:
        """Commands that make the world, as uint8."""
        records = [self._participant(participant) for participant in PARTICIPANTS]
        records += [commands.define_session(session, session // 10) for session in SESSIONS]
        records += [commands.define_account(account, account % 5 + 1) for account in range(1, 9)]
        records += [commands.define_instrument(n, **self._definition(n)) for n in INSTRUMENTS]
        records += [commands.set_state(n) for n in INSTRUMENTS[:3]]
        for participant in self.grouped:
            records.append(commands.record(Template.SET_TRADE_GROUP, participant_id=participant, group_id=2))
        records += adversary_breakers.setup(self.watched)
        records += adversary_fees.setup(self.watched)
        records += [commands.record(Template.KEEP_TRADES, kept_count=30)] if self.watched else []
        self.sent += len(records)
        return np.frombuffer(b"".join(records), dtype=np.uint8)

    def chunk(
        self,
        count: int,
        live_orders: Iterable[LiveOrder] = (),
        matches: Iterable[tuple[int, int]] = (),
    ) -> np.ndarray:
        """The next `count` commands, as uint8.

        Parameters
        ----------
        count
            Commands to make.
        live_orders
            Orders now live, in any order that is the same for equal runs; targets of cancels and replaces.
        matches
            Seq and instrument of matches that are kept; targets of busts and corrections.
        """
        self.known_matches += matches
        del self.known_matches[:-40]
        self.known_orders = (self.known_orders + list(live_orders))[-64:]
        return np.frombuffer(b"".join(self._command() for _ in range(count)), dtype=np.uint8)

    # ---------------------------------------------------------------- one command

    def _command(self) -> bytes:
        draw = self.draw
        template = draw.pick(_DECK)
        if template in _RISK_TEMPLATES and self.sent < self.risk_begins:
            template = Template.NEW_COMPLEX_ORDER
        fields = self.makers[template]()
        self.sent += 1
        fields["seq"] = self.sent if draw.chance(8) else 0
        fields["ts_ns"] = draw.pick(_SIGNED) if draw.chance(50) else self.sent * 1000 - draw.below(3000)
        if "session_id" not in fields or draw.chance(20):
            fields["session_id"] = self._sender(template)
        fields["client_seq"] = draw.below(1 << 32) if draw.chance(20) else draw.below(50)
        layout = COMMANDS[template]
        if draw.chance(12):
            self._spoil(layout, fields)
        data = layout.header + layout.block.pack(*(fields.get(name, 0) for name in layout.names))
        return self._set_padding(layout, data) if draw.chance(150) else data

    def _sender(self, template: int) -> int:
        draw = self.draw
        if draw.chance(60):
            return draw.pick((0, 3, 99, 79, 80, (1 << 32) - 1))
        if template in _OPERATOR_TEMPLATES and not draw.chance(4):
            return draw.pick((0, 51, 52))
        return 0 if draw.chance(60) else draw.pick(SESSIONS)

    def _spoil(self, layout: Layout, fields: dict[str, int | bytes]) -> None:
        """Replace one field by a value at the edge of its type."""
        name = self.draw.pick(layout.names[4:] or layout.names)
        kind = DTYPES[layout.template][name]
        if kind.kind == "S":
            fields[name] = self.draw.pick((b"", b"A", b"A B", b"\xff", b"\0A", b"ABCDEFGHIJKLMNOP"))[
                : kind.itemsize
            ]
        elif kind.kind == "u":
            fields[name] = self.draw.pick(_UNSIGNED) & ((1 << 8 * kind.itemsize) - 1)
        else:
            bits = 8 * kind.itemsize
            fields[name] = (self.draw.pick(_SIGNED) + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)

    def _set_padding(self, layout: Layout, data: bytes) -> bytes:
        """Set a padding byte, if the record has any."""
        dtype = DTYPES[layout.template]
        assert dtype.fields is not None
        places = [
            place
            for name, (kind, offset, *_) in dtype.fields.items()
            if is_padding(name)
            for place in range(offset, offset + kind.itemsize)
        ]
        if not places:
            return data
        at = self.draw.pick(places)
        return data[:at] + bytes([1 + self.draw.below(255)]) + data[at + 1 :]

    # ---------------------------------------------------------------- orders

    def price(self, instrument_id: int) -> int:
        """One of few prices of an instrument [ticks]."""
        draw = self.draw
        if instrument_id == 2:
            return 5 * draw.between(-4, 4)
        if instrument_id == 3:
            return draw.pick(
                (-PRICE_TICKS_MAX, -1 << 40, -1, 0, 1, 1 << 40, PRICE_TICKS_MAX - 1, PRICE_TICKS_MAX)
            )
        return draw.between(-6, 6)

    def _quantity(self, instrument_id: int) -> int:
        if instrument_id == 3:
            return self.draw.between(1, 7)
        if instrument_id == 4 and self.draw.chance(4):
            return QTY_LOTS_MAX - self.draw.below(2)
        return self.draw.between(1, 4) * 3 if instrument_id == 2 else self.draw.between(1, 9)

    def _instrument(self) -> int:
        return self.draw.pick((1, 1, 1, 1, 1, 2, 2, 3, 4))

    def ref(self) -> int:
        """A client reference, often one in use."""
        return self.draw.word() if self.draw.chance(40) else self.draw.pick(REFS)

    def new_order(self) -> dict[str, int | bytes]:
        """Fields of a NEW_ORDER."""
        draw, instrument_id = self.draw, self._instrument()
        order_type = draw.pick((1, 1, 1, 1, 1, 1, 1, 1, 2, 3))
        time_in_force = draw.pick((1, 1, 1, 1, 2, 2, 3, 4, 5))
        if draw.chance(12):
            time_in_force = 6 + draw.below(4)
        flags = draw.pick((0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 4, 8))
        if not draw.chance(10):
            flags &= 2 if order_type != 1 or time_in_force in (3, 4) else ~8
            if time_in_force == 3 and draw.chance(3):
                flags |= 8
            if time_in_force in (3, 4) and draw.chance(3):
                flags |= 16
        stp_mode = draw.pick((0, 0, 0, 1, 2, 3, 4, 5, 6, 7))
        if instrument_id == self.shared_out[0] and not draw.chance(6):  # orders that a shared-out instrument takes
            order_type, flags, stp_mode = 1 + draw.chance(8), flags & 2, stp_mode % 5
            time_in_force = 1 if time_in_force == 5 else time_in_force
        return {
            "client_ref": self.ref(),
            "price_ticks": self.price(instrument_id) if order_type == 1 or draw.chance(10) else 0,
            "qty_lots": self._quantity(instrument_id),
            "instrument_id": instrument_id,
            "account_id": draw.below(9) if draw.chance(12) else 0,
            "side": 1 + draw.below(2),
            "order_type": order_type,
            "time_in_force": time_in_force,
            "stp_mode": stp_mode,
            "order_flags": flags,
            "expire_ts_ns": self.sent * 1000 + draw.between(-2000, 20_000) if time_in_force == 5 else 0,
        }

    def _new_complex_order(self) -> dict[str, int | bytes]:
        """A new order with terms that fit its kind, as a rule."""
        if self.draw.chance(2):
            return self._trigger_order()
        fields, draw = self.new_order(), self.draw
        if fields["instrument_id"] == self.shared_out[0] and not draw.chance(4):
            fields["instrument_id"] = draw.pick((2, 4) if self.shared_out[0] == 1 else (1, 1, 4))
            fields["price_ticks"] = self.price(int(fields["instrument_id"])) if fields["order_type"] == 1 else 0
            fields["qty_lots"] = self._quantity(int(fields["instrument_id"]))
        instrument_id, step = fields["instrument_id"], 3 if fields["instrument_id"] == 2 else 1
        kind = draw.below(8)
        if fields["order_type"] == 2:
            kind = 6 + draw.below(2)
        elif kind > 5:
            fields["order_type"], fields["price_ticks"] = 2, 0
        if kind < 3 and int(fields["order_flags"]) & 4 == 0:
            if int(fields["time_in_force"]) in (3, 4):
                fields["time_in_force"] = 1
            fields["display_lots"] = step * (1 + draw.below(3))
            fields["display_spread_lots"] = step * draw.below(int(fields["display_lots"]) // step)
        elif kind == 3:
            fields["min_qty_lots"] = self._quantity(int(instrument_id))
        elif kind == 4 and int(fields["order_flags"]) & 1:
            fields["post_only_mode"] = mode = draw.below(3)
            fields["post_only_ticks"] = 5 * (1 + draw.below(3)) if mode == 2 else 0
        elif kind == 6:
            fields["protection_ticks"] = 5 * draw.below(3)
        elif kind == 7:
            fields["qty_lots"], fields["amount_ticks_lots"] = 0, draw.below(60)
        return fields

    def _trigger_order(self) -> dict[str, int | bytes]:
        """An order with a trigger near where prices are; often one that trails at a common offset."""
        fields, draw = self.new_order(), self.draw
        instrument_id = int(fields["instrument_id"])
        fields["order_type"] = kind = draw.pick((4, 5, 5, 6, 7, 7, 7, 8, 9, 9))
        has_limit = kind in (5, 7, 9)
        fields["price_ticks"] = self.price(instrument_id) if has_limit else 0
        fields["order_flags"] = int(fields["order_flags"]) & (6 if has_limit else 2)
        if has_limit and int(fields["time_in_force"]) in (3, 4):
            fields["order_flags"] = int(fields["order_flags"]) & 2
        fields["trigger_price_ticks"] = self.price(instrument_id)
        fields["trigger_source"] = draw.pick((1, 1, 1, 2, 2, 3, 3))
        if kind in (6, 7):
            fields["trail_unit"] = unit = 1 + draw.below(2)
            fields["trail_offset"] = draw.pick((1, 1, 2, 3)) if unit == 1 else draw.pick((1, 3000, 9999))
        if draw.chance(8):
            name = draw.pick(("protection_ticks", "display_lots", "min_qty_lots"))
            fields[name] = draw.pick((3, 5)) if name != "display_lots" else 3
        return fields

    def _set_mark_price(self) -> dict[str, int | bytes]:
        instrument_id = self.draw.pick((1, 1, 1, 2, 3, 4, 5))
        return {
            "client_ref": self.ref(),
            "instrument_id": instrument_id,
            "mark_price_ticks": self.price(instrument_id),
        }

    def _target(self) -> dict[str, int | bytes]:
        """Target of a cancel, reduce or replace; three in four mean an order that was live."""
        draw = self.draw
        fields: dict[str, int | bytes] = {
            "client_ref": self.ref(),
            "orig_client_ref": draw.pick(REFS),
            "order_id": 0,
            "instrument_id": self._instrument(),
        }
        if self.known_orders and not draw.chance(4):
            order = draw.pick(self.known_orders)
            fields["instrument_id"] = order.instrument_id
            fields["session_id"] = order.session_id
            if draw.chance(2):
                fields["orig_client_ref"] = order.client_ref
            else:
                fields["order_id"] = order.order_id ^ (1 << draw.below(64) if draw.chance(20) else 0)
                if draw.chance(3):  # from the other session of the participant
                    fields["session_id"] = order.session_id ^ 3
        return fields

    def _cancel_order(self) -> dict[str, int | bytes]:
        return self._target()

    def _reduce_order(self) -> dict[str, int | bytes]:
        fields = self._target()
        fields["qty_lots"] = self.draw.pick((0, 1, 1, 1, 2, 3, 3, 6, 100))
        return fields

    def _replace_order(self) -> dict[str, int | bytes]:
        fields, draw = self._target(), self.draw
        instrument_id = int(fields["instrument_id"])
        fields["price_ticks"] = self.price(instrument_id)
        fields["qty_lots"] = self._quantity(instrument_id)
        fields["order_flags"] = draw.pick((0, 0, 0, 1, 1, 2))
        if draw.chance(2):
            fields["client_ref"] = fields["orig_client_ref"]
        return fields

    def _mass_cancel(self) -> dict[str, int | bytes]:
        draw = self.draw
        fields: dict[str, int | bytes] = {"client_ref": self.ref(), "side": draw.pick((0, 0, 1, 2, 3))}
        if draw.chance(3):
            fields["target_account_id"] = draw.below(10)
        if draw.chance(4):
            fields["target_group_id"] = draw.pick((1, 2, 2, 2, 3))
            fields["session_id"] = draw.pick((0, 51, 52, 31))
        if len(fields) == 2 or draw.chance(4):
            fields["instrument_id"] = draw.pick((0, 0, 1, 2, 3, 4, 5))
            fields["target_session_id"] = draw.pick((0, 0, 11, 12, 21, 51, 99))
            fields["target_participant_id"] = draw.pick((0, 0, 0, 1, 2, 5, 7))
        return fields

    def _refuse_command(self) -> dict[str, int | bytes]:
        fields, draw = self._target(), self.draw
        fields["refused_template"] = 1 + draw.below(5)
        fields["reject_reason"] = draw.pick((RejectReason.THROTTLED, RejectReason.BAD_BLOCK_LENGTH))
        return fields

    # ---------------------------------------------------------------- sessions and definitions

    def _open_session(self) -> dict[str, int | bytes]:
        return {"reset_client_seq": self.draw.below(2), "cancel_on_disconnect": self.draw.below(2)}

    def _close_session(self) -> dict[str, int | bytes]:
        return {"close_reason": 1 + self.draw.below(8)}

    def _definition(self, instrument_id: int) -> dict[str, int | bytes]:
        """A definition of one of the four instruments; the limits are drawn anew each time."""
        draw = self.draw
        low, high, qty_max = -50 - draw.below(3), 50 + draw.below(3), 9 + draw.below(4)
        if instrument_id == 3:
            low, high, qty_max = -PRICE_TICKS_MAX, PRICE_TICKS_MAX, 7
        if instrument_id == 4:
            qty_max = QTY_LOTS_MAX
        return {
            "asset_class": AssetClass.STOCK,
            "symbol": b"S%d" % instrument_id,
            "currency": b"USD",
            "tick_mantissa": 1,
            "tick_exponent": -2,
            "lot_mantissa": 1,
            "lot_exponent": 0,
            "price_increment_ticks": 5 if instrument_id == 2 else 1,
            "price_min_ticks": low,
            "price_max_ticks": high,
            "qty_increment_lots": 3 if instrument_id == 2 else 1,
            "qty_min_lots": 3 if instrument_id == 2 else 1,
            "qty_max_lots": qty_max,
        }

    def _define_instrument(self) -> dict[str, int | bytes]:
        instrument_id = self.draw.pick((1, 1, 2, 3, 4, 5, 7))
        return {"client_ref": self.ref(), "instrument_id": instrument_id, **self._definition(instrument_id)}

    def _set_instrument_state(self) -> dict[str, int | bytes]:
        draw = self.draw
        state = InstrumentState.OPEN if not draw.chance(4) else draw.pick(_PHASES)
        return {
            "client_ref": self.ref(),
            "instrument_id": self.draw.pick((1, 1, 1, 2, 3, 4, 5)),
            "state": state,
        }

    def _participant(self, participant_id: int) -> bytes:
        permissions = (Permission.TRADE, Permission.TRADE, Permission.TRADE, 0, 3)[participant_id - 1]
        return commands.define_participant(
            participant_id,
            permissions=permissions,
            stp_mode=participant_id % 4 + 1,
            stp_scope=StpScope(participant_id in (3, 4)),
        )

    def _define_participant(self) -> dict[str, int | bytes]:
        draw = self.draw
        participant_id = draw.pick(PARTICIPANTS)
        usual = 3 if participant_id == 5 else 1
        return {
            "client_ref": self.ref(),
            "participant_id": participant_id,
            "permissions": draw.below(4) if draw.chance(10) else usual,
            "stp_mode": 1 + draw.below(7 if draw.chance(8) else 4),
            "stp_scope": draw.pick((0, 0, 0, 0, 1)) if not draw.chance(30) else 2,
            "enabled": 0 if draw.chance(20) else 1,
        }

    def _define_session(self) -> dict[str, int | bytes]:
        draw = self.draw
        session_id = draw.pick(SESSIONS)
        return {
            "client_ref": self.ref(),
            "defined_session_id": session_id,
            "participant_id": draw.below(8) if draw.chance(8) else session_id // 10,
            "enabled": 0 if draw.chance(20) else 1,
            "name": b"N%d" % session_id,
        }

    def _define_account(self) -> dict[str, int | bytes]:
        draw = self.draw
        account_id = 1 + draw.below(9)
        return {
            "client_ref": self.ref(),
            "account_id": account_id,
            "participant_id": draw.below(8) if draw.chance(8) else account_id % 5 + 1,
            "enabled": 0 if draw.chance(4) else 1,
        }

    def _set_entitlement(self) -> dict[str, int | bytes]:
        draw = self.draw
        return {
            "client_ref": self.ref(),
            "participant_id": draw.pick(PARTICIPANTS),
            "instrument_id": draw.pick((1, 2, 3, 4, 6)),
            "allowed": 0 if draw.chance(4) else 1,
        }

    def _expire_day_orders(self) -> dict[str, int | bytes]:
        return {"client_ref": self.ref(), "instrument_id": self.draw.pick((0, 1, 1, 2, 5))}

    def _set_auction_rules(self) -> dict[str, int | bytes]:
        draw, instrument_id = self.draw, self.draw.pick((1, 1, 2, 3, 4, 5))
        return {
            "client_ref": self.ref(),
            "instrument_id": instrument_id,
            "dynamic_range_bp": draw.pick((0, 0, 3000, 10_000, 10_001)),
            "static_range_bp": draw.pick((0, 0, 5000, 10_000)),
            "extension_range_bp": draw.pick((0, 2000)),
            "reference_price_ticks": draw.pick((-(1 << 63), self.price(instrument_id))),
            "volatility_call_ns": draw.pick((0, 20_000)),
            "random_ns": draw.pick((0, 5_000, 10**18)) if draw.chance(3) else 0,
            "extension_ns": draw.pick((0, 10_000)),
            "extensions_max": draw.pick((0, 1, 2)),
        }

    def _start_call(self) -> dict[str, int | bytes]:
        draw = self.draw
        return {
            "client_ref": self.ref(),
            "instrument_id": self._instrument(),
            "state": draw.pick(_CALLS),
            "state_after": draw.pick(_PHASES) if draw.chance(4) else InstrumentState.OPEN,
            "end_ts_ns": self.sent * 1000 + draw.below(20_000),
        }

    def _auction_timer(self) -> dict[str, int | bytes]:
        return {"client_ref": self.ref(), "instrument_id": self._instrument()}

    def _publish_nav(self) -> dict[str, int | bytes]:
        instrument_id = self._instrument()
        return {
            "client_ref": self.ref(),
            "instrument_id": instrument_id,
            "issuer_session_id": self.draw.pick((*SESSIONS, 0, 99)),
            "price_ticks": self.price(instrument_id),
        }

    def _checkpoint(self) -> dict[str, int | bytes]:
        return {"client_ref": self.ref()}

    def _set_allocation(self) -> dict[str, int | bytes]:
        draw = self.draw
        return {
            "client_ref": self.ref(),
            "instrument_id": draw.pick(self.shared_out),
            "fifo_bp": draw.pick((0, 0, 4000, 9999, 10_000, 10_000, 10_000, 10_001)),
            "top": draw.pick((0, 0, 0, 1)),
            "rounding": draw.pick((1, 1, 1, 2, 2, 2, 3)),
            "pro_rata_min_lots": draw.pick((1, 1, 2, 3)) - (1 if draw.chance(20) else 0),
            "top_min_lots": draw.pick((1, 2, 5)),
            "top_max_lots": draw.pick((0, 0, 1, 4)),
        }

    def _set_allocation_share(self) -> dict[str, int | bytes]:
        draw = self.draw
        return {
            "client_ref": self.ref(),
            "participant_id": draw.pick((*PARTICIPANTS, 7)),
            "instrument_id": draw.pick(self.shared_out),
            "share_bp": draw.pick((0, 1, 2500, 2500, 6000, 10_000, 10_001)),
        }
