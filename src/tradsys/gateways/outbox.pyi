import zmq

class Outbox:
    socket: zmq.Socket[bytes]
    def __init__(self, socket: zmq.Socket[bytes]) -> None: ...
