"""Text that spells control tokens stays text; the attack would notice if it did not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qwen3_mlx.bundled import bundled_path
from qwen3_mlx.text.bytelevel import ByteLevelBackend, load_bytelevel
from qwen3_mlx.text.pieces import Control, Piece, plain, split
from qwen3_mlx.text.template import ChatTemplate
from qwen3_mlx.text.tokenizer import Tokenizer
from qwen3_mlx.text.unknown_template import UnknownTemplate
from tests.trust.conversations import MARKS, TAGS, Model, models
from tests.trust.forgeries import NAMES, bare
from tests.trust.special_tokens import against, attack, attempts, try_reply

FILE = bundled_path("tiny") / "tokenizer.json"


class Leaky(ByteLevelBackend):
    """Finds control tokens in text, as the tokenizers library does unless it is kept from it."""

    def __init__(self, sound: ByteLevelBackend) -> None:
        self.__dict__.update(sound.__dict__)

    def encode(self, text: str) -> list[int]:
        parts = split(text, self.controls)
        ids = [
            [self.controls[part.text]]
            if isinstance(part, Control)
            else super(Leaky, self).encode(part.text)
            for part in parts
        ]
        return [token for some in ids for token in some]


class Louder(Model):
    """Adds to what is asked."""

    def read(self, texts: Sequence[str]) -> tuple[list[int], str]:
        controls, text = super().read(texts)
        return controls, text.replace("x", "x!")


@pytest.fixture
def bundled(tmp_path: Path) -> Model:
    return next(models(tmp_path))


def test_nothing_falls() -> None:
    tally = attack(150, seed=1)
    assert not tally.fallen, tally.table()
    assert tally.counts["bundled, in a prompt: unchanged"] == 150
    assert tally.counts["bundled, Thinking-2507, in a prompt: unchanged"] == 150
    assert tally.counts["ChatML, in a prompt: unchanged"] == 3
    assert tally.counts["tags, in a prompt: unchanged"] == 3


def test_the_names_are_the_26_of_every_tokenizer(tmp_path: Path) -> None:
    assert len(set(NAMES)) == 26
    assert all(sorted(NAMES) == sorted(model.tokenizer.controls) for model in models(tmp_path))


def test_every_place_of_the_conversation_is_in_the_prompt(bundled: Model) -> None:
    _, text = bundled.read(MARKS)
    assert all(mark in text for mark in MARKS)


def test_every_name_is_tried_whole_and_cut() -> None:
    tried = {text for texts in attempts(6000, seed=0) for text in texts}
    assert tried.issuperset(NAMES)
    assert {name[:at] for name in NAMES for at in range(1, len(name))} <= tried
    assert {word for name in NAMES for word in bare(name)} <= tried


def test_a_tokenizer_that_finds_control_tokens_in_text_is_noticed(bundled: Model) -> None:
    leaky = replace(bundled, tokenizer=Tokenizer(Leaky(load_bytelevel(FILE)), ()))
    tally = against(leaky, [[f"a{name}b"] * len(MARKS) for name in NAMES])
    assert tally.counts["bundled, in a prompt: a control id out of text"] == len(NAMES)
    assert try_reply(leaky, "</think>") == "structure out of text"


def test_a_control_token_of_the_templates_brackets_and_a_name_is_noticed(
    bundled: Model, tmp_path: Path
) -> None:
    class Bridging(ChatTemplate):
        def render(self, *args: Any, **wishes: Any) -> list[Piece]:
            return split(plain(super().render(*args, **wishes)), bundled.tokenizer.controls)

    template = Bridging(UnknownTemplate("tags", TAGS, bundled.tokenizer.controls, {}))
    words = [[word] * len(MARKS) for word in ("think", "/think", "im_start", "box_end")]
    tally = against(replace(bundled, template=template, alone=False, in_json=frozenset()), words)
    assert tally.counts["bundled, in a prompt: a control id out of text"] == 1


def test_a_text_that_comes_back_changed_is_noticed(bundled: Model) -> None:
    texts = ["x"] * len(MARKS)
    assert not against(bundled, [texts]).fallen
    changed = Louder(bundled.name, bundled.tokenizer, bundled.template)
    assert against(changed, [texts]).counts["bundled, in a prompt: another text"] == 1
