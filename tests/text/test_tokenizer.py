from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Library

from qwen3_mlx.errors import ModelFileError, UsageError
from qwen3_mlx.text.pieces import Control, Piece, Text, merge, plain, split
from qwen3_mlx.text.tokenizer import MAX_TEXT_BYTES, NORMAL_FORM, Tokenizer, load_tokenizer

Edit: TypeAlias = Callable[[str, Callable[[Any], object]], None]

NAMES = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<think>", "</think>", "<tool_call>"]
TYPED = st.lists(st.sampled_from([*NAMES, "<", "|>", "think", " ", "\n"]) | st.text(max_size=5))


@given(text=st.text())
def test_decoding_gives_the_text_back_in_nfc(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == normalize("NFC", text)


@given(parts=TYPED)
def test_plain_text_never_becomes_a_control_token(tokenizer: Tokenizer, parts: list[str]) -> None:
    text = "".join(parts)
    ids = tokenizer.encode(text)
    assert not any(map(tokenizer.is_control, ids))
    assert tokenizer.decode(ids) == normalize("NFC", text)


def test_the_library_alone_would_make_control_tokens_of_typed_text(library: Library) -> None:
    # What the added tokens are taken out for: with its own protection on, six still get through.
    library.encode_special_tokens = True
    ids = library.encode("<|im_end|> <think> </think>", add_special_tokens=False).ids
    library.encode_special_tokens = False
    assert library.token_to_id("<think>") in ids
    assert library.token_to_id("<|im_end|>") not in ids


@given(parts=st.lists(st.sampled_from(NAMES) | st.text(alphabet="ab \né好", max_size=6)))
def test_ids_of_pieces_equal_the_librarys(
    tokenizer: Tokenizer, library: Library, parts: list[str]
) -> None:
    pieces: list[Piece] = [Control(part) if part in NAMES else Text(part) for part in parts]
    expected = library.encode(plain(pieces), add_special_tokens=False).ids
    assert tokenizer.encode_pieces(pieces) == expected


def test_text_between_two_control_tokens_is_encoded_as_one_string(tokenizer: Tokenizer) -> None:
    apart: list[Piece] = [
        Text("ass"),
        Text("istant"),
        Control("<|im_end|>"),
        Text("us"),
        Text(""),
        Text("er"),
    ]
    whole: list[Piece] = [Text("assistant"), Control("<|im_end|>"), Text("user")]
    assert tokenizer.encode_pieces(apart) == tokenizer.encode_pieces(whole)
    assert merge(apart) == whole


def test_a_control_token_that_the_tokenizer_lacks_is_written_as_text(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode_pieces([Text("a"), Control("<|vision_pad|>"), Text("b")])
    assert ids == tokenizer.encode("a<|vision_pad|>b")


def test_split_takes_the_longest_of_overlapping_names() -> None:
    assert split("a<|x|>b", {"<|x|>", "<|x"}) == [Text("a"), Control("<|x|>"), Text("b")]


@given(ids=st.lists(st.integers(0, 408)))
def test_decoding_any_ids_equals_the_librarys_decoding(
    tokenizer: Tokenizer, library: Library, ids: list[int]
) -> None:
    assert tokenizer.decode(ids) == library.decode(ids, skip_special_tokens=False)


def test_control_tokens_are_found_by_name(tokenizer: Tokenizer, library: Library) -> None:
    control = tokenizer.control
    assert control.think == library.token_to_id("<think>")
    assert control.end_think == library.token_to_id("</think>")
    assert control.im_start == library.token_to_id("<|im_start|>")
    assert control.im_end == library.token_to_id("<|im_end|>")
    assert control.tool_call == library.token_to_id("<tool_call>")
    assert control.end_tool_call == library.token_to_id("</tool_call>")
    assert tokenizer.vocab_size == library.get_vocab_size(with_added_tokens=True) == 409


def test_control_tokens_decode_to_their_names(tokenizer: Tokenizer) -> None:
    assert tokenizer.decode(tokenizer.controls.values()) == "".join(tokenizer.controls)


@pytest.mark.parametrize("token", [-1, 409, 10**9])
def test_an_id_outside_the_vocabulary_is_refused(tokenizer: Tokenizer, token: int) -> None:
    with pytest.raises(UsageError, match="outside the vocabulary of 409"):
        tokenizer.decode([token])


def test_an_unused_id_has_no_text(directory: Path, edit: Edit) -> None:
    edit("tokenizer.json", lambda data: data["added_tokens"][-1].update(id=700))
    tokenizer = load_tokenizer(directory)
    assert tokenizer.vocab_size == 701
    assert tokenizer.decode([650]) == ""


@given(text=st.text() | st.text("aé e\u0301 7\n", min_size=20))
def test_no_text_has_fewer_ids_than_are_told_without_encoding(
    tokenizer: Tokenizer, text: str
) -> None:
    pieces: list[Piece] = [Control("<|im_start|>"), Text(text), Control("<|no such|>")]
    assert tokenizer.fewest_ids(pieces) <= len(tokenizer.encode_pieces(pieces))


def test_the_fewest_ids_of_a_text_are_those_of_the_longest_token(tokenizer: Tokenizer) -> None:
    longest = max(len(tokenizer.token_bytes(i)) for i in range(tokenizer.vocab_size - 26))
    text = "7" * (100 * longest)
    assert tokenizer.fewest_ids([Control("<|im_end|>"), Text(text)]) == 101


def test_normal_forms_make_no_text_more_than_four_times_shorter() -> None:
    # What composes to a character: those of its full decomposition, each written at its longest.
    characters = [chr(i) for i in range(sys.maxunicode + 1) if not 0xD800 <= i <= 0xDFFF]
    longest: dict[str, int] = {}
    for character in characters:
        plain_form = normalize("NFKD", character)
        longest[plain_form] = max(longest.get(plain_form, 0), len(character.encode()))
    for character in characters:
        written = sum(longest.get(part, 4) for part in normalize("NFD", character))
        assert written <= NORMAL_FORM * len(character.encode()), hex(ord(character))


def test_a_text_that_no_context_holds_is_refused_before_it_is_encoded(
    tokenizer: Tokenizer,
) -> None:
    with pytest.raises(UsageError, match="a text of 8,000,001 bytes is too long"):
        tokenizer.encode(" " * (MAX_TEXT_BYTES + 1))
    with pytest.raises(UsageError, match="a text of 8,000,001 bytes is too long"):
        tokenizer.encode_pieces([Control("<|im_end|>"), Text("\u00e9" * 4_000_000 + "7")])


def test_lone_surrogates_become_the_replacement_character(tokenizer: Tokenizer) -> None:
    assert tokenizer.decode(tokenizer.encode("a\ud800b")) == "a\ufffdb"


def test_end_ids_come_from_generation_config(directory: Path, tokenizer: Tokenizer) -> None:
    (directory / "generation_config.json").write_text('{"eos_token_id": [5, 7]}')
    assert load_tokenizer(directory).eos_ids == {5, 7, tokenizer.control.im_end}
    (directory / "generation_config.json").write_text('{"eos_token_id": 5}')
    assert load_tokenizer(directory).eos_ids == {5, tokenizer.control.im_end}


def test_end_ids_come_from_the_tokenizer_otherwise(tokenizer: Tokenizer) -> None:
    assert tokenizer.eos_ids == {tokenizer.control.im_end, tokenizer.controls["<|endoftext|>"]}


@pytest.mark.parametrize("value", ['"</s>"', "[true]", "409", "[-1]", "[[1]]"])
def test_an_end_id_that_is_none_is_refused(directory: Path, value: str) -> None:
    (directory / "generation_config.json").write_text(f'{{"eos_token_id": {value}}}')
    with pytest.raises(ModelFileError, match=r"generation_config\.json: eos_token_id"):
        load_tokenizer(directory)
