"""UserRequest of a FIX session (BE, BF): who it is, and changing its password so that it stays changed."""

import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from tradsys.fix.message import Field, Message
from tradsys.gateways.fix_answers import ECHO_BYTES_MAX, Answer
from tradsys.gateways.fix_sessions import FixSessionConfig

LOG_ON, LOG_OFF, CHANGE_PASSWORD, STATUS = b"1", b"2", b"3", b"4"  # UserRequestType
LOGGED_IN, NOT_RECOGNISED, PASSWORD_INCORRECT, PASSWORD_CHANGED, OTHER = b"1", b"3", b"4", b"5", b"6"  # UserStatus
PASSWORD_FILE = "password.json"
PASSWORD_BYTES_MIN, PASSWORD_BYTES_MAX = 8, 64
ITERATIONS = 20_000  # of PBKDF2: some ms for one who knows the password, as many for one who guesses
LOOKS_MAX, LOOKS_WINDOW_NS = 5, 60 * 10**9  # passwords of one session looked at within a time


class FixPasswords:
    """Passwords in force: those of the settings, unless a client has changed its own since.

    What was changed is kept in the session's directory, salted and hashed, and holds as long as the settings keep the password
    it replaced: an operator who writes another one there has the last word.
    """

    def __init__(self) -> None:
        self._changed: dict[Path, dict[str, str]] = {}  # by file; empty: the settings' password holds

    def matches(self, config: FixSessionConfig, given: bytes) -> bool:
        """Compare a password with the one in force, in constant time."""
        changed = self._read(config)
        if changed:
            return hmac.compare_digest(hashed(given, changed["salt"]), changed["hash"])
        return hmac.compare_digest(given, config.password.encode())

    def change(self, config: FixSessionConfig, new: bytes) -> None:
        """Put a new password in force; it is on disk when this returns.

        Raises
        ------
        OSError
            It could not be written; the one before holds.
        """
        salt = secrets.token_hex(16)
        changed = {"salt": salt, "hash": hashed(new, salt), "replaces": hashed(config.password.encode(), salt)}
        path = config.directory / PASSWORD_FILE
        temporary = path.with_suffix(".tmp")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(changed, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        folder = os.open(config.directory, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._changed[path] = changed

    def _read(self, config: FixSessionConfig) -> dict[str, str]:
        path = config.directory / PASSWORD_FILE
        if path not in self._changed:
            changed = json.loads(path.read_text()) if path.exists() else {}
            if changed and hashed(config.password.encode(), changed["salt"]) != changed["replaces"]:
                changed = {}
            self._changed[path] = changed
        return self._changed[path]


def hashed(password: bytes, salt: str) -> str:
    """Hash a password with its salt."""
    return hashlib.pbkdf2_hmac("sha256", password, bytes.fromhex(salt), ITERATIONS).hex()


class FixUsers:
    """Answers UserRequests.

    Parameters
    ----------
    passwords : FixPasswords
    clock : callable
        Nanoseconds of a clock that does not go back.
    """

    def __init__(self, passwords: FixPasswords, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._passwords, self._clock = passwords, clock
        self._looks: dict[int, tuple[int, int]] = {}  # session_id: passwords looked at, since when

    def _may_look(self, session_id: int) -> bool:
        """Count a password to be looked at: hashing takes the venue's time."""
        now_ns = self._clock()
        count, since_ns = self._looks.get(session_id, (0, now_ns))
        if now_ns - since_ns >= LOOKS_WINDOW_NS:
            count, since_ns = 0, now_ns
        self._looks[session_id] = (count + 1, since_ns)
        return count < LOOKS_MAX

    def answer(self, config: FixSessionConfig, message: Message) -> Answer:
        """Answer one request of a session that is logged on."""
        username = message.get(553) or b""
        head: list[Field] = [(923, message.get(923) or b""), (553, username[:ECHO_BYTES_MAX])]
        if not hmac.compare_digest(username, (config.username or config.settings.target_comp_id).encode()):
            return "BF", [*head, (926, NOT_RECOGNISED), (927, b"UNKNOWN_USER: not the user of this session")]
        kind = message.get(924)
        if kind in (LOG_ON, CHANGE_PASSWORD) and message.has(554) and not self._may_look(config.session_id):
            return "BF", [*head, (926, OTHER), (927, b"TOO_OFTEN: try again in a minute")]
        if kind == CHANGE_PASSWORD:
            status, text = self._change(config, message)
        elif kind == LOG_OFF:
            status, text = OTHER, "USE_LOGOUT: a session is ended by Logout (5)"
        elif kind == LOG_ON and config.password and message.has(554):
            right = self._passwords.matches(config, message.get(554) or b"")
            status, text = (LOGGED_IN, "LOGGED_ON") if right else (PASSWORD_INCORRECT, "WRONG_PASSWORD")
        else:
            status, text = LOGGED_IN, "LOGGED_ON"
        return "BF", [*head, (926, status), (927, text.encode())]

    def _change(self, config: FixSessionConfig, message: Message) -> tuple[bytes, str]:
        old, new = message.get(554) or b"", message.get(925) or b""
        if not config.password:
            return OTHER, "NO_PASSWORD: this session signs its Logon"
        if not self._passwords.matches(config, old):
            return PASSWORD_INCORRECT, "WRONG_PASSWORD: 554 is not the password in force"
        if not PASSWORD_BYTES_MIN <= len(new) <= PASSWORD_BYTES_MAX:
            return OTHER, f"BAD_LENGTH: 925 must have {PASSWORD_BYTES_MIN} to {PASSWORD_BYTES_MAX} characters"
        if not all(33 <= letter <= 126 for letter in new):
            return OTHER, "BAD_CHARACTERS: 925 must be printable ASCII without spaces"
        if new == old:
            return OTHER, "SAME_PASSWORD: 925 must differ from 554"
        try:
            self._passwords.change(config, new)
        except OSError:
            return OTHER, "NOT_STORED: the new password could not be kept; the old one holds"
        return PASSWORD_CHANGED, "PASSWORD_CHANGED"
