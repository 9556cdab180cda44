"""Goal: a QuickFIX client passes the examination we hold clients to, so that it asks for nothing but FIX.

Method: `tradsys fix certify` as a command, the engine with every validation on and with each dictionary.
"""

import json
import re
import subprocess
import sys

import pytest
from free_ports import free_ports
from trading_floor import QuickFix, environment, rejections

pytestmark = pytest.mark.heavy


def test_quickfix_passes(tmp_path, dictionary):
    (port,) = free_ports(1)
    command = [
        sys.executable,
        "-m",
        "tradsys",
        "fix",
        "certify",
        "--port",
        str(port),
        "--target",
        "DESK",
        "--json",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(), text=True) as examination:
        assert "listening" in examination.stdout.readline()
        client = QuickFix(tmp_path, port, dictionary, HeartBtInt=2).wait_logon()
        try:
            client.order()
            results = [json.loads(line) for line in examination.stdout]
        finally:
            client.kill()
    assert [one for one in results if one["result"] != "ok"] == []
    assert len(results) == 14
    assert examination.returncode == 0
    # what it was given to reject, it did not: a wrong checksum and an old number are passed over
    assert [line for line in rejections(client.log()) if not re.search("[Cc]heck[Ss]um", line)] == []
