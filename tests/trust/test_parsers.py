"""Files gone wrong are read or refused; the attack would notice anything else."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qwen3_mlx.errors import Qwen3Error
from tests.trust import reading
from tests.trust.apart import apart
from tests.trust.ending import ends_at_five, fails
from tests.trust.mutations import mutated
from tests.trust.parsed_files import targets
from tests.trust.parsers import against, trial
from tests.trust.reading import FINE, try_file
from tests.trust.target import Target

EACH = 20
"""Trials of each kind of file."""


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Target]:
    return targets(tmp_path_factory.mktemp("targets"))


@pytest.fixture(autouse=True)
def no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time is measured in the long run alone."""
    monkeypatch.setattr(reading, "MOST_SECONDS", float("inf"))


def test_sound_files_are_read(every: dict[str, Target]) -> None:
    for name, target in every.items():
        for seed in target.seeds:
            assert try_file(target, seed).outcome == "read", name


def test_nothing_falls(every: dict[str, Target]) -> None:
    for name, target in every.items():
        for number in range(EACH):
            outcome = try_file(target, trial(target, name, number, seed=1), 3 * number).outcome
            assert outcome in FINE, f"{name}, trial {number}"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)


@given(data=st.data(), value=JSON, choice=st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_falls_with_values_that_hypothesis_makes(
    every: dict[str, Target], data: st.DataObject, value: object, choice: random.Random
) -> None:
    """In place of the whole, or of one part that the file has; a failure is made small."""
    name = data.draw(st.sampled_from([*every]))
    try:
        document = json.loads(choice.choice(every[name].seeds))
    except ValueError:
        document = {}
    if isinstance(document, dict) and document:
        value = {**document, choice.choice([*document]): value}
    assert try_file(every[name], json.dumps(value).encode()).outcome in FINE


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
    assert [*tally.figures] == ["MCP servers: the most"]


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
    ],
)
def test_what_must_not_be_is_noticed(
    every: dict[str, Target], read: Callable[[], object], outcome: str
) -> None:
    assert try_file(replace(every["config"], read=read), b"").outcome == outcome


def test_time_is_noticed(every: dict[str, Target], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_SECONDS", 0.01)
    found = try_file(replace(every["config"], read=wastes_time), b"")
    assert (found.outcome, found.seconds >= 0.02) == ("longer than a second", True)


def test_memory_is_noticed_also_where_more_was_used_before(
    every: dict[str, Target], monkeypatch: pytest.MonkeyPatch
) -> None:
    """60 MB each time, of which the second is no new peak of the process."""
    monkeypatch.setattr(reading, "MOST_BYTES", 50 * 10**6)
    target = replace(every["config"], read=lambda: b"x" * 60_000_000)
    found = [try_file(target, b"") for _ in range(2 if reading.CLEAR.exists() else 1)]
    assert {read.outcome for read in found} == {"more than 500 MB"}
    assert all(50e6 < read.nbytes < 70e6 for read in found)


def test_what_ends_a_process_is_named_and_the_rest_is_tried() -> None:
    tally = apart("config", 12, seed=0, attacked=ends_at_five)
    assert tally.fallen == {
        "config: the process ended": 1,
        "config: never came back": 1,
        "config: KeyError": 1,
    }
    assert sorted(tally.offenders) == [
        "config: KeyError: trial 3 of seed 0",
        "config: never came back: trial 8 of seed 0",
        "config: the process ended: trial 5 of seed 0",
    ]
    assert tally.counts["config: read"] == 9


def test_an_attack_that_fails_is_no_trial() -> None:
    with pytest.raises(RuntimeError, match="the attack on config failed at trial 0 of seed 0"):
        apart("config", 3, seed=0, attacked=fails)


def test_lines_and_frames_are_changed_within(every: dict[str, Target]) -> None:
    header = every["header"]
    made = [trial(header, "header", number, seed=3) for number in range(200)]
    sound_frames = [data for data in made if int.from_bytes(data[:8], "little") == len(data) - 34]
    assert len(sound_frames) > 50


def test_each_kind_of_fault_is_made(every: dict[str, Target]) -> None:
    """Keys twice, no JSON numbers, halves of characters, depth, length."""
    target = every["config"]
    made = [trial(target, "config", number, seed=4) for number in range(3000)]
    assert any(data.count(b'"vocab_size"') == 2 for data in made)
    for text in (b"NaN", b"1e999", b"\\ud800", b"[" * 900, b'{"a":' * 100_000, b"9" * 5000):
        assert any(text in data for data in made), text[:20]
    assert sum(len(data) > 50_000 for data in made) > 5


def test_an_empty_file_can_be_changed() -> None:
    for number in range(200):
        mutated(random.Random(number), [b""])
