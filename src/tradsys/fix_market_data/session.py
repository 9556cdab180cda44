"""One market data session: requests in, snapshots and changes out, within its bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from tradsys.client.fix_link import FixLink
from tradsys.client.fix_listener import ListenedSession
from tradsys.client.fix_outbox import Outbox
from tradsys.fix.actions import Fault
from tradsys.fix.message import Field, Message, format_time
from tradsys.fix.replay import Stored
from tradsys.fix_market_data import requests
from tradsys.fix_market_data.instruments import Instrument
from tradsys.fix_market_data.market import Market, Told
from tradsys.fix_market_data.requests import Refused, RequestLimits
from tradsys.fix_market_data.subscriptions import BODY_BYTES, Pace, Subscription
from tradsys.gateways import fix_answers as answers
from tradsys.gateways.fix_answers import ECHO_BYTES_MAX
from tradsys.gateways.fix_catalog import SYMBOLS_A_MESSAGE
from tradsys.gateways.fix_logon import FixLogonCheck
from tradsys.gateways.fix_sessions import FixSessionConfig
from tradsys.wire.enums import InstrumentState

MS = 1_000_000
HEADER_BYTES = 512  # room for what stands around a body
CLIENT_BYTES_MIN = 1_024  # of the longest message a client takes
LIST_SYMBOLS_A_TOKEN = 50  # a long list costs the rate more
LISTS_MAX = 64  # one session follows
STATUSES_MAX = 10_000  # instruments whose status one session follows
BAN_NS = 15 * 10**9


class Bounds(Struct, frozen=True):
    """What one session may use up."""

    requests: RequestLimits = RequestLimits()
    conflate_bytes: int = 64 << 10  # written and not taken; more: changes collapse
    trades_max: int = 10_000  # that wait; more: the session is ended
    slow_ms: int = 10_000  # changes collapse so long without a break: the session is ended
    throttle_messages: int = 50  # requests a window
    throttle_window_ms: int = 1_000
    flood_messages: int = 500  # messages of any kind a window; more: the session is ended


class Unkept(Outbox):
    """An outbox that keeps nothing: market data is not sent again, but told anew.

    Parameters
    ----------
    on_request : callable
        Is called when the other side asks for something again.
    """

    def __init__(self, on_request: Callable[[], None]) -> None:
        super().__init__(messages_max=0)
        self._on_request = on_request

    def keep(self, message: Stored) -> None:
        """Count a message."""
        self.next_out = message.seq + 1

    def between(self, begin: int, end: int) -> list[Stored]:
        """Give nothing: the numbers are filled."""
        self._on_request()
        return []


class TokenBucket:
    """So many tokens a window, and at most as many at once."""

    def __init__(self, count: int, window_ms: int) -> None:
        self._count, self._window_ns = count, window_ms * MS
        self._tokens = float(count)
        self._now_ns = 0

    def take(self, tokens: int, now_ns: int) -> bool:
        """Take tokens when there are any; what costs more than a window has takes what there is."""
        passed_ns = max(now_ns - self._now_ns, 0)
        self._now_ns = now_ns
        self._tokens = min(self._count, self._tokens + passed_ns * self._count / self._window_ns)
        if self._tokens < 1:
            return False
        self._tokens = max(self._tokens - tokens, 0.0)
        return True


class MarketSession(ListenedSession):
    """A session of the market data port.

    Parameters
    ----------
    settings : SessionSettings
    config : FixSessionConfig
        Credentials and allowed addresses.
    market : Market
    logons : FixLogonCheck
        Shared by all sessions.
    bounds : Bounds
    has_rpt_seq : bool
        Number the entries of each book with 83, which stock FIX 4.4 has not in these messages.
    """

    def __init__(
        self,
        config: FixSessionConfig,
        market: Market,
        logons: FixLogonCheck,
        bounds: Bounds | None = None,
        *,
        has_rpt_seq: bool = False,
    ) -> None:
        super().__init__(
            FixLink(
                config.settings,
                Unkept(self._tell_anew),
                check=self._check,
                authenticate=self._refusal,
                application=self._answer,
            )
        )
        self.subscriptions: dict[bytes, Subscription] = {}
        self.statuses: dict[int, dict[bytes, None]] = {}  # SecurityStatusReqIDs by instrument
        self.lists: dict[bytes, int] = {}  # SecurityReqID: its instrument, 0: all
        self.session_id: bytes | None = None  # TradSesReqID of who wants to know when the trading session changes
        self.pace = Pace()
        self._config, self._market, self._logons = config, market, logons
        self._bounds, self._has_rpt_seq = bounds or Bounds(), has_rpt_seq
        self._now_ns = 0
        self._slow_ns = -1  # since when changes collapse; -1: they do not
        self._client_bytes = 0  # longest message the client takes; 0: any
        self._requests = TokenBucket(self._bounds.throttle_messages, self._bounds.throttle_window_ms)
        self._messages = TokenBucket(self._bounds.flood_messages, self._bounds.throttle_window_ms)
        self._is_flooded = False
        self._banned_ns = 0  # until when

    # --------------------------------------------------------------------------------------- the connection

    def end(self, now_ns: int) -> None:
        """End with the connection, and with everything asked for on it."""
        super().end(now_ns)
        self._forget()

    def _forget(self) -> None:
        """Forget everything that was asked for."""
        for subscription in self.subscriptions.values():
            self._market.remove(subscription)
        self.subscriptions.clear()
        self.statuses.clear()
        self.lists.clear()
        self.session_id = None
        self.pace = Pace()
        self._slow_ns = -1

    def pass_time(self, now_ns: int) -> None:
        """Do what is due."""
        self._now_ns = now_ns
        super().pass_time(now_ns)
        self.flush(now_ns)

    def has_room(self) -> None:
        """Go on: what waits can be sent as it is now."""
        self.flush(self._now_ns)

    def flush(self, now_ns: int) -> None:
        """Send what waits while the connection takes it; end the session when a bound is passed."""
        self._now_ns = now_ns
        if not self.link.numbers.active:
            self._forget()  # logged out, and perhaps slow to go
            return
        self.look_at_pace(now_ns)
        problem = self._problem(now_ns)
        if problem:
            self.link.end(problem, now_ns)
            self._forget()
        elif not self.pace.is_slow:
            self.link.set_time(now_ns)
            self._send_waiting()
        if self.connection is not None:
            self.connection.flush()

    def _send_waiting(self) -> None:
        """Send what waits; who had its turn when the connection is full comes last the next time."""
        for request_id, subscription in list(self.subscriptions.items()):
            if not subscription.waiting:
                continue
            goes_on = self._send(subscription)
            if self.subscriptions.pop(request_id, None) is not None:
                self.subscriptions[request_id] = subscription
            if not goes_on:
                return

    def _send(self, subscription: Subscription) -> bool:
        """Send what waits of a subscription. False: nothing more for now."""
        for msg_type, body in subscription.bodies():
            if self._client_bytes and len(body) + HEADER_BYTES > self._client_bytes:
                text = f"the book needs a message of {len(body) + HEADER_BYTES} bytes, MaxMessageSize(383) is less"
                self._drop(subscription, Refused(requests.BAD_DEPTH, text))
                return True
            self.link.send_encoded(msg_type, body)
            if msg_type == b"W" and self._unsent_bytes() >= self._bounds.conflate_bytes:
                return False
        if subscription.is_once and not subscription.waiting:
            self._drop(subscription)
        return self._unsent_bytes() < self._bounds.conflate_bytes

    def look_at_pace(self, now_ns: int) -> None:
        """Find out whether the connection takes what it is sent."""
        self.pace.is_slow = self._unsent_bytes() >= self._bounds.conflate_bytes
        if not self.pace.is_slow:
            self._slow_ns = -1
        elif self._slow_ns < 0:
            self._slow_ns = now_ns

    def _problem(self, now_ns: int) -> str:
        """Say which bound is passed; empty: none."""
        bounds = self._bounds
        if self._is_flooded:
            self._banned_ns = now_ns + BAN_NS
            return f"FLOOD: more than {bounds.flood_messages} messages within {bounds.throttle_window_ms} ms"
        if self.pace.trades > bounds.trades_max:
            return f"SLOW: {self.pace.trades} trades wait, at most {bounds.trades_max} may"
        if self._slow_ns >= 0 and now_ns - self._slow_ns >= bounds.slow_ms * MS:
            return f"SLOW: what was sent has not been taken for {bounds.slow_ms} ms"
        return ""

    def _unsent_bytes(self) -> int:
        written = self.connection.unsent_bytes() if self.connection is not None else 0
        return written + len(self.link.outgoing)

    # --------------------------------------------------------------------------------------- logging on

    def _refusal(self, logon: Message) -> str:
        """Say why a Logon is refused; empty: it is not."""
        if self.link.now_ns < self._banned_ns:
            return "FLOOD: try again later"
        address = self.connection.address if self.connection is not None else ""
        problem = self._logons.refusal(self._config, logon, address, self.link.now_ns)
        if problem:
            return problem
        self._client_bytes = max(logon.number(383), 0)
        if 0 < self._client_bytes < CLIENT_BYTES_MIN:
            return f"MaxMessageSize(383) must be at least {CLIENT_BYTES_MIN}"
        self._is_flooded = False
        return ""

    def _check(self, message: Message) -> Fault | None:
        """Count a message and look at its form."""
        if not self._messages.take(1, self.link.now_ns):
            self._is_flooded = True
        return requests.fault_of(message)

    # --------------------------------------------------------------------------------------- requests

    def _answer(self) -> None:
        """Answer what was delivered."""
        now_ns = self._now_ns = self.link.now_ns
        for message in self.link.take():
            if not self.link.numbers.active or self._is_flooded:
                continue
            if self._requests.take(self._cost(message), now_ns):
                self._serve(message)
            elif message.msg_type == "V":
                self._refuse(message.get(262, b"") or b"", Refused(requests.BANDWIDTH, self._over_the_rate()))
            else:
                self._reject(message, answers.OTHER, self._over_the_rate())
        if self._is_flooded or self.subscriptions:
            self.flush(now_ns)

    def _serve(self, message: Message) -> None:
        match message.msg_type:
            case "V":
                read = requests.read(message)
                problem = read if isinstance(read, Refused) else self._take(read)
                if problem is not None:
                    self._refuse(message.get(262, b"") or b"", problem)
            case "e":
                self._take_status(message)
            case "x" | "g":
                for msg_type, fields in self._reference(message):
                    self.link.send(msg_type, tuple(fields))
            case _:
                self._reject(message, answers.UNSUPPORTED_TYPE, "this message type is not served here")

    def _cost(self, message: Message) -> int:
        if message.msg_type == "x" and message.get(559) == b"4":
            return 1 + len(self._market.told) // LIST_SYMBOLS_A_TOKEN
        return 1 + len(message.values(55)) // LIST_SYMBOLS_A_TOKEN

    def _over_the_rate(self) -> str:
        return (
            f"more than {self._bounds.throttle_messages} requests within {self._bounds.throttle_window_ms} ms"
        )

    def _take(self, request: requests.MarketDataRequest) -> Refused | None:
        """Begin or end a subscription, or say why not."""
        known = self.subscriptions.get(request.request_id)
        if request.kind == requests.UNSUBSCRIBE:
            if known is None:
                return Refused(requests.NO_REASON, "there is no subscription with this MDReqID(262)")
            self._drop(known)
            return None
        if known is not None:
            return Refused(requests.DUPLICATE_ID, "a subscription has this MDReqID(262)")
        problem = self._excess(request)
        if problem:
            return Refused(requests.BANDWIDTH, problem)
        if not self._market.told:
            return Refused(requests.NO_REASON, "the instruments are not known yet; try again")
        unknown = [symbol for symbol in request.symbols if symbol not in self._market.by_symbol]
        if unknown:
            return Refused(
                requests.UNKNOWN_SYMBOL, f"no such Symbol: {unknown[0][:ECHO_BYTES_MAX].decode('latin-1')}"
            )
        body_bytes = min(BODY_BYTES, (self._client_bytes or 1 << 20) - HEADER_BYTES)
        subscription = Subscription(request, self.pace, body_bytes=body_bytes, has_rpt_seq=self._has_rpt_seq)
        self.subscriptions[request.request_id] = subscription
        self._market.add(subscription)
        return None

    def _excess(self, request: requests.MarketDataRequest) -> str:
        limits = self._bounds.requests
        books = sum(len(subscription.legs) for subscription in self.subscriptions.values())
        if len(request.symbols) > limits.symbols_max:
            return f"a request has at most {limits.symbols_max} symbols"
        if len(self.subscriptions) >= limits.requests_max:
            return f"a session has at most {limits.requests_max} subscriptions"
        if books + len(request.symbols) > limits.books_max:
            return f"the subscriptions of a session have at most {limits.books_max} symbols"
        return ""

    def _drop(self, subscription: Subscription, refused: Refused | None = None) -> None:
        del self.subscriptions[subscription.request.request_id]
        self._market.remove(subscription)
        if refused is not None:
            self._refuse(subscription.request.request_id, refused)

    def _refuse(self, request_id: bytes, refused: Refused) -> None:
        fields: list[Field] = [(262, request_id[: requests.ID_BYTES_MAX])]
        if refused.reason:
            fields.append((281, refused.reason))
        self.link.send("Y", (*fields, (58, refused.text.encode("latin-1", "replace"))))

    def _reject(self, message: Message, reason: bytes, text: str) -> None:
        msg_type, fields = answers.refuse(message, reason, text.encode("latin-1", "replace"))
        self.link.send(msg_type, tuple(fields))

    def _tell_anew(self) -> None:
        """Send the books again: messages were asked for that are not kept."""
        for subscription in self.subscriptions.values():
            subscription.restart()

    # --------------------------------------------------------------------------------------- instruments

    def _reference(self, message: Message) -> Iterable[answers.Answer]:
        """Answer a question about instruments or the trading session, as the FIX door does."""
        request_id = message.get(320 if message.msg_type == "x" else 335) or b""
        if len(request_id) > ECHO_BYTES_MAX:
            return [answers.refuse(message, answers.OTHER, b"the request id has more than 64 characters")]
        if message.get(263, requests.SNAPSHOT) not in (requests.SNAPSHOT, requests.SUBSCRIBE, requests.UNSUBSCRIBE):
            return [answers.reject(message, answers.BAD_VALUE, 263)]
        if message.msg_type == "x":
            return self._security_list(message, request_id)
        if message.get(336, answers.TRADING_SESSION) != answers.TRADING_SESSION:
            return [answers.no_such_session(message)]
        if message.get(263) == requests.SUBSCRIBE:
            self.session_id = request_id
        elif message.get(263) == requests.UNSUBSCRIBE:
            self.session_id = None
        return [answers.session_status(request_id, self._market.session_state())]

    def _security_list(self, message: Message, request_id: bytes) -> Iterable[answers.Answer]:
        """Answer a SecurityListRequest, and go on telling, or stop."""
        wish = message.get(263)
        if wish == requests.UNSUBSCRIBE:
            is_known = self.lists.pop(request_id, None) is not None
            return [answers.security_list_ended(request_id, is_known=is_known)]
        number = answers.listed_instrument(message, self._market.catalog)
        if wish == requests.SUBSCRIBE and number is not None:
            if request_id not in self.lists and len(self.lists) >= LISTS_MAX:
                text = b"a session follows at most %d lists" % LISTS_MAX
                return [answers.refuse(message, answers.OTHER, text)]
            self.lists[request_id] = number
        return answers.security_list(message, self._market.catalog)

    def tell_defined(self, instrument_ids: list[int], now_ns: int) -> None:
        """Tell who follows a list what was defined, or defined anew."""
        if not self.link.numbers.active:
            return
        self.link.set_time(now_ns)
        for request_id, wanted in self.lists.items():
            numbers = instrument_ids if wanted == 0 else [wanted] if wanted in instrument_ids else []
            found = [one for one in map(self._market.catalog.at, numbers) if one is not None]
            for begin in range(0, len(found), SYMBOLS_A_MESSAGE):
                part = found[begin : begin + SYMBOLS_A_MESSAGE]
                msg_type, fields = answers.security_list_update(request_id, part)
                self.link.send(msg_type, tuple(fields))

    def tell_session_state(self, state: InstrumentState, now_ns: int) -> None:
        """Tell who wants to know that the trading session has another state."""
        if self.session_id is not None and self.link.numbers.active:
            self.link.set_time(now_ns)
            msg_type, fields = answers.session_status(self.session_id, state, is_update=True)
            self.link.send(msg_type, tuple(fields))

    def _take_status(self, message: Message) -> None:
        """Answer a SecurityStatusRequest, and go on telling, or stop."""
        request_id, kind = message.get(324, b"") or b"", message.get(263)
        told = self._market.by_symbol.get(message.get(55, b"") or b"")
        if len(request_id) > ECHO_BYTES_MAX or kind not in (b"0", b"1", b"2"):
            self._reject(
                message, answers.OTHER, f"324 has at most {ECHO_BYTES_MAX} characters, 263 is 0, 1 or 2"
            )
        elif told is None:
            symbol = (message.get(55) or b"")[:ECHO_BYTES_MAX]
            self._say(answers.unknown_security(request_id, symbol))
        elif kind == requests.UNSUBSCRIBE:
            self.statuses.get(told.instrument.instrument_id, {}).pop(request_id, None)
        elif kind == requests.SUBSCRIBE and not self._follow_status(told, request_id):
            self._reject(
                message, answers.OTHER, f"a session follows the status of at most {STATUSES_MAX} instruments"
            )
        else:
            self._say(answers.security_status(request_id, told.instrument.symbol, told.instrument.state))

    def _follow_status(self, told: Told, request_id: bytes) -> bool:
        if sum(map(len, self.statuses.values())) >= STATUSES_MAX:
            return False
        self.statuses.setdefault(told.instrument.instrument_id, {})[request_id] = None
        return True

    def tell_state(self, instrument: Instrument, before: int, now_ns: int, *, end_ns: int = 0) -> None:
        """Tell who follows it that an instrument has another state, or, in the same one, that its call goes on."""
        if self.link.numbers.active:
            self.link.set_time(now_ns)
            end = format_time(end_ns, "us") if end_ns else b""
            for request_id in self.statuses.get(instrument.instrument_id, ()):
                self._say(answers.security_update(request_id, instrument.symbol, instrument.state, before, end=end))

    def _say(self, answer: answers.Answer) -> None:
        self.link.send(answer[0], tuple(answer[1]))

    def tell_news(self, headline: str, text: str, now_ns: int) -> None:
        """Send News to who is told trades."""
        wants = any(requests.TRADE in one.request.entry_kinds for one in self.subscriptions.values())
        if wants and self.link.numbers.active:
            self.link.set_time(now_ns)
            msg_type, fields = answers.news(headline, [text], "1")
            self.link.send(msg_type, tuple(fields))
