"""Every scenario holds on the reference engine and on the compiled one, and every rule has a scenario or a test.

Method: run each text scenario, compare its events and books line by line, then both engines' state hashes.
"""

import re
from pathlib import Path

import pytest

from tradsys.core import Engine
from tradsys.sim.reference_engine import ReferenceEngine
from tradsys.sim.scenario import Runner, ScenarioError, parse

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(Path(__file__).parent.glob("*.scenario"))
SCENARIOS = [scenario for path in FILES for scenario in parse(path)]
IDS = [f"{scenario.path.stem}-{scenario.name}" for scenario in SCENARIOS]


def rules_of_the_book() -> list[str]:
    text = (ROOT / "protocols" / "RULEBOOK.md").read_text()
    return re.findall(r"^- \*\*(\d+\.\d+)\*\*", text, re.MULTILINE)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=IDS)
def test_scenario_on_the_reference(scenario):
    Runner(ReferenceEngine).run(scenario).check()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=IDS)
def test_scenario_on_the_compiled_engine(scenario):
    engine = Runner(Engine).run(scenario)
    engine.check()
    assert engine.state_hash() == Runner(ReferenceEngine).run(scenario).state_hash()


def test_every_rule_is_named_by_a_scenario_or_a_test():
    named = {rule for scenario in SCENARIOS for rule in scenario.rules}
    for path in (ROOT / "tests").rglob("*.py"):
        for mention in re.findall(r"\brules? ((?:\d+\.\d+(?:, | and )?)+)", path.read_text(), re.IGNORECASE):
            named |= set(re.findall(r"\d+\.\d+", mention))
    missing = [rule for rule in rules_of_the_book() if rule not in named]
    assert not missing, f"rules that no scenario and no test names: {missing}"


def test_scenarios_name_rules_that_exist():
    rules = set(rules_of_the_book())
    unknown = {(s.name, rule) for s in SCENARIOS for rule in s.rules if rule not in rules}
    assert not unknown
    assert all(scenario.rules for scenario in SCENARIOS), "a scenario without a rule"


def test_scenario_names_are_unique():
    assert len(set(IDS)) == len(IDS)


WRONG = {
    "an event too many": "A1 new a buy 5 @ 10\n> accepted a 5 @ 10 RESTS\n> rested a left 5 @ 10 RESTS",
    "an event too few": "A1 new a buy 5 @ 10",
    "another kind": "A1 new a buy 5 @ 10\n> rejected a BAD_SIDE",
    "another price": "A1 new a buy 5 @ 10\n> accepted a 5 @ 11 RESTS",
    "a flag too few": "A1 new a buy 5 @ 10\n> accepted a 5 @ 10",
    "a field": "A1 new a buy 5 @ 10\n> accepted a 5 @ 10 RESTS account_id=3",
    "an argument left out": "A1 new a buy 5 @ 10\n> accepted a RESTS",
    "the book": "A1 new a buy 5 @ 10\n> accepted a 5 @ 10 RESTS\nbids -",
    "the order in a level": (
        "A1 new a buy 5 @ 10\n> accepted a 5 @ 10 RESTS\nA1 new b buy 5 @ 10\n> accepted b 5 @ 10 RESTS\n"
        "bids 10: b=5 a=5"
    ),
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG.keys())
def test_the_runner_sees_what_does_not_hold(text, tmp_path):
    path = tmp_path / "wrong.scenario"
    path.write_text(f"== wrong [1.1]\n{text}\n")
    with pytest.raises(ScenarioError, match=r"wrong\.scenario:\d"):
        Runner(ReferenceEngine).run(parse(path)[0])
