"""Goal: our dictionary is what the table says and QuickFIX can read; a broken one is refused with a clear sentence.

Method: read the generated file; spoil copies of it, and of the table it is made from.
"""

import sys
from pathlib import Path

import pytest

from tradsys.errors import InputError
from tradsys.fix.dictionary import Section, load

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import gen_fix_spec  # noqa: E402

PATH = ROOT / "fix_specs" / "TRADSYS-FIX44.xml"
OURS = load(PATH)
SMALL = """<fix type="FIX" major="4" minor="4" servicepack="0">
<header><field name="BeginString" required="Y"/>
<group name="NoHops" required="N"><field name="Hop" required="N"/></group></header>
<messages><message name="Order" msgtype="D" msgcat="app"><component name="Instrument" required="Y"/>
<component name="Parties" required="N"/><field name="Text" required="N"/></message></messages>
<trailer><field name="CheckSum" required="Y"/></trailer>
<components><component name="Instrument"><field name="Symbol" required="Y"/></component>
<component name="Parties"><group name="NoParties" required="Y"><field name="Party" required="Y"/>
<component name="Subs" required="N"/></group></component>
<component name="Subs"><group name="NoSubs" required="N"><field name="Sub" required="N"/></group></component></components>
<fields><field number="8" name="BeginString" type="STRING"/><field number="10" name="CheckSum" type="STRING"/>
<field number="55" name="Symbol" type="STRING"/><field number="58" name="Text" type="STRING"/>
<field number="448" name="Party" type="STRING"/><field number="453" name="NoParties" type="NUMINGROUP"/>
<field number="523" name="Sub" type="CHAR"><value enum="1" description="ONE"/></field>
<field number="802" name="NoSubs" type="NUMINGROUP"/>
<field number="627" name="NoHops" type="NUMINGROUP"/><field number="628" name="Hop" type="STRING"/></fields></fix>"""


def load_text(tmp_path, text):
    path = tmp_path / "dictionary.xml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def test_generated_files_are_what_the_table_says(capsys):
    assert gen_fix_spec.main(["--check"]) == 0, capsys.readouterr().err


def test_a_changed_generated_file_is_noticed(tmp_path, monkeypatch, capsys):
    (tmp_path / "out.md").write_text("edited by hand")
    monkeypatch.setattr(gen_fix_spec, "ROOT", tmp_path)
    monkeypatch.setattr(gen_fix_spec, "OUTPUTS", {"out.md": gen_fix_spec.write_tables})
    assert gen_fix_spec.main(["--check"]) == 1
    assert "out.md" in capsys.readouterr().err
    assert gen_fix_spec.main([]) == 0
    assert gen_fix_spec.main(["--check"]) == 0


def test_our_messages_are_those_of_the_rules_of_engagement():
    taken = {message.msg_type for message in gen_fix_spec.read_table().messages if message.is_taken}
    assert taken == {*"A012345DFGHqxg89rjyhefVWXYB", "AF", "AD", "AQ", "AE", "BE", "BF", "UL", "UM"}
    assert set(OURS.messages) == taken
    assert {msg_type for msg_type, message in OURS.messages.items() if message.is_admin} == set("A012345")
    assert OURS.begin_string == "FIX.4.4"


def test_our_header_and_trailer_are_whole():
    stock = {8, 9, 35, 49, 56, 115, 128, 90, 91, 34, 50, 142, 57, 143, 116, 144, 129, 145, 43, 97, 52, 122}
    assert set(OURS.header.by_tag) == stock | {212, 213, 347, 369, 627}
    assert OURS.header.all_tags - set(OURS.header.by_tag) == {628, 629, 630}
    assert OURS.header.required == [8, 9, 34, 35, 49, 52, 56]
    assert set(OURS.trailer.by_tag) == {93, 89, 10}
    assert OURS.trailer.required == [10]


@pytest.mark.parametrize(
    ("msg_type", "required"),
    [
        ("8", [6, 14, 17, 37, 39, 54, 55, 150, 151]),  # a client with the stock file enforces these
        ("9", [11, 37, 39, 41, 434]),
        ("r", [37, 530, 531]),
        ("D", [11, 40, 54, 55, 60]),
        ("0", []),
    ],
)
def test_our_required_fields(msg_type, required):
    assert OURS.messages[msg_type].body.required == required


def test_our_groups_have_their_delimiters():
    found = {}

    def walk(section: Section) -> None:
        for member in section.members:
            if member.group is not None:
                found[member.tag] = member.group.delimiter
                walk(member.group)

    for message in OURS.messages.values():
        walk(message.body)
    assert found == {
        453: 448, 386: 336, 136: 137, 267: 269, 580: 75, 552: 54, 33: 58, 5100: 5101, 268: 279, 146: 55,
    }  # fmt: skip
    assert OURS.messages["W"].body.by_tag[268].group.delimiter == 269


def test_names_of_tags_and_values():
    assert OURS.name_of(54) == "Side"
    assert OURS.value_name(54, "1") == "BUY"
    assert OURS.name_of(4242) == "4242"
    assert OURS.value_name(54, "z") == OURS.value_name(4242, "1") == ""


def test_components_and_nested_groups_are_resolved(tmp_path):
    small = load_text(tmp_path, SMALL)
    body = small.messages["D"].body
    assert [member.tag for member in body.members] == [55, 453, 58]
    assert body.required == [55]  # 453 is required in a component that is not
    party = body.by_tag[453].group
    assert party.delimiter == 448
    assert party.required == [448]
    assert party.by_tag[802].group.delimiter == 523
    assert body.all_tags == {55, 453, 58, 448, 802, 523}
    assert small.header.by_tag[627].group.members[0].tag == 628
    assert small.fields[523].values == {"1": "ONE"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("</fix>", "", "no FIX dictionary"),
        ("fix type", "fox type", "no FIX dictionary"),
        (' major="4"', "", "attribute major is missing"),
        ("messages>", "tidings>", "<messages> is missing or empty"),
        ('<field name="CheckSum" required="Y"/></trailer>', "</trailer>", "<trailer> is missing or empty"),
        ('number="58"', 'number="0"', "number must be a whole number from 1"),
        ('number="58"', 'number="x"', "number must be a whole number from 1"),
        ('number="58"', 'number="55"', "defined twice"),
        ('number="58" name="Text"', 'number="58" name="Symbol"', "defined twice"),
        ('number="58" name="Text" type="STRING"', 'number="58" name="Text"', "attribute type is missing"),
        ('<value enum="1"', "<value", "attribute enum is missing"),
        ('<field name="Text"', '<field name="Texts"', "Order: field Texts is not defined"),
        (
            '<component name="Subs" required="N"/>',
            '<component name="Sups"/>',
            "component Sups is not defined",
        ),
        ('<component name="Subs" required="N"/>', '<component name="Parties"/>', "nest at most"),
        ('<field name="Text" required="N"/>', '<value name="Text"/>', "was <value>"),
        ('<field name="Sub" required="N"/>', "", "group NoSubs has no members"),
        ('name="NoSubs" type="NUMINGROUP"', 'name="NoSubs" type="STRING"', "must be counted by NUMINGROUP"),
        ("</messages>", '<message name="B" msgtype="D"/></messages>', "message type D is defined twice"),
    ],
)
def test_a_broken_dictionary_is_refused(tmp_path, old, new, message):
    assert old in SMALL
    with pytest.raises(InputError, match=message):
        load_text(tmp_path, SMALL.replace(old, new))


def test_another_document_and_no_file_are_refused(tmp_path):
    with pytest.raises(InputError, match="root element is <fix>, was <fox>"):
        load_text(tmp_path, "<fox/>")
    with pytest.raises(InputError, match=r"missing\.xml: no FIX dictionary"):
        load(tmp_path / "missing.xml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\n54 Side CHAR |", "\n54 Side CHART |", "no type of FIX 4.4: CHART"),
        ("\n54 Side CHAR |", "\n54 Side CHAR", "a field is:"),
        ("\n54 Side CHAR |", "\n44 Side CHAR |", "tags go up"),
        ("\n54 Side CHAR |", "\n54 Price CHAR |", "field name used twice: Price"),
        ("  1=BUY 2=SELL", "  1=BUY 1=SELL", "value of Side used twice: 1"),
        ("  1=BUY 2=SELL", "  1 BUY 2=SELL", "values are value=NAME"),
        ("message D NewOrderSingle app in", "message D NewOrderSingle app up", "a message is:"),
        ("message D NewOrderSingle", "message F NewOrderSingle", "message type used twice: F"),
        ("    448 !\n    447", "    448\n    447", "it is required"),
        ("  453\n    448 !\n    447\n    452\n  1\n", "  453\n  1\n", "members stand below"),
        ("  107\n", "  9999\n", "9999"),
        ("  526\n  583\n", "  526\n  526\n", "tag of NewOrderSingle used twice: 526"),
        ("  526\n  583\n", "  526\n  583\n  97\n", "uses tags of the header"),
        ("  526\n  583\n", "      526\n  583\n", "indentation of 6 fits nothing above"),
        ("  526\n  583\n", "  526 yes\n  583\n", "a use is:"),
        ("93\n89\n", "89\n93\n", "data follows its length"),
        ("\n[trailer]\n", "\n[tail]\n", "no such section: 'tail'"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(tmp_path, old, new, message):
    text = gen_fix_spec.TABLE.read_text(encoding="utf-8")
    assert old in text
    spoiled = tmp_path / "TABLE.txt"
    spoiled.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(gen_fix_spec.TableError, match=message):
        gen_fix_spec.read_table(spoiled)


MORE = """<fix><messages><message name="Other" msgtype="D"><field name="Absent"/></message>
<message name="News" msgtype="B" msgcat="app"><component name="Lines" required="Y"/><field name="Text" required="N"/></message>
</messages><components><component name="Lines"><field name="Headline" required="Y"/></component></components>
<fields><field number="58" name="Different" type="INT"/><field number="148" name="Headline" type="STRING"/></fields></fix>"""


def test_a_supplement_adds_what_is_not_there(tmp_path):
    paths = tmp_path / "dictionary.xml", tmp_path / "more.xml"
    paths[0].write_text(SMALL)
    paths[1].write_text(MORE)
    both = load(*paths)
    assert {kind: message.name for kind, message in both.messages.items()} == {"D": "Order", "B": "News"}
    assert both.messages["B"].body.required == [148]
    assert (both.name_of(58), both.name_of(148)) == ("Text", "Headline")
    with pytest.raises(InputError, match="no FIX dictionary"):
        load(paths[0], tmp_path / "absent.xml")
