"""Goal: limits are judged as protocols/risk_stream.md section 5 says.

Method: figures that rise and fall, files wrong in one way.
"""

import pytest

from tradsys.errors import ConfigError
from tradsys.risk.account_limits import BREACH, OK, WARNING, Limits, Watch, read_limits
from tradsys.risk.live import Figures


def figures(**fields):
    zero = dict.fromkeys(Figures._fields, 0.0) | {"positions": (), "without_history": (), "without_rate": ()}
    return Figures(**{**zero, **fields})


def states(watch, limits, *grosses):
    return [[s.state for s in watch.judge("a", limits, figures(gross=g), {}, 1)] for g in grosses]


def test_states_rise_at_the_bound_and_fall_below_it():
    # 5.2: warned at 80 %, breached at the bound, back below 95 % of where it rose.
    told = states(Watch(), Limits(gross=100.0), 10, 79.9, 80, 76.1, 75.9, 100, 95.1, 94.9, 99.9, 100, 0)
    assert told == [[], [], [WARNING], [], [OK], [BREACH], [], [WARNING], [], [BREACH], [OK]]


def test_every_kind_of_limit():
    limits = Limits(gross=1, net=1, var=1, es=1, loss=1, concentration=0.5, positions={"A": 1})
    found = figures(gross=1.0, net=-1.0, var=1.0, es=1.0, pnl=-1.0, concentration=0.5)
    told = Watch().judge("a", limits, found, {"A": -1.0}, 1)
    assert {s.judged.limit for s in told if s.state == BREACH} == {
        "gross", "net", "var", "es", "loss", "concentration", "position A"
    }  # fmt: skip
    assert Watch().judge("a", limits, figures(pnl=5.0), {}, 1) == []


def test_a_figure_not_known_leaves_its_limit_and_a_limit_that_is_gone_ends():
    watch = Watch()
    watch.judge("a", Limits(var=1), figures(var=2.0), {}, 1)
    assert watch.judge("a", Limits(var=1), figures(var=None), {}, 2) == []
    assert [s.state for s in watch.breaches()] == [BREACH]
    assert [s.state for s in watch.judge("a", None, figures(var=2.0), {}, 3)] == [OK]
    assert watch.standings == {}


def test_a_file_is_read(tmp_path):
    # 5.1
    path = tmp_path / "limits.yaml"
    path.write_text(
        "limits: {'*': {gross: 5_000_000}, a: {var: 1.5, on_breach: block}, a/7: {es: 2}}\nentitlements: {a: {X: false}}"
    )
    found = read_limits(path)
    assert (found.of("a").var, found.of("b").gross, found.of("a/7").es, found.of("b/7")) == (
        1.5,
        5e6,
        2.0,
        None,
    )
    assert found.entitlements == {"a": {"X": False}}
    path.write_text("")
    assert read_limits(path).limits == {}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("limits: {a: {gross: 0}}", "the limit gross must be above 0 and finite, was 0"),
        ("limits: {a: {var: .nan}}", "the limit var must be above 0"),
        ("limits: {a: {positions: {X: -1}}}", "the limit X must be above 0"),
        ("limits: {a: {warn: 2}}", "warn must be a share"),
        ("limits: {a: {grosss: 1}}", "unknown field"),
        ("limits: {a: {on_breach: shout}}", "Invalid enum value 'shout'"),
        ("limits: [", "is not: "),
        ("other: 1", "unknown field"),
        ("entitlements: {a: {X: 3}}", "Expected `bool`"),
    ],
)
def test_files_that_cannot_be(tmp_path, text, sentence):
    path = tmp_path / "limits.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"must be limits in YAML") as caught:
        read_limits(path)
    assert sentence in str(caught.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_limits(tmp_path)
