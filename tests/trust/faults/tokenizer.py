"""Faults of the tokenizer."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any, TypeAlias

from tests.damage import Fault
from tests.trust.faults.edits import (
    GENERATION,
    TOKENIZER,
    TOKENIZER_CONFIG,
    Damage,
    both,
    bytes_of,
    content,
    edited,
    fields,
    removed,
    without,
)

FILE = r"tokenizer\.json"
OTHER = "is not the file"
Faults: TypeAlias = dict[str, Fault]

BYTES = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}


def model(**values: object) -> Damage:
    return edited(TOKENIZER, lambda data: data["model"].update(values))


def vocabulary(change: Callable[[dict[str, Any]], object]) -> Damage:
    return edited(TOKENIZER, lambda data: change(data["model"]["vocab"]))


def merges(change: Callable[[list[Any]], object]) -> Damage:
    return edited(TOKENIZER, lambda data: change(data["model"]["merges"]))


def added(change: Callable[[list[Any]], object]) -> Damage:
    return edited(TOKENIZER, lambda data: change(data["added_tokens"]))


def cut_by(step: dict[str, object]) -> Damage:
    steps = {"type": "Sequence", "pretokenizers": [step, BYTES]}
    return fields(TOKENIZER, pre_tokenizer=steps)


def pattern(regex: str) -> dict[str, object]:
    return {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}


def shuffle(vocab: dict[str, Any]) -> None:
    """Every id in use, by another token."""
    ids = list(vocab.values())
    random.Random(0).shuffle(ids)
    vocab.update(zip(vocab, ids, strict=True))


SMALL = (TOKENIZER, TOKENIZER_CONFIG, GENERATION)


def each(what: str, make: Callable[[bytes], bytes], said: str = "is not valid JSON") -> Faults:
    """The same fault for every small file in JSON."""
    return {f"{name} {what}": (content(name, make), f"{re.escape(name)} {said}") for name in SMALL}


def begun(more: bytes) -> Callable[[bytes], bytes]:
    """An object with more at its beginning."""
    return lambda data: data[:1] + more + data[1:]


JSON: Faults = (
    each("without a byte", lambda _: b"")
    | each("cut off", lambda data: data[:-20])
    | each("that is a list", lambda _: b"[]", "holds no JSON object")
    | each("that is not UTF-8", begun(b'"\xff":1,'))
    | each("with NaN", begun(b'"x":NaN,'))
    | each("with a key twice", begun(b'"x":1,"x":1,'))
    | each("with half a character", begun(b'"x":"\\ud800",'))
    | each("nested without end", lambda _: b"[" * 10**5)
    | each("of a million lists", begun(b'"x":[' + b"[]," * 10**6 + b"[]],"), "holds more than")
    | each("of 20 MB", lambda data: data + b" " * 20_000_000, "is larger than")
)

MODEL: dict[str, Fault] = {
    "no tokenizer": (removed(TOKENIZER), "has no tokenizer"),
    "no tokenizer but bytes for sentencepiece": (
        both(removed(TOKENIZER), bytes_of("tokenizer.model", b"\x0a\xff\xff\xff\x0f" * 9)),
        r"tokenizer\.model",
    ),
    "no tokenizer but an empty one for sentencepiece": (
        both(removed(TOKENIZER), bytes_of("tokenizer.model", b"")),
        r"tokenizer\.model",
    ),
    "no model": (without(TOKENIZER, "model"), f"{FILE} has no model"),
    "no decoder": (without(TOKENIZER, "decoder"), f"{FILE} has no model or no decoder"),
    "a model of another kind": (model(type="WordPiece"), f"{FILE} holds a WordPiece"),
    "a decoder of another kind": (
        fields(TOKENIZER, decoder={"type": "Metaspace"}),
        f"{FILE} holds a BPE model with a Metaspace",
    ),
    "no vocabulary": (model(vocab=None), f"{FILE} has no vocabulary"),
    "a vocabulary without a token": (model(vocab={}), f"{FILE} lacks 256"),
    "a vocabulary that is a list": (model(vocab=["a"]), f"{FILE} has no vocabulary"),
    "an id that is a fraction": (vocabulary(lambda v: v.update(a=1.5)), f"{FILE} has no vocab"),
    "an id below nothing": (vocabulary(lambda v: v.update(a=-1)), f"{FILE} has no vocabulary"),
    "an id of 2^40": (vocabulary(lambda v: v.update(a=2**40)), f"{FILE} has no vocabulary"),
    "an id past the model": (vocabulary(lambda v: v.update(a=1600)), f"{FILE} has ids up to"),
    "an id of two tokens": (vocabulary(lambda v: v.update(a=v["b"])), f"{FILE} gives one id"),
    "an id of a control token": (vocabulary(lambda v: v.update(a=1538)), f"{FILE} gives one id"),
    "a byte less": (vocabulary(lambda v: v.pop("a")), f"{FILE} lacks 1 of the 256 bytes"),
    "a token of other letters": (vocabulary(lambda v: v.update({"中": 1599})), "not byte-level"),
    "no merges": (model(merges=None), f"{FILE} has no list of merges"),
    "a merge of three": (merges(lambda m: m.append(["a", "b", "c"])), f"{FILE} has a bad merge"),
    "a merge that is a number": (merges(lambda m: m.append(7)), f"{FILE} has a bad merge"),
    "a merge of what is no token": (
        merges(lambda m: m.append(["q", "qq"])),
        f"{FILE} is not a usable tokenizer",
    ),
    "a merge of half a character": (
        merges(lambda m: m.append(["\ud800", "a"])),
        f"{FILE} is not valid JSON",
    ),
    "bytes instead of unknown letters": (model(byte_fallback=True), "not used"),
    "tokens dropped at random": (model(dropout=0.9), "not used"),
}

ADDED: dict[str, Fault] = {
    "no added tokens": (without(TOKENIZER, "added_tokens"), f"{FILE} has no list of added"),
    "added tokens that are text": (fields(TOKENIZER, added_tokens="x"), f"{FILE} has no list"),
    "an added token that is text": (added(lambda a: a.append("x")), f"{FILE} has a bad"),
    "an added token without an id": (added(lambda a: a[2].pop("id")), f"{FILE} has a bad"),
    "an added token of no letters": (added(lambda a: a[9].update(content="")), f"{FILE} has a bad"),
    "an added token twice": (added(lambda a: a.append({**a[0], "id": 1599})), f"{FILE} has a bad"),
    "two added tokens with one id": (added(lambda a: a[9].update(id=1538)), f"{FILE} gives one id"),
    "an added token of half a character": (
        added(lambda a: a.append({"content": "\ud800", "id": 1599})),
        f"{FILE} is not valid JSON",
    ),
    "an added token past the model": (
        added(lambda a: a.append({"content": "<x>", "id": 1600})),
        f"{FILE} has ids up to 1600, the model only 1600 rows",
    ),
    "an added token of a million letters": (
        added(lambda a: a.append({"content": "x" * 10**6, "id": 1599})),
        FILE,
    ),
}

STEPS: dict[str, Fault] = {
    f"a normalizer: {step.get('type')}": (
        fields(TOKENIZER, normalizer=step),
        f"{FILE} has a normalizer that is not supported",
    )
    for step in (
        {"type": "Lowercase"},
        {"type": "Replace", "pattern": {"String": " "}, "content": ""},
        {"type": "Prepend", "prepend": "x"},
        {"type": "Precompiled", "precompiled_charsmap": "AAAA"},
        {"type": "Sequence", "normalizers": [{"type": "Strip"}]},
    )
} | {
    f"a pre-tokenizer: {what}": (damage, f"{FILE} (has a pre-tokenizer|is not a usable)")
    for what, damage in {
        "none": fields(TOKENIZER, pre_tokenizer=None),
        "Whitespace": fields(TOKENIZER, pre_tokenizer={"type": "Whitespace"}),
        "a space before all": fields(
            TOKENIZER, pre_tokenizer={"type": "ByteLevel", "add_prefix_space": True}
        ),
        "a cut that drops": cut_by(pattern(r"\s+") | {"behavior": "Removed"}),
        "a pattern that is none": cut_by(pattern("(")),
        "a pattern that takes for ever": cut_by(pattern("(?=(.+)+@)x")),
        "a pattern within a pattern": cut_by({"type": "Sequence", "pretokenizers": []}),
        "digits, to be decided": cut_by({"type": "Digits"}),
    }.items()
}

IGNORED: dict[str, Fault] = {
    "text cut at four tokens": (
        fields(
            TOKENIZER,
            truncation={
                "max_length": 4,
                "stride": 0,
                "strategy": "LongestFirst",
                "direction": "Right",
            },
        ),
        "not used",
    ),
    "a token before every text": (
        fields(TOKENIZER, post_processor={"type": "TemplateProcessing", "single": [], "x": 1}),
        "not used",
    ),
    "an end token that is a number": (fields(TOKENIZER_CONFIG, eos_token=7), "not used"),
    "an end token that is not known": (
        edited(TOKENIZER_CONFIG, lambda config: config.update({"eos_token": "<x>"})),
        "not used",
    ),
    "no settings": (removed(TOKENIZER_CONFIG), "not used"),
}

PLAUSIBLE: dict[str, Fault] = {
    "tokens that have changed places": (vocabulary(shuffle), f"{FILE} {OTHER}"),
    "merges the other way round": (merges(lambda m: m.reverse()), f"{FILE} {OTHER}"),
    "no merge": (model(merges=[]), f"{FILE} {OTHER}"),
    "no thoughts": (added(lambda a: a.__delitem__(slice(-2, None))), f"{FILE} {OTHER}"),
    "beginning and end exchanged": (
        added(lambda a: (a[1].update(id=1538), a[2].update(id=1537))),
        f"{FILE} {OTHER}",
    ),
    "no end of a message": (added(lambda a: a.pop(2)), f"{FILE} {OTHER}"),
}
