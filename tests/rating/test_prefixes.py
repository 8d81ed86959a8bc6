"""The longest prefix of a number is found, and nothing else."""

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.prefixes import PrefixTable

DIGITS = st.text("0123", max_size=7)  # few digits, so that prefixes overlap


def test_the_longest_prefix_wins() -> None:
    table = PrefixTable({"3": "zone 3", "34": "Spain", "3491": "Madrid", "349": "landline"})
    assert table.find("34911234567") == "Madrid"
    assert table.find("34921234567") == "landline"
    assert table.find("34600000000") == "Spain"
    assert table.find("39061234567") == "zone 3"


def test_a_number_without_a_prefix_is_not_found() -> None:
    table = PrefixTable({"34": "Spain", "3491": "Madrid"})
    assert table.find("4420") is None
    assert table.find("3") is None
    assert table.find("") is None
    assert list(table.find_all("4420")) == []


def test_the_empty_prefix_matches_everything_else() -> None:
    table = PrefixTable({"": "anything", "3491": "Madrid"})
    assert table.find("") == "anything"
    assert table.find("4420") == "anything"
    assert table.find("34911234567") == "Madrid"


def test_all_prefixes_come_longest_first() -> None:
    table = PrefixTable({"34": "Spain", "3491": "Madrid", "349": "landline", "44": "Britain"})
    assert list(table.find_all("34911234567")) == ["Madrid", "landline", "Spain"]
    assert list(table.find_all("34")) == ["Spain"]


def test_an_empty_table_finds_nothing() -> None:
    table: PrefixTable[str] = PrefixTable({})
    assert table.find("34911234567") is None
    assert len(table) == 0


def test_the_length_of_a_table_is_its_number_of_prefixes() -> None:
    assert len(PrefixTable({"34": "Spain", "3491": "Madrid"})) == 2


@settings(deadline=None)  # no deadline on a busy machine
@given(prefixes=st.sets(DIGITS, max_size=20), number=DIGITS)
def test_a_table_finds_what_trying_every_prefix_finds(prefixes: set[str], number: str) -> None:
    table = PrefixTable({prefix: prefix for prefix in prefixes})
    naive = sorted((p for p in prefixes if number.startswith(p)), key=len, reverse=True)
    assert list(table.find_all(number)) == naive
    assert table.find(number) == (naive[0] if naive else None)
