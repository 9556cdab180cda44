"""What earlier versions wrote keeps its meaning: their journals replay byte for byte, their snapshots load.

The digests and the snapshot below were made by version 1 of the snapshot format, before instruments could be special.
"""

import base64
import hashlib
import zlib

import pytest

from tradsys.core import Engine
from tradsys.sim import commands, workload

KEPT = {  # profile: SHA-256 of all events, state hash, of 20,000 commands of seed 7 with 500 live orders
    "normal": ("85b933a39d8986e09a16d9d2a7adba4719f81608846bbfa375a2b8535518e0f7", 0xFBE1BB3D61EA4DDA),
    "wide_swings": ("ad1f3ecc880b86ece1480471b70ef1223cc10ce4f58aad4755619fdaeab8f9b2", 0xBC4326C31FB725E7),
}
SNAPSHOT_HASH = 0x4650FC7BB24134DE
SNAPSHOT = (
    r"c-jjIa&!sya|~c)U|?`ia5QxgWdMVFCXSn`{{*;kLAVUuP@07S6)4;LSU&u9%C%SX+ooObTc0ok#r^{Uh=ySpV1i<pI3tu#B"
    r"w%DfQvV+cq@fawP;pjd4UCLT2h+}QLgkr|<zf2Opk`vz&ji%pexvFh)SY0jv!m%(hw6p-lO0We_tXAUj0~e-6i^0!Lem>Kop"
    r"FqY$6y6a$c5D)0&Ga-_kj@@FR(g-6-WHQ>L&I<8h@i;6by9!L9T~JLxi$$9IEbS8;wG$v=4?G;73X$%!ob}6S6!Lk~|}tJg)"
    r"Qx>_TDX4;KI}PV4_8m8+v|57NVLB;+xg0JGF1;B+^|v>YX$!NT|CENk>M$;9{%GoQi)PC?Ye=-^0SLuBhhgI%cV{Mr9efizP"
    r"2g52&O$$1K&-_y|eYS2C+6I#EB)I2p(@*n_ml6?3"
)


@pytest.mark.parametrize("profile", KEPT)
def test_commands_of_an_earlier_version_cause_the_same_events(profile):
    load = workload.make(profile, 20_000, seed=7, live_target=500)
    engine = Engine(**load.capacities)
    digest = hashlib.sha256()
    for part in (load.setup, load.prefill, load.commands):
        digest.update(engine.submit(part).tobytes())
    assert (digest.hexdigest(), engine.state_hash()) == KEPT[profile]


def test_a_snapshot_of_version_1_loads():
    engine = Engine.restore(
        zlib.decompress(base64.b85decode(SNAPSHOT)),
        orders_max=16,
        instruments_max=4,
        participants_max=4,
        sessions_max=4,
        accounts_max=4,
    )
    engine.check()
    assert engine.state_hash() == SNAPSHOT_HASH
    events = engine.submit(commands.new_order(2, 9, 2, 2, 100))
    assert [int(event["template_id"]) for event in events] == [64, 66]
    assert len(engine.depth(1, 1)) == 0
