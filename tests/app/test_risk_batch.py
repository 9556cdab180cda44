"""Goal: many portfolios at once give what each gives alone, to the digit, here and on dask workers.

Method: the example's invented prices, portfolios good and bad, a dask cluster of this process (extra ``dask``).
"""

import json
import runpy
import warnings
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from oracle import oracle

from tradsys.app import cli

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("batch")
    pq.write_table(
        runpy.run_path(str(EXAMPLES / "made_up_prices.py"))["prices"](days=600), folder / "prices.parquet"
    )
    (folder / "one.csv").write_text((EXAMPLES / "portfolio.csv").read_text())
    (folder / "two.csv").write_text("symbol,quantity,asset_class\nSPY,2,ETF\nTLT,-5,ETF\n")
    (folder / "bad.csv").write_text("symbol,quantity\nNONE,1\n")
    return folder


def asked(capsys, *words, status=0):
    assert cli.main(["risk", *map(str, words), "--json"]) == status
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def batch(capsys, files, *words, names=("one.csv", "two.csv"), status=0):
    return asked(
        capsys,
        "batch",
        *(files / name for name in names),
        "--history",
        files / "prices.parquet",
        *words,
        status=status,
    )


@pytest.mark.parametrize("method", ["historical", "mc"])
def test_a_batch_is_each_alone(capsys, files, method):
    words = ("--method", method, "--paths", "3000", "--horizon", "5d")
    found = batch(capsys, files, *words, "--workers", "2")["portfolios"]
    for one in found:
        alone = asked(capsys, "var", one["portfolio"], "--history", files / "prices.parquet", *words)
        assert (one["var"], one["es"], one["groups"]) == (alone["var"], alone["es"], alone["groups"])
        stressed = asked(capsys, "stress", one["portfolio"], "--history", files / "prices.parquet")
        assert one["scenarios"] == {line["name"]: line["pnl"] for line in stressed["scenarios"]}


def test_one_that_is_refused_does_not_hold_up_the_others(capsys, files):
    found = batch(capsys, files, "--no-stress", names=("bad.csv", "two.csv"), status=1)
    assert "the history has no NONE" in found["portfolios"][0]["refused"]
    assert found["portfolios"][1]["var"] > 0
    assert "scenarios" not in found["portfolios"][1]
    words = [files / "bad.csv", files / "two.csv", "--history", files / "prices.parquet"]
    assert cli.main(["risk", "batch", *map(str, words)]) == 1
    told = capsys.readouterr()
    assert "two.csv" in told.out
    assert "refused: " in told.err


def test_dask_gives_the_same_to_the_digit(capsys, files):
    distributed = oracle("distributed")
    words = ("--method", "mc", "--paths", "3000")
    here = batch(capsys, files, *words)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=None
        ) as cluster:
            address = cluster.scheduler_address.removeprefix("tcp://")
            there = batch(capsys, files, *words, "--workers", f"dask://{address}")
    assert there["portfolios"] == here["portfolios"]


def test_a_scheduler_that_is_not_there_is_said(capsys, files, monkeypatch):
    oracle("distributed")
    monkeypatch.setattr("tradsys.app.risk_batch.DASK_SECONDS", 0.3)
    words = [
        "risk",
        "batch",
        files / "two.csv",
        "--history",
        files / "prices.parquet",
        "--workers=dask://127.0.0.1:1",
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert cli.main([str(word) for word in words]) == 1
    assert "no dask scheduler answers at tcp://127.0.0.1:1" in capsys.readouterr().err


def test_without_dask_it_is_said(capsys, files, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    words = [
        "risk",
        "batch",
        files / "two.csv",
        "--history",
        files / "prices.parquet",
        "--workers=dask://h:1",
    ]
    assert cli.main([str(word) for word in words]) == 2
    assert "needs dask: pip install 'tradsys[dask]'" in capsys.readouterr().err
