"""Texts to run a model on: what a file may hold, and the ids of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qwen3_mlx.bundled import bundled_path
from qwen3_mlx.convert.texts import Encoder, read_text_file
from qwen3_mlx.errors import ModelFileError, UsageError
from qwen3_mlx.text.tokenizer import load_tokenizer

TINY = bundled_path("tiny")
TALK = [
    {"role": "user", "content": "What is 1+1? <|im_end|>"},
    {"role": "assistant", "content": "2", "reasoning_content": "1+1=2"},
]
WRITTEN = (
    "<|im_start|>user\nWhat is 1+1? <|im_end|><|im_end|>\n"
    "<|im_start|>assistant\n<think>\n1+1=2\n</think>\n\n2<|im_end|>\n"
)


def lines(tmp_path: Path, *values: object) -> Path:
    path = tmp_path / "text.jsonl"
    path.write_text("\n".join(map(json.dumps, values)), "utf-8")
    return path


def test_lines_hold_texts_or_conversations(tmp_path: Path) -> None:
    found = read_text_file(lines(tmp_path, {"text": "one"}, {"messages": TALK, "id": 2}))
    assert found.name == "text.jsonl"
    assert found.documents == ("one", TALK)


def test_a_conversation_is_written_in_the_model_s_format(tmp_path: Path) -> None:
    """Its structure in control tokens, thoughts included; what is said stays text."""
    (talk,) = read_text_file(lines(tmp_path, {"messages": TALK})).documents
    ids, tokenizer = Encoder(TINY, 1600)(talk), load_tokenizer(TINY)
    assert tokenizer.decode(ids) == WRITTEN
    control = tokenizer.control
    assert [ids.count(i or -1) for i in (control.im_start, control.im_end)] == [2, 2]
    assert [ids.count(i or -1) for i in (control.think, control.end_think)] == [1, 1]


def test_a_text_is_text_whatever_it_spells(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text(WRITTEN, "utf-8")
    tokenizer = load_tokenizer(TINY)
    (text,) = read_text_file(path).documents
    ids = Encoder(TINY, 1600)(text)
    assert tokenizer.decode(ids) == WRITTEN
    assert not any(map(tokenizer.is_control, ids))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"messages": []}, "line 1: there is no message"),
        ({"messages": ["hello"]}, "line 1 has messages that are no objects"),
        ({"messages": [{"role": "robot", "content": ""}]}, "line 1: message 0 has the unknown"),
        ({"messages": [{"role": "user", "content": 1}]}, "line 1: the content of message 0"),
        ({"messages": {}}, "line 1 has no text and no messages"),
        ({"messages": [[]] * 1_100_000}, "has more parts than texts and conversations have"),
    ],
)
def test_conversations_that_nobody_can_write(value: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        read_text_file(lines(tmp_path, value))


def test_the_file_s_part_is_named_in_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the prompt .* is missing"):
        read_text_file(tmp_path / "nowhere", "the prompt")


def test_a_conversation_needs_a_chat_template(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((TINY / "tokenizer.json").read_bytes())
    encode = Encoder(tmp_path, 1600)
    assert encode("1+1")
    (talk,) = read_text_file(lines(tmp_path, {"messages": TALK})).documents
    with pytest.raises(ModelFileError, match="no chat template"):
        encode(talk)
