"""Scenario tables: commands, the events they must cause and the book afterwards, as text.

A scenario reads::

    == a match is at the resting order's price [4.2]
    B1 new a sell 5 @ 100
    > accepted a 5 @ 100 RESTS
    A1 new b buy 3 @ 105
    > accepted b 3 @ 105
    > executed a b 3 @ 100 left 2 0
    bids -
    asks 100: a=2

The heading names the scenario and the rules it proves. A command line is a sender, a verb and its arguments; the
lines after it that begin with `>` are all its events, in order. `bids` and `asks` (of instrument X, or `bids Y`)
give every order of a side: levels from the best on, separated by `;`, each level's orders in priority. References are
words or numbers; `#a` is the order id of the order entered as `a`, `match_seq=a/b` the newest match of the two; `none`
is no price or no side. `name=value` sets, or in an event demands, any field of the record by its name in the schema.
An `engine` line under the heading sets capacities.

The world of every scenario: participants 1 (sessions A1, A2; account 101), 2 (B1, B2; account 201) and 3 (C1) may
trade, participant 9 (session OP) may operate; instruments X and Y are open, Z is closed; everybody's self-trades
cancel the newest order. Instrument N and session NOBODY are not defined.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tradsys.sim import commands
from tradsys.sim.reference_book import MARKET_BUY, MARKET_SELL
from tradsys.sim.reference_definitions import NO_PRICE
from tradsys.sim.reference_records import COMMANDS, read_events
from tradsys.wire import enums
from tradsys.wire.enums import EventFlags, OrderFlags, OrderType, Permission, Side, Template, TimeInForce

SESSIONS = {"venue": 0, "A1": 11, "A2": 12, "B1": 21, "B2": 22, "C1": 31, "OP": 91, "NOBODY": 999}
INSTRUMENTS = {"X": 1, "Y": 2, "Z": 3, "N": 77}
CAPACITIES = {
    "orders_max": 64,
    "instruments_max": 100,
    "participants_max": 100,
    "sessions_max": 1000,
    "accounts_max": 1000,
}
MARKET_PRICES = {"market_buy": MARKET_BUY, "market_sell": MARKET_SELL}  # levels of market orders
_KINDS = {
    "accepted": Template.ORDER_ACCEPTED,
    "rejected": Template.ORDER_REJECTED,
    "executed": Template.ORDER_EXECUTED,
    "canceled": Template.ORDER_CANCELED,
    "reduced": Template.ORDER_REDUCED,
    "replaced": Template.ORDER_REPLACED,
    "rested": Template.ORDER_RESTED,
    "mass_canceled": Template.MASS_CANCELED,
    "defined": Template.INSTRUMENT_DEFINED,
    "done": Template.COMMAND_DONE,
    "refused": Template.COMMAND_REJECTED,
    "checkpoint": Template.CHECKPOINT_TAKEN,
    "allocation": Template.ALLOCATION_SET,
    "phase": Template.PHASE_CHANGED,
    "indicative": Template.AUCTION_INDICATIVE,
    "uncrossed": Template.AUCTION_UNCROSSED,
    "extended": Template.CALL_EXTENDED,
    "risk": Template.RISK_CHANGED,
    "terms": Template.ORDER_TERMS_SET,
    "refilled": Template.ORDER_REFILLED,
    "transferred": Template.ORDER_TRANSFERRED,
    "triggered": Template.ORDER_TRIGGERED,
    "mark": Template.MARK_PRICE_SET,
    "fee": Template.FEE_CHARGED,
    "busted": Template.TRADE_BUSTED,
    "corrected": Template.TRADE_CORRECTED,
    "tripped": Template.BREAKER_TRIPPED,
    "output": Template.OUTPUT_TRIPPED,
    "released": Template.ORDER_RELEASED,
}
# Positional arguments of each event line; `@`, `at`, `left` and `shows` are words for the reader.
_ARGUMENTS = {
    "accepted": ("client_ref", "qty_lots", "@", "price_ticks"),
    "rejected": ("client_ref", "reject_reason"),
    "executed": (
        *("resting_client_ref", "incoming_client_ref", "qty_lots", "@", "price_ticks"),
        *("left", "resting_leaves_lots", "incoming_leaves_lots"),
    ),
    "canceled": ("client_ref", "qty_lots", "cancel_reason"),
    "reduced": ("client_ref", "qty_lots", "left", "leaves_lots"),
    "replaced": ("client_ref", "qty_lots", "@", "price_ticks", "left", "leaves_lots"),
    "rested": ("client_ref", "left", "leaves_lots", "@", "price_ticks"),
    "mass_canceled": ("order_count", "cancel_reason"),
    "defined": ("instrument_id", "state"),
    "done": ("done_template",),
    "refused": ("refused_template", "reject_reason"),
    "checkpoint": (),
    "allocation": ("instrument_id",),
    "phase": ("state_before", "state"),
    "indicative": ("qty_lots", "@", "price_ticks", "left", "surplus_side", "surplus_lots"),
    "uncrossed": ("qty_lots", "@", "price_ticks", "left", "surplus_side", "surplus_lots"),
    "extended": ("extension_count", "@", "price_ticks"),
    "risk": ("done_template",),
    "terms": (),
    "triggered": ("client_ref", "left", "leaves_lots", "at", "trigger_price_ticks"),
    "mark": ("mark_price_ticks",),
    "released": ("client_ref", "left", "leaves_lots", "@", "price_ticks"),
    "refilled": ("client_ref", "left", "leaves_lots", "shows", "shown_lots", "@", "price_ticks"),
    "transferred": (
        *("resting_client_ref", "incoming_client_ref", "qty_lots", "@", "price_ticks"),
        *("left", "resting_leaves_lots", "incoming_leaves_lots"),
    ),
    "fee": ("resting_client_ref", "incoming_client_ref", "resting_fee", "incoming_fee"),
    "busted": ("resting_client_ref", "incoming_client_ref", "qty_lots", "@", "price_ticks"),
    "corrected": ("resting_client_ref", "incoming_client_ref", "qty_lots", "@", "price_ticks"),
    "tripped": ("breaker_level", "breaker_action", "@", "price_ticks"),
    "output": ("participant_id", "instrument_id"),
}
_FIELD_ENUMS: dict[str, Any] = {
    "side": enums.Side,
    "incoming_side": enums.Side,
    "order_type": enums.OrderType,
    "time_in_force": enums.TimeInForce,
    "stp_mode": enums.StpMode,
    "state": enums.InstrumentState,
    "state_before": enums.InstrumentState,
    "state_after": enums.InstrumentState,
    "surplus_side": enums.Side,
    "asset_class": enums.AssetClass,
    "close_reason": enums.CloseReason,
    "cancel_reason": enums.CancelReason,
    "reject_reason": enums.RejectReason,
    "refused_template": enums.Template,
    "done_template": enums.Template,
    "order_flags": enums.OrderFlags,
    "event_flags": enums.EventFlags,
    "permissions": enums.Permission,
    "rounding": enums.AllocationRounding,
    "scope": enums.RiskScope,
    "restriction": enums.Restriction,
    "risk_flags": enums.RiskFlags,
    "post_only_mode": enums.PostOnlyMode,
    "stp_scope": enums.StpScope,
    "trigger_source": enums.TriggerSource,
    "trail_unit": enums.TrailUnit,
    "breaker_level": enums.BreakerLevel,
    "breaker_action": enums.BreakerAction,
    "breaker_side": enums.BreakerSide,
    "list_type": enums.ListType,
    "group_role": enums.GroupRole,
}

_OF_A_LEG = (  # fields of an order list that each leg has
    *("client_ref", "price_ticks", "trigger_price_ticks", "side", "order_type", "time_in_force", "order_flags"),
)


@dataclass
class Step:
    """One line of a scenario that does something."""

    line: int
    text: str
    expected: list[tuple[int, str]] = field(default_factory=list)  # line number and text of each event


@dataclass
class Scenario:
    """A heading, the rules it names and its steps."""

    path: Path
    line: int
    name: str
    rules: list[str]
    capacities: dict[str, int] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)


class ScenarioError(AssertionError):
    """A line of a scenario that cannot be read or does not hold."""


def parse(path: Path) -> list[Scenario]:
    """All scenarios of a file."""
    scenarios: list[Scenario] = []
    for number, raw in enumerate(path.read_text().splitlines(), 1):
        text = raw.split(" # ")[0].strip()
        if not text or text.startswith("#"):
            continue
        if text.startswith("=="):
            name, _, rules = text[2:].partition("[")
            scenarios.append(Scenario(path, number, name.strip(), rules.rstrip("] ").split()))
        elif not scenarios:
            raise ScenarioError(f"{path.name}:{number}: a line before the first heading")
        elif text.startswith(">"):
            scenarios[-1].steps[-1].expected.append((number, text[1:].strip()))
        elif text.startswith("engine "):
            pairs = (pair.split("=") for pair in text.split()[1:])
            scenarios[-1].capacities |= {name: int(value) for name, value in pairs}
        else:
            scenarios[-1].steps.append(Step(number, text))
    return scenarios


def setup() -> bytes:
    """Commands that make the world of every scenario."""
    trade_both = Permission.TRADE
    records = [commands.define_participant(n, permissions=trade_both) for n in (1, 2, 3)]
    records.append(commands.define_participant(9, permissions=Permission.OPERATE))
    records += [
        commands.define_session(SESSIONS[name], participant)
        for name, participant in (("A1", 1), ("A2", 1), ("B1", 2), ("B2", 2), ("C1", 3), ("OP", 9))
    ]
    records += [commands.define_account(101, 1), commands.define_account(201, 2)]
    records += [commands.define_instrument(INSTRUMENTS[name], symbol=name.encode()) for name in "XYZ"]
    records += [commands.set_state(1), commands.set_state(2)]
    return b"".join(records)


def reference_of(word: str) -> int:
    """The client reference a word stands for: itself when it is a number, else its letters as a number."""
    try:
        return int(word, 0)
    except ValueError:
        return int.from_bytes(word.encode()[:8], "big")


class Runner:
    """Runs scenarios on an engine.

    Parameters
    ----------
    make_engine
        Makes an engine of the capacities given by name.
    """

    def __init__(self, make_engine: Callable[..., Any]) -> None:
        self.make_engine = make_engine

    def run(self, scenario: Scenario) -> Any:
        """Run one scenario; the engine as it is afterwards.

        Raises
        ------
        ScenarioError
            Naming the line that does not hold, with what was found.
        """
        self.engine = self.make_engine(**(CAPACITIES | scenario.capacities))
        self.engine.submit(np.frombuffer(setup(), dtype=np.uint8))
        self.order_ids: dict[int, int] = {}  # client_ref -> order_id of the newest order of it
        self.match_seqs: dict[tuple[int, int], int] = {}  # references of both parties -> seq of their newest match
        for step in scenario.steps:
            try:
                if step.text.split()[0] in ("bids", "asks"):
                    self._check_side(step.text)
                else:
                    self._run_step(step)
            except ScenarioError as error:
                where = f"{scenario.path.name}:{step.line}: {scenario.name}"
                raise ScenarioError(f"{where}\n  {step.text}\n  {error}") from None
        return self.engine

    # ---------------------------------------------------------------- commands

    def _run_step(self, step: Step) -> None:
        command = self._command(step.text)
        events = read_events(self.engine.submit(np.frombuffer(command, dtype=np.uint8)))
        for template, event in events:
            if template in (Template.ORDER_ACCEPTED, Template.ORDER_REPLACED):
                self.order_ids[event.client_ref] = event.order_id
            elif template == Template.ORDER_EXECUTED:
                parties = (event.resting_client_ref, event.incoming_client_ref)
                self.match_seqs[parties] = event.seq
        found = (
            "\n    ".join(f"{Template(template).name} {event._asdict()}" for template, event in events)
            or "nothing"
        )
        if len(events) != len(step.expected):
            raise ScenarioError(f"expected {len(step.expected)} events, found {len(events)}:\n    {found}")
        for (line, text), (template, event) in zip(step.expected, events, strict=True):
            difference = self._difference(text, template, event)
            if difference:
                raise ScenarioError(f"line {line}: > {text}\n  {difference}; found:\n    {found}")

    def _command(self, text: str) -> bytes:
        sender, verb, *words = shlex.split(text)
        fields: dict[str, Any] = {"session_id": SESSIONS[sender]}
        given = dict(word.split("=", 1) for word in words if "=" in word)
        plain = [word for word in words if "=" not in word and word != "@"]
        template = getattr(self, f"_verb_{verb}", None)
        if template is not None:
            number = template(plain, fields)
        else:
            number = Template[verb.upper()]
        for name, value in given.items():
            fields[name] = self._value(name, value)
        try:
            return self._record(number, fields)
        except (KeyError, ValueError, OverflowError) as error:
            raise ScenarioError(f"cannot be read: {error}") from None

    @staticmethod
    def _record(template: int, fields: dict[str, Any]) -> bytes:
        raw = fields.pop("padding", None)
        made = commands.record(template, **fields)
        if raw is not None:  # sets the first padding byte of the record
            mask = COMMANDS[template].padding_mask.to_bytes(len(made), "little")
            at = mask.index(b"\xff")
            made = made[:at] + bytes([raw]) + made[at + 1 :]
        return made

    def _verb_complex(self, words: list[str], fields: dict[str, Any]) -> int:
        """`complex REF SIDE QTY @ PRICE` as `new`; terms by their names."""
        self._verb_new(words, fields)
        return Template.NEW_COMPLEX_ORDER

    def _verb_stop(self, words: list[str], fields: dict[str, Any]) -> int:
        """`stop REF SIDE QTY @ PRICE at TRIGGER` as `new`; it looks at LAST unless an option names another source."""
        return self._with_trigger(words, fields, (OrderType.STOP, OrderType.STOP_LIMIT))

    def _verb_trail(self, words: list[str], fields: dict[str, Any]) -> int:
        """`trail REF SIDE QTY @ PRICE at TRIGGER` and trail_offset, in ticks unless trail_unit says otherwise."""
        fields["trail_unit"] = enums.TrailUnit.TICKS
        return self._with_trigger(words, fields, (OrderType.TRAILING_STOP, OrderType.TRAILING_STOP_LIMIT))

    def _verb_touch(self, words: list[str], fields: dict[str, Any]) -> int:
        """`touch REF SIDE QTY @ PRICE at TRIGGER`."""
        return self._with_trigger(words, fields, (OrderType.MARKET_IF_TOUCHED, OrderType.LIMIT_IF_TOUCHED))

    def _with_trigger(
        self, words: list[str], fields: dict[str, Any], kinds: tuple[OrderType, OrderType]
    ) -> int:
        at = words.index("at")
        fields["trigger_price_ticks"] = int(words[at + 1])
        sources = [word for word in words if word in enums.TriggerSource.__members__]
        fields["trigger_source"] = enums.TriggerSource[sources[0] if sources else "LAST"]
        rest = [word for word in words[:at] + words[at + 2 :] if word not in sources]
        self._verb_new(rest, fields)
        fields["order_type"] = kinds[0] if rest[3] == "market" else kinds[1]
        return Template.NEW_COMPLEX_ORDER

    def _verb_list(self, words: list[str], fields: dict[str, Any]) -> int:
        """`list TYPE LEG / LEG`, each leg `new`, `stop`, `trail` or `touch` with its arguments."""
        fields["list_type"] = enums.ListType[words[0]]
        legs = " ".join(words[1:]).split(" / ")
        for suffix, leg in zip(("", "_2", "_3"), legs, strict=False):
            made: dict[str, Any] = {}
            verb, *rest = leg.split()
            getattr(self, f"_verb_{verb}")(rest, made)
            fields |= {name + suffix if name in _OF_A_LEG else name: value for name, value in made.items()}
        return Template.NEW_ORDER_LIST

    def _verb_mark(self, words: list[str], fields: dict[str, Any]) -> int:
        """`mark PRICE`."""
        fields |= {"mark_price_ticks": int(words[0]), "instrument_id": INSTRUMENTS["X"]}
        return Template.SET_MARK_PRICE

    def _verb_new(self, words: list[str], fields: dict[str, Any]) -> int:
        """`new REF SIDE QTY @ PRICE`, or `market` or `mtl`, then names of TIF, STP mode and flags."""
        ref, side, qty, price, *options = words
        kinds = {"market": OrderType.MARKET, "mtl": OrderType.MARKET_TO_LIMIT}
        fields |= {
            "client_ref": reference_of(ref),
            "side": Side[side.upper()],
            "qty_lots": int(qty),
            "price_ticks": 0 if price in kinds else int(price),
            "order_type": kinds.get(price, OrderType.LIMIT),
            "time_in_force": TimeInForce.DAY,
            "instrument_id": INSTRUMENTS["X"],
        }
        for option in options:
            self._option(option, fields)
        return Template.NEW_ORDER

    @staticmethod
    def _option(option: str, fields: dict[str, Any]) -> None:
        if option in enums.TimeInForce.__members__:
            fields["time_in_force"] = TimeInForce[option]
        elif option in enums.StpMode.__members__:
            fields["stp_mode"] = enums.StpMode[option]
        elif option in enums.OrderFlags.__members__:
            fields["order_flags"] = fields.get("order_flags", 0) | OrderFlags[option]
        else:
            raise ScenarioError(f"unknown option {option}")

    def _target(self, word: str, fields: dict[str, Any]) -> None:
        fields["instrument_id"] = INSTRUMENTS["X"]
        if word.startswith("#"):
            fields["order_id"] = self._order_id(word)
        else:
            fields["orig_client_ref"] = reference_of(word)

    def _verb_cancel(self, words: list[str], fields: dict[str, Any]) -> int:
        """`cancel REF` or `cancel #REF`."""
        self._target(words[0], fields)
        return Template.CANCEL_ORDER

    def _verb_reduce(self, words: list[str], fields: dict[str, Any]) -> int:
        """`reduce REF LOTS`."""
        self._target(words[0], fields)
        fields["qty_lots"] = int(words[1])
        return Template.REDUCE_ORDER

    def _verb_replace(self, words: list[str], fields: dict[str, Any]) -> int:
        """`replace REF NEW_REF TOTAL @ PRICE`, then POST_ONLY or nothing."""
        self._target(words[0], fields)
        fields |= {
            "client_ref": reference_of(words[1]),
            "qty_lots": int(words[2]),
            "price_ticks": int(words[3]),
        }
        for option in words[4:]:
            self._option(option, fields)
        return Template.REPLACE_ORDER

    def _verb_state(self, words: list[str], fields: dict[str, Any]) -> int:
        """`state STATE` of instrument X."""
        fields |= {"instrument_id": INSTRUMENTS["X"], "state": enums.InstrumentState[words[0]]}
        return Template.SET_INSTRUMENT_STATE

    def _verb_rules(self, words: list[str], fields: dict[str, Any]) -> int:
        """`rules @ REFERENCE_PRICE`, or `none` to leave it, of instrument X; the rest is given by name."""
        price = NO_PRICE if words[0] == "none" else int(words[0])
        fields |= {"instrument_id": INSTRUMENTS["X"], "reference_price_ticks": price}
        return Template.SET_AUCTION_RULES

    def _verb_call(self, words: list[str], fields: dict[str, Any]) -> int:
        """`call STATE STATE_AFTER END` of instrument X."""
        state, state_after = (enums.InstrumentState[word] for word in words[:2])
        fields |= {"instrument_id": INSTRUMENTS["X"], "state": state, "state_after": state_after}
        fields["end_ts_ns"] = int(words[2])
        return Template.START_CALL

    def _verb_timer(self, words: list[str], fields: dict[str, Any]) -> int:
        """`timer TIME` of instrument X."""
        fields |= {"instrument_id": INSTRUMENTS["X"], "ts_ns": int(words[0])}
        return Template.AUCTION_TIMER

    def _verb_nav(self, words: list[str], fields: dict[str, Any]) -> int:
        """`nav @ PRICE` of instrument X; the issuer is session C1."""
        fields |= {"instrument_id": INSTRUMENTS["X"], "price_ticks": int(words[0])}
        fields["issuer_session_id"] = SESSIONS["C1"]
        return Template.PUBLISH_NAV

    # ---------------------------------------------------------------- events and books

    def _difference(self, text: str, template: int, event: Any) -> str | None:
        """What of an event line does not hold, or None."""
        kind, *words = text.split()
        if template != _KINDS[kind]:
            return f"expected {_KINDS[kind].name}"
        expected: dict[str, Any] = {}
        arguments = list(_ARGUMENTS[kind])
        flags = 0
        for word in words:
            if "=" in word:
                name, _, value = word.partition("=")
                expected[name] = self._value(name, value)
            elif word.split("|")[0] in EventFlags.__members__:
                flags |= self._value("event_flags", word)
            else:
                name = arguments.pop(0)
                if name in ("@", "at", "left", "shows"):
                    if word != name:
                        return f"expected the word {name}"
                else:
                    expected[name] = self._value(name, word)
        if arguments:
            return f"the line says nothing of {arguments}"
        if hasattr(event, "event_flags"):
            expected.setdefault("event_flags", flags)
        for name, value in expected.items():
            if getattr(event, name) != value:
                return f"{name} is {getattr(event, name)}, not {value}"
        return None

    def _value(self, name: str, word: str) -> Any:
        """Value of a field as written in a scenario."""
        if name in _FIELD_ENUMS and not word[0].isdigit() and word[0] != "-" and word != "none":
            total = 0
            for part in word.split("|"):
                total |= int(_FIELD_ENUMS[name][part])
            return total
        if word == "none":
            return NO_PRICE if name.endswith("price_ticks") else 0
        if word.startswith("#"):
            return self._order_id(word)
        if name == "match_seq" and "/" in word:
            resting, incoming = word.split("/")
            return self.match_seqs[reference_of(resting), reference_of(incoming)]
        if name.endswith("client_ref"):
            return reference_of(word)
        if name.endswith("session_id") and word in SESSIONS:
            return SESSIONS[word]
        if name == "instrument_id" and word in INSTRUMENTS:
            return INSTRUMENTS[word]
        if name == "scope_id":
            return (
                SESSIONS.get(word, INSTRUMENTS.get(word))
                if word.isalnum() and not word.isdigit()
                else int(word, 0)
            )
        if name in ("symbol", "currency", "name"):
            width = 8 if name == "currency" else 16
            return word.encode().decode("unicode_escape").encode("latin-1").ljust(width, b"\0")
        if name == "state_hash" and word == "now":
            return self.engine.state_hash()
        return int(word, 0)

    def _order_id(self, word: str) -> int:
        ref = reference_of(word[1:])
        return self.order_ids.get(ref, ref)

    def _check_side(self, text: str) -> None:
        head, _, rest = text.partition(" ")
        instrument_id = INSTRUMENTS["X"]
        if rest.split()[0] in INSTRUMENTS:
            name, _, rest = rest.partition(" ")
            instrument_id = INSTRUMENTS[name]
        side = Side.BUY if head == "bids" else Side.SELL
        expected = _read_levels(rest)
        totals = [(price, sum(lots for _, lots in orders), len(orders)) for price, orders in expected]
        depth = [
            tuple(int(value) for value in level) for level in self.engine.depth(instrument_id, side, 1000)
        ]
        if depth != totals:
            raise ScenarioError(f"levels (price, lots, orders) are {depth}, not {totals}")
        if hasattr(self.engine, "resting"):
            flat = [(price, ref, lots) for price, orders in expected for ref, lots in orders]
            found = [(o.book_price, o.client_ref, o.leaves) for o in self.engine.resting(instrument_id, side)]
            if found != flat:
                raise ScenarioError(f"orders (price, reference, leaves) are {found}, not {flat}")


def _read_levels(text: str) -> list[tuple[int, list[tuple[int, int]]]]:
    """Levels of `100: a=5 b=3; 99: c=1`, or of `-`."""
    levels = []
    for part in [] if text.strip() == "-" else text.split(";"):
        price, _, orders = part.partition(":")
        pairs = [order.split("=") for order in orders.split()]
        levels.append(
            (
                MARKET_PRICES[price.strip()] if price.strip() in MARKET_PRICES else int(price),
                [(reference_of(ref), int(lots)) for ref, lots in pairs],
            )
        )
    return levels
