"""Goal: a subscriber knows what the publisher has or says that it does not. Method: frames lost, doubled, of another start,
in every seeded order; snapshots late and early. Numbers of protocols/risk_stream.md."""

import json

import numpy as np
import pytest

from tradsys.errors import InputError
from tradsys.risk.stream import Publication, Subscription


def test_frames_are_numbered_over_all_and_in_their_topic():
    # 3.1
    stream = Publication("a" * 16)
    bodies = [json.loads(stream.frame(topic, {"x": i}, 5)[1]) for i, topic in enumerate(("a", "b", "a"))]
    assert [(b["seq"], b["topic_seq"], b["topic"], b["x"]) for b in bodies] == [
        (1, 1, "a", 0),
        (2, 1, "b", 1),
        (3, 2, "a", 2),
    ]
    assert {b["stream_id"] for b in bodies} == {"a" * 16}
    # 4.1
    snapshot = json.loads(stream.answer(b"{}", 9))
    assert (snapshot["seq"], [b["x"] for b in snapshot["topics"]]) == (3, [2, 1])
    assert [b["topic"] for b in json.loads(stream.answer(b'{"topic": "b"}', 9))["topics"]] == ["b"]


@pytest.mark.parametrize(
    "request_",
    [b"", b"x", b"[]", b'{"topic": 1}', b'{"other": 1}', b"\xff\xfe", b'{"topic": "' + b"a" * 5000 + b'"}'],
)
def test_other_requests_are_answered_with_a_sentence(request_):
    # 4.1
    answer = Publication("a" * 16).answer(request_, 1)
    assert "error" in json.loads(answer)
    with pytest.raises(InputError, match="refused"):
        Subscription().take_snapshot(answer)


@pytest.mark.parametrize("seed", range(30))
def test_lost_frames_are_healed_by_snapshots(seed):
    # 2.3, 4.2: whenever the subscription says it is whole, it has what the publisher had at that number.
    rng = np.random.default_rng(seed)
    stream, known = Publication("1" * 16), Subscription()
    truth = [{}]
    late = []
    for number in range(200):
        topic = f"t{rng.integers(0, 5)}"
        frame = stream.frame(topic, {"value": number}, number)
        truth.append({**truth[-1], topic: number})
        if rng.random() < 0.8:
            known.take(*frame)
        if rng.random() < 0.1:
            late.append(stream.answer(b"{}", number))
        if late and rng.random() < 0.3:
            known.take_snapshot(late.pop(0))
        if known.is_whole:
            assert {t: b["value"] for t, b in known.bodies.items()} == truth[known.seq]
    known.take_snapshot(stream.answer(b"{}", 0))
    assert known.is_whole
    assert {t: b["value"] for t, b in known.bodies.items()} == truth[-1]


def test_another_start_begins_anew():
    # 4.2
    old, new, known = Publication("1" * 16), Publication("2" * 16), Subscription()
    known.take(*old.frame("a", {}, 1))
    known.take_snapshot(old.answer(b"{}", 1))
    assert known.is_whole
    known.take(*new.frame("b", {}, 1))
    assert (list(known.bodies), known.is_whole, known.restarts) == (["b"], False, 1)
    known.take_snapshot(old.answer(b"{}", 1))
    assert not known.is_whole
    known.take_snapshot(new.answer(b"{}", 1))
    assert known.is_whole


def test_a_part_of_the_topics_has_no_gaps():
    # 2.2, 4.2
    stream, known = Publication("1" * 16), Subscription("a.")
    known.take_snapshot(stream.answer(b'{"topic": "a."}', 1))
    frames = [stream.frame(topic, {}, 1) for topic in ("a.x", "b", "ab", "a.y")]
    known.take(*frames[0])
    known.take(*frames[2])
    known.take(*frames[3])
    assert list(known.bodies) == ["a.x", "a.y"]
    assert known.gaps == 0


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[1]", b'{"seq": 1}', b'{"seq": "x", "stream_id": "1", "topic": "a"}', b"\xff"]
)
def test_what_is_no_frame_is_refused(body):
    with pytest.raises(InputError, match="not a frame"):
        Subscription().take(b"a", body)
    with pytest.raises(InputError):
        Subscription().take_snapshot(body)


def test_a_topic_that_lies_is_refused():
    frame = Publication("1" * 16).frame("a", {}, 1)
    with pytest.raises(InputError, match="says it is of 'a'"):
        Subscription().take(b"b", frame[1])
