"""A few wrong files in the place of saved prompts; and the attack notices who takes them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from qwen3_mlx.checkpoint import prompt_file
from tests.trust.cache_kinds import CHANGES, DAMAGES
from tests.trust.wrong_caches import (
    Victim,
    attack_at_random,
    attack_by,
    attack_with,
    make_victim,
)

SOME = ("another version", "another dtype", "another layer count", "a page of zeros", "empty")


@pytest.fixture
def victim(tmp_path: Path) -> Victim:
    """A model that saved two blocks."""
    victim = make_victim(tmp_path / "victim")
    assert len(victim.files) == 2
    return victim


def test_there_are_more_than_twelve_kinds() -> None:
    assert len(DAMAGES) + len(CHANGES) > 12


def test_some_kinds_are_refused_and_rebuilt(victim: Victim) -> None:
    for name in SOME:
        tally = attack_with(victim, name, DAMAGES[name])
        assert tally.offenders == []
        assert tally.counts.total() == 2


def test_another_tokenizer_is_another_model(victim: Victim, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(victim.model, other)
    CHANGES["another tokenizer"](other)
    tally = attack_by(victim, "another tokenizer", other, tmp_path / "cache")
    assert tally.offenders == []
    assert tally.counts.total() == 3


def test_no_damage_at_random_is_taken(victim: Victim) -> None:
    tally = attack_at_random(victim, 100, seed=1)
    assert tally.offenders == []
    assert tally.counts.total() == 100


def test_who_takes_damaged_files_is_noticed(
    victim: Victim, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without looking at the checksum."""
    monkeypatch.setattr(prompt_file, "_digest", lambda *_: "")
    assert attack_with(victim, "a flipped bit", DAMAGES["a flipped bit"]).fallen
    assert attack_at_random(victim, 20, seed=1).fallen
