"""Vectors from the test suites of other billing systems have the same cost here."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.rating import vectors

VECTORS = Path(__file__).parent / "rating-vectors.json"
MINUTE: dict[str, Any] = {
    "id": "own/minute",
    "kind": "rate",
    "tariff": {
        "rounding": {"method": "half_up", "decimals": 4},
        "bands": [
            {
                "name": "all day",
                "tiers": [
                    {"from_seconds": 0, "rate": "0.02", "unit_seconds": 60, "increment_seconds": 1}
                ],
            }
        ],
    },
    "call": {"answered_at": "2026-01-05T10:00:00Z", "duration_seconds": 60},
    "expected_cost": "0.02",
}
PREFIX = {
    "id": "own/prefix",
    "prefixes": ["34", "3491"],
    "number": "34911234567",
    "expected_prefix": "3491",
}


def run(path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run a file of vectors; return the exit status."""
    monkeypatch.setattr(sys, "argv", ["vectors", str(path)])
    return vectors.main()


def test_every_vector_passes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(VECTORS, monkeypatch) == 0, capsys.readouterr().out
    assert capsys.readouterr().out.endswith(" passed, 0 failed\n")


def test_a_file_that_agrees_ends_with_status_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own.json"
    own.write_text(json.dumps({"vectors": [MINUTE], "prefix_vectors": [PREFIX]}))
    assert run(own, monkeypatch) == 0
    assert capsys.readouterr().out == "2 passed, 0 failed\n"


def test_a_mismatch_is_a_line_and_exit_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own.json"
    wrong = MINUTE | {"id": "own/wrong", "expected_cost": "0.0198"}
    broken = MINUTE | {"id": "own/broken", "call": {}}
    missed = PREFIX | {"id": "own/missed", "expected_prefix": "34"}
    own.write_text(
        json.dumps({"vectors": [MINUTE, wrong, broken], "prefix_vectors": [PREFIX, missed]})
    )
    assert run(own, monkeypatch) == 1
    assert capsys.readouterr().out.splitlines() == [
        "own/wrong: 0.02 instead of 0.0198",
        "own/broken: KeyError('answered_at')",
        "own/missed: 3491 instead of 34",
        "2 passed, 3 failed",
    ]
