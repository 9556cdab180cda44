"""What a FIX session asks for beside its orders, and what it is told because it asked: one desk for all sessions.

Nothing is answered at once. A request waits for its turn behind the reports of what came before it; each turn of the venue
the desk sends so many messages and looks at so many events, all sessions in turn, and only to those that take what they
are sent. A session that asks for nothing costs nothing.
"""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from tradsys.fix.message import Message
from tradsys.gateways import fix_answers as answers
from tradsys.gateways.fix_answers import Answer
from tradsys.gateways.fix_catalog import SYMBOLS_A_MESSAGE, FixCatalog
from tradsys.gateways.fix_limits import FixLimits
from tradsys.gateways.fix_text import time_text
from tradsys.gateways.fix_trades import FixTrades
from tradsys.gateways.fix_users import FixUsers

if TYPE_CHECKING:
    from tradsys.engine.sequencer import Sequencer
    from tradsys.gateways.fix_gateway import FixGateway
    from tradsys.gateways.fix_peer import FixPeer
    from tradsys.gateways.fix_symbols import FixSymbols

SNAPSHOT, SUBSCRIBE, UNSUBSCRIBE = b"0", b"1", b"2"
NEWS_MAX = 16  # that wait for one session; the oldest goes first
FIELDS_A_MESSAGE = 16  # what a long message counts as
IDLE: Answer = ("", ())  # of a request that goes on: nothing to send now
FOLLOWED_PART = 16
TO_BE_TOLD = -1  # for told_state: it has changed


class Seat:
    """One session at the desk. What waits here is bounded: requests, news, and one state for each instrument watched."""

    __slots__ = (
        "changed", "current", "followed", "is_listing", "is_queued", "lists", "news", "peer", "relisted", "seen_seq",
        "session_id", "told_state", "waiting", "watched",
    )  # fmt: skip

    def __init__(self, peer: "FixPeer") -> None:
        self.peer = peer
        self.is_queued = False  # among those pump looks at
        self.seen_seq = -1  # last event its followed trades have looked at
        self.waiting: deque[Message] = deque()
        self.current: Iterator[Answer | None] | None = None  # the request being answered; None of it: go on next turn
        self.watched: dict[int, bytes] = {}  # instrument_id: request id
        # instrument_id: state, state before, when, end of the call or 0 [ns]
        self.changed: dict[int, tuple[int, int, int, int]] = {}
        self.lists: dict[bytes, int] = {}  # request id: the instrument of a list that is followed; 0: all
        self.relisted: dict[bytes, dict[int, None]] = {}  # request id: instruments defined since it was told
        self.is_listing = False  # a list to be followed is being told: what is defined meanwhile comes behind it
        self.session_id: bytes | None = None  # request id of who wants to know when the trading session changes
        self.told_state = 0
        self.followed: dict[bytes, Iterator[Answer | None]] = {}  # request id: trades as they come
        self.news: deque[Answer] = deque(maxlen=NEWS_MAX)

    @property
    def has_work(self) -> bool:
        """Whether something waits here beside the trades it follows."""
        told = self.waiting or self.current is not None or self.changed or self.relisted or self.news
        return bool(told) or self.told_state < 0


class FixDesk:
    """Answers requests and keeps subscriptions of all FIX sessions.

    Parameters
    ----------
    door : FixGateway
        Asked for names of orders and how far events have left.
    symbols : FixSymbols
    sequencer : Sequencer
        Has the event log.
    limits : FixLimits
    users : FixUsers
        Answers for passwords.
    """

    def __init__(
        self,
        door: "FixGateway",
        symbols: "FixSymbols",
        sequencer: "Sequencer",
        limits: FixLimits,
        users: FixUsers,
    ) -> None:
        self.is_busy = False  # whether `pump` may have something to do
        self.catalog = FixCatalog(symbols)
        self._symbols = symbols
        self._limits = limits
        self._users = users
        self._door = door
        self._trades = FixTrades(door, sequencer, self.catalog, limits.desk_events_per_turn)
        self._seats: dict[int, Seat] = {}  # session_id
        self._busy: deque[Seat] = deque()  # those pump looks at, in turn
        self._watchers: dict[int, set[int]] = {}  # instrument_id: session_ids
        self._listers: set[int] = set()  # session_ids of who follows a list
        self._followed_max = max(limits.subscriptions_max // FOLLOWED_PART, 1)
        self._told_state = 0
        self._state_changed = False

    # ------------------------------------------------------------------------------------------ from the door

    def take(self, peer: "FixPeer", message: Message) -> None:
        """Take a business message that is no order message; of a session that has ended meanwhile it is forgotten."""
        if not peer.live:
            return
        seat = self._seat(peer)
        if len(seat.waiting) >= self._limits.desk_requests_max:
            text = b"more than %d requests wait for their answers" % self._limits.desk_requests_max
            peer.send_fields(*answers.refuse(message, answers.OTHER, text))
            return
        seat.waiting.append(message)
        self._mark(seat)

    def ended(self, peer: "FixPeer") -> None:
        """Forget what a session asked for: it is no longer logged on."""
        seat = self._seats.pop(peer.session_id, None)
        if seat is None:
            return
        for instrument_id in seat.watched:
            self._watchers[instrument_id].discard(peer.session_id)
        self._listers.discard(peer.session_id)
        if seat.is_queued:
            self._busy.remove(seat)
        self.is_busy = bool(self._busy)

    def defined(self, instrument_id: int = 0) -> None:
        """Take note that an instrument was defined; 0: that events were passed over, with nobody there to be told."""
        if instrument_id == 0:
            self.catalog.forget()
            return
        self.catalog.define(instrument_id)
        for session_id in self._listers:
            seat = self._seats[session_id]
            for request_id, number in seat.lists.items():
                if number in (0, instrument_id):
                    seat.relisted.setdefault(request_id, {})[instrument_id] = None
                    self._mark(seat)

    def state_changed(
        self, instrument_id: int, state: int, state_before: int, ts_ns: int, end_ts_ns: int = 0
    ) -> None:
        """Tell those who watch an instrument that it trades otherwise; `end_ts_ns` is the planned end of its call."""
        self._state_changed = True
        self.is_busy = bool(self._seats)
        self._tell_watchers(instrument_id, (state, state_before, ts_ns, end_ts_ns))

    def call_extended(self, instrument_id: int, state: int, end_ts_ns: int, ts_ns: int) -> None:
        """Tell those who watch an instrument that its call goes on."""
        self._tell_watchers(instrument_id, (state, state, ts_ns, end_ts_ns))

    def _tell_watchers(self, instrument_id: int, change: tuple[int, int, int, int]) -> None:
        for session_id in self._watchers.get(instrument_id, ()):
            seat = self._seats[session_id]
            seat.changed[instrument_id] = change
            self._mark(seat)

    def post(self, peer: "FixPeer", item: Answer) -> None:
        """Send news to a session when it takes them."""
        seat = self._seat(peer)
        seat.news.append(item)
        self._mark(seat)

    def used(self, peer: "FixPeer") -> list[tuple[bytes, int, int, int]]:
        """Count what a session has here: name, count, most, interval in ms."""
        seat = self._seat(peer)
        most = self._limits.subscriptions_max
        return [
            (b"WATCHED", len(seat.watched), most, 0),
            (b"FOLLOWED", len(seat.followed), self._followed_max, 0),
            (b"LISTED", len(seat.lists), self._followed_max, 0),
            (b"WAITING", len(seat.waiting), self._limits.desk_requests_max, 0),
        ]

    # ------------------------------------------------------------------------------------------ turns

    def pump(self) -> int:
        """Send a turn's share. Returns how much there was to do: 0 means that waiting is no loss."""
        if self._state_changed:
            self._find_session_state()
        self._trades.begin_turn()
        budget = self._limits.desk_messages_per_turn
        done = 0
        for _ in range(len(self._busy)):
            if budget <= 0:
                return done + 1
            seat = self._busy.popleft()
            if seat.has_work or seat.seen_seq != self._door.egress_seq:
                spent, goes_on = self._serve(seat, budget)
                budget -= spent
                done += spent + goes_on
            seat.is_queued = seat.has_work or bool(seat.followed)
            if seat.is_queued:
                self._busy.append(seat)
        self._busy.rotate(-1)  # another one is the first to look at events
        self.is_busy = bool(self._busy)
        return done

    def _serve(self, seat: Seat, budget: int) -> tuple[int, bool]:
        """Send one session's share; what it cost, and whether it could go on at once."""
        spent = 0
        seen_seq = self._door.egress_seq
        for items in (self._updates(seat), self._answers(seat), *seat.followed.values()):
            while spent < budget and seat.peer.can_send():
                item = next(items, None)
                if item is None:
                    break
                if item is not IDLE:
                    seat.peer.send_fields(*item)
                    spent += 1 + len(item[1]) // FIELDS_A_MESSAGE
        if spent == 0 and seat.peer.can_send() and self._trades.has_room:
            seat.seen_seq = seen_seq  # its followed trades have come to the end
        return spent, seat.peer.can_send() and (seat.current is not None or bool(seat.waiting))

    def _updates(self, seat: Seat) -> Iterator[Answer]:
        """What a session is told without having asked this time; newest states only."""
        while seat.news:
            yield seat.news.popleft()
        if seat.told_state < 0:
            seat.told_state = self._told_state
            if seat.session_id is not None:
                yield answers.session_status(seat.session_id, self._told_state, is_update=True)
        while seat.relisted and not seat.is_listing:
            request_id, numbers = next(iter(seat.relisted.items()))
            part = list(islice(numbers, SYMBOLS_A_MESSAGE))
            for number in part:
                del numbers[number]
            if not numbers:
                del seat.relisted[request_id]
            found = [listed for listed in map(self.catalog.at, part) if listed is not None]
            yield answers.security_list_update(request_id, found)
        while seat.changed:
            instrument_id, (state, before, ts_ns, end_ns) = next(iter(seat.changed.items()))
            del seat.changed[instrument_id]
            listed = self.catalog.at(instrument_id)
            if listed is not None and instrument_id in seat.watched:
                digits = seat.peer.digits
                yield answers.security_update(
                    seat.watched[instrument_id], listed.symbol, state, before,
                    moment=time_text(ts_ns, digits), end=time_text(end_ns, digits) if end_ns else b"",
                )  # fmt: skip

    def _answers(self, seat: Seat) -> Iterator[Answer]:
        """What a session asked for, one request behind the other; ends where it goes on next turn."""
        while True:
            if seat.current is None:
                if not seat.waiting:
                    return
                seat.current = self._begin(seat, seat.waiting.popleft())
            item = next(seat.current, IDLE)
            if item is IDLE:
                seat.current = None
            elif item is None:
                return
            else:
                yield item

    def _find_session_state(self) -> None:
        """Compare the trading session's state with what was told; those who want to know are told."""
        self._state_changed = False
        state = answers.session_state(self._symbols.states())
        if state != self._told_state:
            self._told_state = state
            for seat in self._seats.values():
                if seat.session_id is not None:
                    seat.told_state = TO_BE_TOLD
                    self._mark(seat)

    def _seat(self, peer: "FixPeer") -> Seat:
        seat = self._seats.get(peer.session_id)
        if seat is None:
            seat = self._seats[peer.session_id] = Seat(peer)
        return seat

    def _mark(self, seat: Seat) -> None:
        if not seat.is_queued:
            seat.is_queued = True
            self._busy.append(seat)
        self.is_busy = True

    # ------------------------------------------------------------------------------------------ requests

    def _begin(self, seat: Seat, message: Message) -> Iterator[Answer | None]:
        """Begin to answer a request."""
        kind = message.msg_type
        if kind not in answers.REQUIRED:
            text = b"this message type is not served here"
            return iter([answers.refuse(message, answers.UNSUPPORTED_TYPE, text)])
        fault = answers.fault_of(message)
        if fault is not None:
            return iter([fault])
        verbs: dict[str, Callable[[Seat, Message], Iterator[Answer | None]]] = {
            "x": self._security_list, "e": self._security_status, "g": self._session_status,
            "AD": self._trade_request, "BE": self._user_request, "UL": self._limit_status,
        }  # fmt: skip
        return verbs[kind](seat, message)

    def _security_list(self, seat: Seat, message: Message) -> Iterator[Answer | None]:
        request_id, wish = message.get(320) or b"", message.get(263, SNAPSHOT)
        if wish == UNSUBSCRIBE:
            is_known = seat.lists.pop(request_id, None) is not None
            seat.relisted.pop(request_id, None)
            if not seat.lists:
                self._listers.discard(seat.peer.session_id)
            yield answers.security_list_ended(request_id, is_known=is_known)
            return
        number = answers.listed_instrument(message, self.catalog)
        if wish == SUBSCRIBE and number is not None:
            if request_id not in seat.lists and len(seat.lists) >= self._followed_max:
                text = b"no more than %d lists can be followed" % self._followed_max
                yield answers.refuse(message, answers.OTHER, text)
                return
            seat.lists[request_id] = number
            seat.relisted.pop(request_id, None)  # the answer says it
            self._listers.add(seat.peer.session_id)
            seat.is_listing = True
        yield from answers.security_list(message, self.catalog)
        seat.is_listing = False

    def _security_status(self, seat: Seat, message: Message) -> Iterator[Answer | None]:
        request_id, symbol = message.get(324) or b"", (message.get(55) or b"")[: answers.ECHO_BYTES_MAX]
        listed = self.catalog.find(symbol)
        if listed is None:
            yield answers.unknown_security(request_id, symbol)
            return
        number, wish = listed.instrument_id, message.get(263)
        if wish == UNSUBSCRIBE:
            self._unwatch(seat, number)
        elif wish == SUBSCRIBE and number not in seat.watched and len(seat.watched) >= self._limits.subscriptions_max:
            text = b"no more than %d instruments can be watched" % self._limits.subscriptions_max
            yield answers.refuse(message, answers.OTHER, text)
            return
        elif wish == SUBSCRIBE:
            seat.watched[number] = request_id
            self._watchers.setdefault(number, set()).add(seat.peer.session_id)
        seat.changed.pop(number, None)  # the answer says it
        yield answers.security_status(request_id, symbol, self._symbols.state_of(number))

    def _unwatch(self, seat: Seat, instrument_id: int) -> None:
        seat.watched.pop(instrument_id, None)
        if instrument_id in self._watchers:
            self._watchers[instrument_id].discard(seat.peer.session_id)

    def _session_status(self, seat: Seat, message: Message) -> Iterator[Answer | None]:
        if message.get(336, answers.TRADING_SESSION) != answers.TRADING_SESSION:
            yield answers.no_such_session(message)
            return
        request_id, wish = message.get(335), message.get(263)
        state = answers.session_state(self._symbols.states())
        if wish == SUBSCRIBE:
            if state != self._told_state:
                self._find_session_state()  # the others are told as well
            seat.session_id, seat.told_state = request_id, state
        elif wish == UNSUBSCRIBE:
            seat.session_id = None
        yield answers.session_status(request_id, state)

    def _trade_request(self, seat: Seat, message: Message) -> Iterator[Answer | None]:
        request_id, wish = message.get(568) or b"", message.get(263, SNAPSHOT)
        if wish == UNSUBSCRIBE:
            seat.followed.pop(request_id, None)
            yield self._trades.acknowledge(message, result=b"0", status=b"1")
            return
        if wish == SUBSCRIBE and request_id not in seat.followed and len(seat.followed) >= self._followed_max:
            text = b"no more than %d requests for trades can be followed" % self._followed_max
            yield self._trades.acknowledge(message, result=b"99", status=b"2", text=text)
            return
        follow = yield from self._trades.answer(seat.peer, message)
        if follow is not None and wish == SUBSCRIBE:
            seat.followed[request_id] = follow

    def _user_request(self, seat: Seat, message: Message) -> Iterator[Answer | None]:
        yield self._users.answer(seat.peer.config, message)

    def _limit_status(self, seat: Seat, message: Message) -> Iterator[Answer | None]:
        rows = [*seat.peer.limits(), *self.used(seat.peer)]
        fields = [(5105, message.get(5105) or b""), (5100, b"%d" % len(rows))]
        for name, count, most, interval_ms in rows:
            fields += [(5101, name), (5102, b"%d" % count), (5103, b"%d" % most), (5104, b"%d" % interval_ms)]
        yield "UM", fields
