"""Tokenizer files that are damaged, of another kind, or not to be trusted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from qwen3_mlx.errors import ModelFileError, UnsupportedModelError
from qwen3_mlx.text.tokenizer import Tokenizer, load_tokenizer

Edit: TypeAlias = Callable[[str, Callable[[Any], object]], None]


def test_a_tokenizer_of_another_model_is_refused(directory: Path) -> None:
    assert load_tokenizer(directory, vocab_size=409).vocab_size == 409
    with pytest.raises(ModelFileError, match=r"tokenizer\.json has ids up to 408.* only 408 rows"):
        load_tokenizer(directory, vocab_size=408)


def test_a_missing_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"neither tokenizer\.json nor tokenizer\.model"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe{}", b"[" * 100_000])
def test_a_file_that_is_no_json_object_is_refused(directory: Path, content: bytes) -> None:
    (directory / "tokenizer.json").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"tokenizer\.json"):
        load_tokenizer(directory)


def test_a_folder_in_place_of_the_file_is_refused(directory: Path) -> None:
    (directory / "tokenizer.json").unlink()
    (directory / "tokenizer.json").mkdir()
    with pytest.raises(ModelFileError, match="not a regular file"):
        load_tokenizer(directory)


DAMAGES: dict[str, tuple[Callable[[Any], object], str]] = {
    "no model": (lambda data: data.pop("model"), "no model or no decoder"),
    "no decoder": (lambda data: data.pop("decoder"), "no model or no decoder"),
    "no vocabulary": (lambda data: data["model"].pop("vocab"), "no vocabulary"),
    "no merges": (lambda data: data["model"].pop("merges"), "no list of merges"),
    "no added tokens": (lambda data: data.pop("added_tokens"), "no list of added_tokens"),
    "negative id": (lambda data: data["model"]["vocab"].update(a=-1), "no vocabulary"),
    "huge id": (lambda data: data["model"]["vocab"].update(a=2**40), "no vocabulary"),
    "text id": (lambda data: data["model"]["vocab"].update(a="1"), "no vocabulary"),
    "true id": (lambda data: data["model"]["vocab"].update(a=True), "no vocabulary"),
    "same id twice": (lambda data: data["model"]["vocab"].update(a=7), "one id to two tokens"),
    "id of an added token": (
        lambda data: data["added_tokens"][0].update(id=7),
        "one id to two tokens",
    ),
    "added id twice": (
        lambda data: data["added_tokens"][0].update(id=data["added_tokens"][1]["id"]),
        "one id to two added tokens",
    ),
    "added token twice": (
        lambda data: data["added_tokens"][0].update(content="<think>"),
        "bad or repeated added token",
    ),
    "nameless added token": (
        lambda data: data["added_tokens"][0].update(content=""),
        "bad or repeated added token",
    ),
    "added token that is none": (
        lambda data: data["added_tokens"].append(3),
        "bad or repeated added token",
    ),
    "missing byte": (lambda data: data["model"]["vocab"].pop("Ā"), "lacks 1 of the 256 bytes"),
    "foreign character": (
        lambda data: data["model"]["vocab"].update({"好": 5000}),
        "not byte-level",
    ),
    "merge of three": (lambda data: data["model"]["merges"].append(["a", "b", "c"]), "bad merge"),
    "merge of numbers": (lambda data: data["model"]["merges"].append([1, 2]), "bad merge"),
    "merge of unknown tokens": (
        lambda data: data["model"]["merges"].append(["zq", "qz"]),
        "merges 'zq' and 'qz', and one of them or the result is no token",
    ),
    "merge to an unknown token": (
        # longer than every token: the library panics
        lambda data: data["model"]["merges"].append([max(data["model"]["vocab"], key=len)] * 2),
        "or the result is no token",
    ),
    "broken switch": (
        lambda data: data["pre_tokenizer"]["pretokenizers"][1].update(use_regex="no"),
        "not a usable",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_by_name(directory: Path, edit: Edit, damage: str) -> None:
    change, message = DAMAGES[damage]
    edit("tokenizer.json", change)
    with pytest.raises(ModelFileError, match=message) as caught:
        load_tokenizer(directory)
    assert "tokenizer.json" in caught.value.message


UNSUPPORTED: dict[str, tuple[Callable[[Any], object], str]] = {
    "unigram": (lambda data: data["model"].update(type="Unigram"), "only byte-level BPE"),
    "another decoder": (lambda data: data["decoder"].update(type="Fuse"), "only byte-level BPE"),
    "replacing text": (
        lambda data: data.update(
            normalizer={"type": "Replace", "pattern": {"String": "a"}, "content": "b"}
        ),
        "normalizer that is not supported: .*Replace",
    ),
    "a panic in the library": (
        lambda data: data.update(
            normalizer={"type": "Sequence", "normalizers": [{"type": "Precompiled"}]}
        ),
        "normalizer that is not supported: .*Precompiled",
    ),
    "a kind that is no name": (
        lambda data: data.update(normalizer={"type": {}}),
        "normalizer that is not supported",
    ),
    "a sequence of nothing": (
        lambda data: data.update(normalizer={"type": "Sequence"}),
        "normalizer that is not supported",
    ),
    "dropping spaces": (
        lambda data: data["pre_tokenizer"]["pretokenizers"].insert(0, {"type": "Whitespace"}),
        "pre-tokenizer that is not supported: .*Whitespace",
    ),
    "dropping what it cuts at": (
        lambda data: data["pre_tokenizer"]["pretokenizers"][0].update(behavior="Removed"),
        "pre-tokenizer that is not supported: .*Split",
    ),
    "a pattern that is none": (
        lambda data: data["pre_tokenizer"]["pretokenizers"][0].update(pattern={"Regex": "("}),
        "pre-tokenizer that is not supported: .*Split",
    ),
    "a pattern that takes for ever, or a panic": (
        lambda data: data["pre_tokenizer"]["pretokenizers"][0].update(
            pattern={"Regex": "(?=(.+)+@)x"}
        ),
        "pre-tokenizer that is not supported: .*Split",
    ),
    "no bytes at the end": (
        lambda data: data["pre_tokenizer"]["pretokenizers"].pop(),
        "pre-tokenizer that is not supported: .*Split",
    ),
    "a space before text": (
        lambda data: data["pre_tokenizer"]["pretokenizers"][1].update(add_prefix_space=True),
        "pre-tokenizer that is not supported: .*ByteLevel",
    ),
    "no pre-tokenizer": (
        lambda data: data.pop("pre_tokenizer"),
        "pre-tokenizer that is not supported: None",
    ),
    "a pre-tokenizer that is none": (
        lambda data: data["pre_tokenizer"]["pretokenizers"].insert(0, "Split"),
        "pre-tokenizer that is not supported: 'Split'",
    ),
}


@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_another_kind_of_tokenizer_is_refused(directory: Path, edit: Edit, kind: str) -> None:
    change, message = UNSUPPORTED[kind]
    edit("tokenizer.json", change)
    with pytest.raises(UnsupportedModelError, match=message) as caught:
        load_tokenizer(directory)
    assert "tokenizer.json" in caught.value.message


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.pop("normalizer"),
        lambda data: data.update(normalizer={"type": "Sequence", "normalizers": []}),
        lambda data: data["pre_tokenizer"]["pretokenizers"].insert(
            0, {"type": "Digits", "individual_digits": True}
        ),
        lambda data: data.update(pre_tokenizer=data["pre_tokenizer"]["pretokenizers"][1]),
    ],
)
def test_other_harmless_steps_load(
    directory: Path, edit: Edit, change: Callable[[Any], object]
) -> None:
    edit("tokenizer.json", change)
    tokenizer = load_tokenizer(directory)
    assert tokenizer.decode(tokenizer.encode("the fox 123 好 é")) == "the fox 123 好 é"


def test_text_is_never_cut_padded_or_encoded_by_chance(
    directory: Path, edit: Edit, tokenizer: Tokenizer
) -> None:
    truncation = {"max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    edit("tokenizer.json", lambda data: data.update(truncation=truncation))
    edit("tokenizer.json", lambda data: data["model"].update(dropout=0.9))
    text = "The quick brown fox jumps over the lazy dog."
    assert load_tokenizer(directory).encode(text) == tokenizer.encode(text)


def test_merges_of_older_files_load(directory: Path, edit: Edit, tokenizer: Tokenizer) -> None:
    edit(
        "tokenizer.json",
        lambda data: data["model"].update(merges=[" ".join(m) for m in data["model"]["merges"]]),
    )
    text = "The quick brown fox 你好"
    assert load_tokenizer(directory).encode(text) == tokenizer.encode(text)


@pytest.mark.parametrize("ignore_merges", [False, True])
def test_a_control_token_in_the_vocabulary_is_out_of_reach(
    directory: Path, edit: Edit, ignore_merges: bool
) -> None:
    """Trainers put their special tokens into the vocabulary, and merges could build them."""

    def enter(data: dict[str, Any]) -> None:
        model = data["model"]
        ids = {entry["content"]: entry["id"] for entry in data["added_tokens"]}
        model["vocab"] |= ids | {"<t": 800, "<th": 801, "<think": 802}
        model["merges"] += [["<", "t"], ["<t", "h"], ["<th", "ink"], ["<think", ">"]]
        model["vocab"].setdefault("ink", 803)
        model["merges"] = [["i", "n"], ["in", "k"], *model["merges"]]
        model["ignore_merges"] = ignore_merges
        data["pre_tokenizer"] = data["pre_tokenizer"]["pretokenizers"][1]

    edit("tokenizer.json", enter)
    tokenizer = load_tokenizer(directory)
    ids = tokenizer.encode("<think>")
    assert tokenizer.control.think not in ids
    assert tokenizer.decode(ids) == "<think>"


def test_the_config_may_name_the_end_token_in_an_object(directory: Path, edit: Edit) -> None:
    edit("tokenizer_config.json", lambda data: data.update(eos_token={"content": "<think>"}))
    tokenizer = load_tokenizer(directory)
    assert tokenizer.control.think in tokenizer.eos_ids


def test_loading_reads_no_code(directory: Path, edit: Edit, tokenizer: Tokenizer) -> None:
    edit("tokenizer_config.json", lambda data: data.update(auto_map={"AutoTokenizer": "evil.py"}))
    (directory / "evil.py").write_text(f"raise SystemExit({json.dumps(str(directory))})")
    assert load_tokenizer(directory).encode("a") == tokenizer.encode("a")
