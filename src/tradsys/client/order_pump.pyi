from typing import Any

import numpy as np
import zmq

class OrderPump:
    socket: zmq.Socket[bytes]
    last_report_seq: int
    last_client_seq: int
    answers_after: int
    repeated_count: int
    gap_from: int
    def __init__(self, socket: zmq.Socket[bytes], last_report_seq: int = 0) -> None: ...
    def send(self, records: np.ndarray[Any, Any], first_seq: int, per_frame: int) -> int: ...
    def receive(self, reports: np.ndarray[Any, Any], filled: int = 0) -> tuple[int, bytes | None]: ...
    def start_after(self, last_report_seq: int, answers_after: int, last_client_seq: int) -> None: ...
