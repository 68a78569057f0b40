"""The classifier of `--thinking auto`: its data, its training, and how often it is right."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from qwen3_mlx.text.lookup_like import WEIGHTS
from training.lookup_like import data
from training.lookup_like.regression import SEEN, fit
from training.lookup_like.table import judged
from training.lookup_like.weights_file import write_weights

HELD_OUT = data.read_examples(data.HELD_OUT)
DEVELOPMENT = data.read_examples(data.DEVELOPMENT)
LANGUAGES = {"en", "de", "fr", "es", "it", "pt", "ru", "zh", "ja"}


def test_the_stored_weights_are_right_as_often_as_the_card_says() -> None:
    right = sum(judged(HELD_OUT))
    card = (data.HERE / "DATA_CARD.md").read_text("utf-8")
    assert right / len(HELD_OUT) >= 0.92
    assert f"{right} of {len(HELD_OUT)}" in card


def test_the_held_out_messages_are_balanced_in_every_language() -> None:
    counts = Counter((example.language, example.think) for example in HELD_OUT)
    assert len(HELD_OUT) == 400
    assert {language for language, _ in counts} == LANGUAGES
    assert all(counts[one, True] == counts[one, False] >= 22 for one in LANGUAGES)


def test_no_held_out_message_was_trained_or_tuned_on() -> None:
    trained = {example.text for example in (*data.make_examples(), *DEVELOPMENT)}
    held_out = {example.text for example in HELD_OUT}
    assert len(held_out) == 400
    assert trained.isdisjoint(held_out)


def test_the_stored_weights_are_small_and_of_this_data() -> None:
    assert WEIGHTS.stat().st_size < 200_000
    assert json.loads(WEIGHTS.read_text("utf-8"))["trained_on"] == data.digest()


def test_training_examples_are_the_same_every_time_and_of_both_kinds_in_every_language() -> None:
    examples = data.make_examples()
    assert examples == data.make_examples()
    assert examples != data.make_examples(seed=2)
    counts = Counter((example.language, example.think) for example in examples)
    assert set(counts) == {(language, think) for language in LANGUAGES for think in (True, False)}
    assert not any(
        set("{}$") & set(example.text) for example in examples if "```" not in example.text
    )


def test_a_feature_of_one_kind_is_learned_and_a_rare_one_is_not() -> None:
    rows = [{1: 1.0, 3: 1.0}] * 20 + [{2: 1.0, 3: 1.0}] * 20 + [{4: 1.0}] * (SEEN - 1)
    labels = [True] * 20 + [False] * 20 + [True] * (SEEN - 1)
    weights = fit(rows, labels)
    assert weights.values[1] > 0.5 > -0.5 > weights.values[2]
    assert set(weights.values) == {1, 2, 3}
    assert weights == fit(rows, labels)


def test_weights_are_written_as_bytes_of_a_common_step(tmp_path: Path) -> None:
    path = tmp_path / "weights.json"
    weights = fit([{1: 1.0}, {2: 1.0}] * 9, [True, False] * 9)
    write_weights(path, weights, trained_on="x", examples=18)
    written = json.loads(path.read_text())
    assert (written["trained_on"], written["examples"]) == ("x", 18)
    assert written["step"] * 127 == pytest.approx(max(map(abs, weights.values.values())), rel=1e-6)


def test_slots_are_filled_and_alternatives_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sections = (
        "[noun]\nkey\n[person]\nAnn\n[clause]\nit rains\n[openers]\nHi,\n[closers]\nThanks.\n"
    )
    rest = (
        "[texts]\nA text.\n[lookup]\nWhere is the $noun?\n[think]\nWhy does {$person|$person} go?\n"
    )
    about = "[lookup about a text]\nWho?\n[think about a text]\n$Clause, so what?\n"
    (tmp_path / "xx.txt").write_text(sections + rest + about)
    monkeypatch.setattr(data, "SENTENCES", tmp_path)
    texts = [example.text.lower() for example in data.make_examples()]
    assert any("where is the key" in text for text in texts)
    assert any("why does ann go" in text for text in texts)
    assert any("it rains, so what" in text for text in texts)
