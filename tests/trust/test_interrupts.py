"""Ctrl-C at a few moments of each phase; and the attack notices who leaves something wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from qwen3_mlx.chat import Conversation
from qwen3_mlx.generation.prefix import Prefix
from qwen3_mlx.text.pieces import Message
from tests.trust import interrupts, moments
from tests.trust.interrupts import HOW, PHASES, Attack, Trial, drawn
from tests.trust.played import ALL_BUT_CALLS, KINDS, Scenario

MODELS = ("tiny", "tiny-dense")
SMALL = Scenario("tiny-dense", "small budget", 1, saved=False, ahead=False, reading=False)
"""A turn of which every trial of this file takes little time."""

IN_ANSWER = Trial(
    SMALL,
    how="interrupt",
    phase=moments.ANSWER,
    share=0.5,
    rare=False,
    later=1,
    held=True,
    ahead=False,
    racing=False,
)


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Attack:
    """With what it has found out about `SMALL`, before anything is doctored."""
    attacked = Attack(tmp_path_factory.mktemp("attacked"))
    attacked.whole(SMALL)
    return attacked


@pytest.mark.parametrize("phase", ALL_BUT_CALLS)
def test_ctrl_c_in_each_phase(attacked: Attack, phase: str) -> None:
    scenario = replace(SMALL, reading=phase == moments.READING_AHEAD)
    for rare in (False, True):
        trial = replace(IN_ANSWER, scenario=scenario, phase=phase, rare=rare)
        outcome = attacked.run(trial)
        assert (outcome.wrong, outcome.phase) == ("", phase)
        assert outcome.place


@pytest.mark.parametrize("how", sorted({*HOW}))
def test_every_kind_of_interrupt(attacked: Attack, how: str) -> None:
    assert attacked.run(replace(IN_ANSWER, how=how, ahead=True)).wrong == ""


def test_a_turn_that_begins_while_another_thread_reads_ahead(attacked: Attack) -> None:
    for share in (0.0, 0.01):
        trial = replace(IN_ANSWER, phase=moments.PREFILL, share=share, rare=True, racing=True)
        assert attacked.run(trial).wrong == ""


def test_trials_are_drawn_alike_again_and_of_all_kinds() -> None:
    trials = [drawn(number, 0, MODELS) for number in range(400)]
    assert trials == [drawn(number, 0, MODELS) for number in range(400)]
    assert {trial.phase for trial in trials} == {*PHASES}
    assert {trial.how for trial in trials} == {*HOW}
    assert {trial.scenario.kind for trial in trials} == {*KINDS}


def other_numbers(prefix: Prefix) -> None:
    for layer in prefix.cache:
        keys, values = layer.buffers
        layer.give_back(keys, 1.5 * values, layer.offset)


def another_id(prefix: Prefix) -> None:
    prefix.ids[-1] += 1


def an_id_less(prefix: Prefix) -> None:
    del prefix.ids[-3:]


def less_in_the_cache(prefix: Prefix) -> None:
    prefix.cache[-1].rewind(len(prefix.ids) - 1)


@pytest.mark.parametrize(
    ("damage", "wrong"),
    [
        (other_numbers, "other numbers in the cache"),
        (another_id, "ids that are none of this turn's"),
        (an_id_less, "ids, not"),
        (less_in_the_cache, "less in the cache than noted"),
    ],
)
def test_a_doctored_cache_is_noticed(
    attacked: Attack,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[Prefix], None],
    wrong: str,
) -> None:
    def doctored(chat: Conversation) -> bool:
        """Comes first when a trial is judged."""
        damage(chat._prefix)
        return True

    monkeypatch.setattr(interrupts, "is_exact", doctored)
    assert wrong in attacked.run(IN_ANSWER).wrong


@pytest.mark.parametrize(
    ("times", "wrong"), [(0, "the turn is lost"), (2, "the turn is kept in another form")]
)
def test_a_turn_that_is_lost_or_kept_twice_is_noticed(
    attacked: Attack, monkeypatch: pytest.MonkeyPatch, times: int, wrong: str
) -> None:
    keep = Conversation._keep

    def kept(chat: Conversation, turn: list[Message]) -> None:
        for _ in range(times if "17" in str(turn[0]["content"]) else 1):
            keep(chat, turn)

    monkeypatch.setattr(Conversation, "_keep", kept)
    assert attacked.run(IN_ANSWER).wrong == wrong


def test_another_next_turn_is_noticed(attacked: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    """By who forgets to go back to what the next prompt shares."""
    monkeypatch.setattr(Prefix, "recall", lambda prefix, ids: len(prefix.ids))
    assert attacked.run(replace(IN_ANSWER, scenario=SMALL)).wrong
