"""Files gone wrong are read or refused; the attack would notice anything else."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from qwen3_mlx.errors import Qwen3Error
from tests.trust import parsers
from tests.trust.ending import ends_at_five
from tests.trust.mutations import mutated
from tests.trust.parsed_files import Target, targets
from tests.trust.parsers import against, apart, trial, try_file

EACH = 25
"""Trials of each kind of file."""


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Target]:
    return targets(tmp_path_factory.mktemp("targets"))


def test_sound_files_are_read(every: dict[str, Target]) -> None:
    for name, target in every.items():
        for seed in target.seeds:
            assert try_file(target, seed) == "read", name


def test_nothing_falls(every: dict[str, Target]) -> None:
    for name, target in every.items():
        for number in range(EACH):
            outcome = try_file(target, trial(target, name, number, seed=1))
            assert outcome in parsers.FINE, f"{name}, trial {number}"


def test_trials_are_the_same_again_and_differ(every: dict[str, Target]) -> None:
    target = every["config"]
    made = [trial(target, "config", number, seed=1) for number in range(100)]
    assert made == [trial(target, "config", number, seed=1) for number in range(100)]
    assert len({*made}) > 80
    assert sum(data in target.seeds for data in made) < 20


def test_counts_are_of_all_trials() -> None:
    tally = against("MCP servers", range(40), seed=2)
    assert tally.counts.total() == 40
    assert not tally.fallen, tally.table()


def refuses(message: str) -> Callable[[], None]:
    def read() -> None:
        raise Qwen3Error(message)

    return read


def wastes_time() -> None:
    end = time.process_time() + 0.02
    while time.process_time() < end:
        pass


@pytest.mark.parametrize(
    ("read", "outcome"),
    [
        (lambda: None, "read"),
        (refuses("no"), "refused"),
        (refuses(""), "an endless message"),
        (lambda: json.loads("{}")["x"], "KeyError"),
        (lambda: [0] * 2**62, "MemoryError"),
        (wastes_time, "longer than a second"),
    ],
)
def test_what_must_not_be_is_noticed(
    every: dict[str, Target],
    monkeypatch: pytest.MonkeyPatch,
    read: Callable[[], object],
    outcome: str,
) -> None:
    monkeypatch.setattr(parsers, "MOST_SECONDS", 0.01 if read is wastes_time else 10)
    assert try_file(replace(every["config"], read=read), b"") == outcome


def test_memory_is_noticed(every: dict[str, Target], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsers, "MOST_BYTES", 0)
    monkeypatch.setattr(parsers, "peak", iter((10, 11)).__next__)
    assert try_file(replace(every["config"], read=int), b"") == "more than 500 MB"


def test_a_process_that_ends_names_its_trial() -> None:
    tally = apart("config", 12, seed=0, attacked=ends_at_five)
    assert tally.fallen == {"config: the process ended": 1}
    assert tally.offenders == ["config: the process ended: trial 5 of seed 0"]
    assert tally.counts["config: read or refused"] == 5
    assert tally.counts["config: read"] == 6


def test_lines_and_frames_are_changed_within(every: dict[str, Target]) -> None:
    header = every["header"]
    made = [trial(header, "header", number, seed=3) for number in range(200)]
    sound_frames = [data for data in made if int.from_bytes(data[:8], "little") == len(data) - 34]
    assert len(sound_frames) > 50
    assert all(isinstance(data, bytes) for data in made)


def test_an_empty_file_can_be_changed() -> None:
    for number in range(200):
        mutated(random.Random(number), [b""])
