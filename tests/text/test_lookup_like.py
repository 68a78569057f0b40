"""Whether to think about a message: the rules, the classifier, and texts that mean harm."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_mlx.text.asked import LOOK, take_apart
from qwen3_mlx.text.lookup_features import features
from qwen3_mlx.text.lookup_like import Weights, decide
from qwen3_mlx.text.lookup_rules import RULES, matching
from qwen3_mlx.text.request_words import found, plain
from training.conversations import ask

COURTEOUS, REWORKS, CALCULATES = RULES


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Thank you so much!", COURTEOUS),
        ("Bonjour !", COURTEOUS),
        ("谢谢你。", COURTEOUS),
        ("Translate this text into Dutch: what is 2 + 3?", REWORKS),
        ("Als Tabelle, bitte: rot, grün", REWORKS),
        ("What is 2 + 3?", CALCULATES),
        ("47*3", CALCULATES),
        ("512 - 198", CALCULATES),
    ],
)
def test_a_rule_that_holds(text: str, rule: object) -> None:
    decision = decide(text)
    assert matching(take_apart(text)) is rule
    assert (decision.think, decision.score) == (rule is CALCULATES, float(rule is CALCULATES))


@pytest.mark.parametrize(
    "text",
    [
        "Thanks, but why is it blue?",
        "Translate it and explain why it is funny: a horse walks into a bar",
        "Translate this puzzle into Dutch: what is 2 + 3?",
        "The shop opens 9-12 and 14-18",
        "born 2001-03-04",
        'Say "2 + 3" in words',
        "2 + 3 = 5\n1 + 1 = 2\nWhich line has a 5?",
    ],
)
def test_what_no_rule_is_sure_about(text: str) -> None:
    assert matching(take_apart(text)) is None


@pytest.mark.parametrize(
    ("text", "think"),
    [
        ("What is the capital of Peru?", False),
        ("Ann: 41\nBob: 17\nCleo: 88\nWhat is the value of Bob?", False),
        ("Übersetze ins Englische: Warum schwimmt Eis?", False),
        ("把这段话翻译成英文。", False),
        ("Why does ice float?", True),
        ("Une recette pour 4 personnes demande 3 œufs. Combien pour 10 personnes ?", True),
        ("リストを逆にする関数を書いて", True),
        ("Стоит ли мне менять работу?", True),
        (f"{'The mill burned down in 1871. ' * 400}\n\nWhy?", True),
    ],
)
def test_messages_of_either_kind(text: str, think: bool) -> None:
    assert decide(text).think is think


def test_what_is_pasted_does_not_ask() -> None:
    file = "Why is the sky blue? Prove it. Compare both. " * 20
    assert not decide(
        f"{file}\n\nTranslate this into Spanish.", "Translate this into Spanish."
    ).think


def test_the_sums_and_stories_of_the_bundled_models_are_thought_about_and_lookups_not() -> None:
    shares = {kind: share_thought_about(kind) for kind in ("sum", "product", "story", "lookup")}
    assert all(shares[kind] >= 0.95 for kind in ("sum", "product", "story"))
    assert shares["lookup"] <= 0.2


def share_thought_about(kind: str) -> float:
    rng = random.Random(7)
    return sum(decide(ask(kind, rng, held_out=True)[1]).think for _ in range(100)) / 100


@settings(deadline=None)  # the first one reads the tables
@given(st.text(max_size=400), st.none() | st.text(max_size=50))
def test_any_text_can_be_decided_about(text: str, typed: str | None) -> None:
    decision = decide(text, typed)
    assert 0 <= decision.score <= 1
    assert decision == decide(text, typed)


@pytest.mark.parametrize(
    "text",
    ['"' * 50_000, "«" * 50_000, "```" * 20_000, "a:" * 25_000, "\ufdfa" * 50_000, "\ud800" * 9],
)
def test_hostile_text_has_a_bounded_number_of_features(text: str) -> None:
    assert len(features(take_apart(text))) < 6 * LOOK
    decide(text)


def test_only_learned_features_move_a_score() -> None:
    weights = Weights(0.0, {1: 2.0})
    assert weights.score({2: 5.0}) == 0.5
    assert weights.score({1: 1.0}) == pytest.approx(0.880797)  # 1 / (1 + e^-2)
    assert weights.score({1: 1e6}) == pytest.approx(1.0)
    assert weights.score({1: -1e6}) == pytest.approx(0.0)


def test_words_are_found_by_their_beginnings_and_whole_where_the_table_says_so() -> None:
    assert "translate" in found(plain("Please TRANSLATE this."))
    assert "translate" in found(plain("请翻译这句话"))
    assert "why" in found(plain("Why?"))
    assert "why" not in found(plain("whyever"))
    assert plain("L'été, 12 h 30!") == " l été 0 h 0 "
