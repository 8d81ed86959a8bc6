"""The short form: every parser reads its corpus and some bodies made of it, the same each time."""

from itertools import islice

import pytest

from billing.reading.sniff import HEAD_BYTES, kind_of
from tests.fuzz.mutator import bodies
from tests.fuzz.targets import CORPUS, RECORDS, TARGETS

BODIES, LONGEST = 50, 2_000
KINDS = {"parameter", "xml", "json", "form", "ami", "kamailio_log", "csv"}


@pytest.mark.parametrize("name", TARGETS)
def test_a_parser_reads_or_refuses_whatever_it_gets(name: str) -> None:
    target = TARGETS[name]
    corpus = target.corpus()
    for body in (*corpus, *islice(bodies(corpus, seed=11, longest=LONGEST), BODIES)):
        try:
            target.parse(body)
        except target.refusals:
            continue


def test_every_parser_has_a_corpus_of_small_files_and_every_format_is_in_one() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 200_000
    found = {kind_of(body[:HEAD_BYTES]) for name in RECORDS for body in TARGETS[name].corpus()}
    assert found == KINDS
