"""Goal: the C functions taken from pyzmq's libzmq work on pyzmq's sockets.
Method: send with one side and receive with the other, both ways, and provoke each error the loops rely on."""

import errno

import pytest
import zmq

from tradsys.wire import libzmq


@pytest.fixture
def pair():
    context = zmq.Context()
    left, right = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
    port = left.bind_to_random_port("tcp://127.0.0.1")
    right.connect(f"tcp://127.0.0.1:{port}")
    yield left, right
    context.destroy(linger=0)


def test_sends_and_receives_on_a_pyzmq_socket(pair):
    left, right = pair
    handle = int(left.underlying)
    assert libzmq.send(handle, b"head", zmq.SNDMORE) == 4
    assert libzmq.send(handle, b"") == 0
    assert right.recv_multipart() == [b"head", b""]
    right.send_multipart([b"one", b"two" * 100])
    assert libzmq.receive(handle) == (b"one", True)
    assert libzmq.receive(handle) == (b"two" * 100, False)


def test_nothing_to_receive_is_eagain(pair):
    handle = int(pair[0].underlying)
    assert libzmq.receive(handle, zmq.DONTWAIT) == -errno.EAGAIN
    assert libzmq.events(handle) & zmq.POLLIN == 0


def test_router_mandatory_names_an_unknown_peer():
    context = zmq.Context()
    router = context.socket(zmq.ROUTER)
    router.setsockopt(zmq.ROUTER_MANDATORY, 1)
    assert libzmq.send(int(router.underlying), b"nobody", zmq.SNDMORE | zmq.DONTWAIT) == -errno.EHOSTUNREACH
    context.destroy(linger=0)

