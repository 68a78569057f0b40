"""A checkpoint that has only a sentencepiece model, behind the same interface."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from qwen3_mlx.errors import ModelFileError
from qwen3_mlx.text.parser import ReplyParser
from qwen3_mlx.text.pieces import Control, Piece, Text, split
from qwen3_mlx.text.tokenizer import Tokenizer, load_tokenizer

WORDS = [
    *("the", "quick", "brown", "fox", "jumps", "over", "lazy", "dogs"),
    *("while", "we", "think", "about", "user", "and", "assistant"),
]
TYPED = ["<think>", "</think>", "<tool_call>", "<|im_end|>", "<|im_start|>", "</s>", "\n", " "]


def train(**options: Any) -> bytes:
    choice = random.Random(7)
    lines = [" ".join(choice.choices(WORDS, k=8)) for _ in range(300)]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*lines, "你好 é 👍"] * 2),
        model_writer=model,
        vocab_size=400,
        model_type="bpe",
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        control_symbols=["<|im_start|>", "<|im_end|>"],
        user_defined_symbols=["<think>", "</think>", "\n"],
        hard_vocab_limit=False,
        minloglevel=9,
        **options,
    )
    return model.getvalue()


@pytest.fixture(scope="session")
def model() -> bytes:
    return train()


@pytest.fixture
def folder(model: bytes, tmp_path: Path) -> Path:
    (tmp_path / "tokenizer.model").write_bytes(model)
    return tmp_path


@pytest.fixture(scope="session")
def spm(model: bytes, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    path = tmp_path_factory.mktemp("spm")
    (path / "tokenizer.model").write_bytes(model)
    return load_tokenizer(path)


@given(parts=st.lists(st.sampled_from([*TYPED, *WORDS]) | st.text(max_size=4)))
def test_text_comes_back_and_makes_no_control_token(spm: Tokenizer, parts: list[str]) -> None:
    text = "".join(parts).replace("▁", "")
    ids = spm.encode(text)
    assert spm.decode(ids) == text
    assert not any(map(spm.is_control, ids))


def test_sentencepiece_alone_would_make_control_tokens_of_typed_text(model: bytes) -> None:
    alone = sentencepiece.SentencePieceProcessor(model_proto=model)
    assert alone.piece_to_id("<think>") in alone.encode("<think>")


@given(text=st.text(alphabet=st.sampled_from("ab the\né好👍"), max_size=20))
def test_ids_equal_sentencepieces(spm: Tokenizer, model: bytes, text: str) -> None:
    alone = sentencepiece.SentencePieceProcessor(model_proto=model)
    assert spm.encode(text) == alone.encode(text)
    assert spm.decode(spm.encode(text)) == alone.decode(alone.encode(text))


def test_control_tokens_are_pieces_with_their_own_ids(spm: Tokenizer, model: bytes) -> None:
    alone = sentencepiece.SentencePieceProcessor(model_proto=model)
    for name in ("<think>", "</think>", "<|im_start|>", "<|im_end|>"):
        assert spm.controls[name] == alone.piece_to_id(name)
        assert spm.decode([spm.controls[name]]) == name
    assert spm.control.think == alone.piece_to_id("<think>")
    assert spm.control.tool_call is None
    assert spm.eos_ids == {spm.control.im_end}
    assert spm.vocab_size == alone.get_piece_size()
    # Symbols that are only defined by the user stay text: this one is a newline.
    assert "\n" not in spm.controls


def test_prompts_and_replies(spm: Tokenizer) -> None:
    prompt: list[Piece] = [
        Control("<|im_start|>"),
        Text("user\nthink"),
        Control("<|im_end|>"),
        Text("\n"),
    ]
    ids = spm.encode_pieces(prompt)
    assert ids[0] == spm.control.im_start
    assert spm.decode(ids) == "<|im_start|>user\nthink<|im_end|>\n"
    parser = ReplyParser(spm)
    for token in spm.encode_pieces(split("<think>\nfox 👍\n</think>\n\nlazy 好", spm.controls)):
        parser.push(token)
    parser.flush()
    assert (parser.thinking, parser.answer) == ("fox 👍", "lazy 好")


def test_characters_stream_whole(spm: Tokenizer) -> None:
    text = "the fox 👩‍👩‍👧‍👦 مرحبا e\u0301"
    stream = spm.stream_decoder()
    pieces = [stream.push(token) for token in spm.encode(text)]
    assert "".join(pieces) + stream.flush() == text
    assert "\ufffd" not in "".join(pieces)


def test_a_model_without_a_leading_space(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(train(add_dummy_prefix=False))
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.decode(tokenizer.encode(" the")) == " the"
    assert tokenizer.decode(tokenizer.encode("the")) == "the"


def test_added_tokens_of_the_config(folder: Path, spm: Tokenizer) -> None:
    beyond = spm.vocab_size + 2
    named = {
        str(beyond): {"content": "<tool_call>"},
        str(spm.encode("fox")[0]): {"content": "▁fox"},
    }
    (folder / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": named}))
    tokenizer = load_tokenizer(folder)
    assert tokenizer.control.tool_call == beyond
    assert tokenizer.vocab_size == beyond + 1
    assert tokenizer.decode([beyond, beyond - 1]) == "<tool_call>"
    # A piece that the config calls an added token is out of reach of text.
    assert spm.encode("fox")[0] not in tokenizer.encode("fox")


@pytest.mark.parametrize(
    "added",
    [
        [],
        {"x": {"content": "a"}},
        {"-1": {"content": "a"}},
        {"9" * 5000: {"content": "a"}},
        {"300": {"content": ""}},
        {"300": {}},
        {"300": {"content": "not the piece of that id"}},
    ],
)
def test_bad_added_tokens_are_refused(folder: Path, added: object) -> None:
    config = json.dumps({"added_tokens_decoder": added or [1]})
    (folder / "tokenizer_config.json").write_text(config)
    with pytest.raises(ModelFileError, match=r"tokenizer"):
        load_tokenizer(folder)


@pytest.mark.parametrize(
    "damage",
    [
        lambda model: b"",
        lambda model: b"not a model",
        lambda model: model[: len(model) // 2],
        lambda model: b"\xff" * 100,
        lambda model: b"\x0a\xff\xff\xff\xff\x7f" + model,
        lambda model: b"\x0b" + model,
        lambda model: b"\x8a\x80\x80\x80\x80\x01\x00" + model,  # protobuf drops bit 35 of a tag
        lambda model: b"\x0a\x05\x0a\x01\xff\x18\x03" + model,  # a control piece: no UTF-8
        lambda model: b"\x0a\x03\x0a\x01\xff" * 2 + model,  # twice the piece FF: no UTF-8
    ],
)
def test_a_damaged_model_is_refused(folder: Path, model: bytes, damage: object) -> None:
    assert callable(damage)
    (folder / "tokenizer.model").write_bytes(damage(model))
    with pytest.raises(ModelFileError, match=r"tokenizer\.model is not a sentencepiece model"):
        load_tokenizer(folder)


def test_a_control_token_behind_another_name_is_one_too(folder: Path, model: bytes) -> None:
    """Of two texts of a piece protobuf takes the last."""
    plain = b"\x0a\x07<think>"
    assert model.count(plain) == 1
    at = model.index(plain) - 1  # the length of the piece
    hidden = bytes([model[at] + 4]) + b"\x0a\x02zz" + plain
    (folder / "tokenizer.model").write_bytes(model[:at] + hidden + model[at + 1 + len(plain) :])
    tokenizer = load_tokenizer(folder)
    think = tokenizer.control.think
    assert think is not None
    assert think not in tokenizer.encode("say <think>")
    assert tokenizer.decode(tokenizer.encode("say <think>")).endswith("say <think>")


def test_tokenizer_json_comes_first(model_files: Path, directory: Path, model: bytes) -> None:
    (directory / "tokenizer.model").write_bytes(model)
    assert load_tokenizer(directory).vocab_size == load_tokenizer(model_files).vocab_size
