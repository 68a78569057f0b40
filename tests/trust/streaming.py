"""The attack on streamed text: ids at random, and every character that Unicode has.

Knows three other ways to the same text: the bytes of all ids decoded at once, the tokenizers
library's own decoder, and, for what is held back, the bytes up to each id decoded anew.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import filterfalse
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

from tokenizers import Tokenizer as Library
from tokenizers.normalizers import NFC

from qwen3_mlx.bundled import bundled_path
from qwen3_mlx.text.parser import ReplyParser
from qwen3_mlx.text.stream import StreamDecoder
from qwen3_mlx.text.tokenizer import Tokenizer, load_tokenizer
from tests import real_tokenizer
from tests.trust.tally import Tally, main

LONGEST = 48
"""Ids of a list."""

MOST_HELD_BACK = 3
"""Bytes: what may still become a character of four."""

HELD_BACK = "more than 3 bytes held back"

CODE_POINTS = (*range(0xD800), *range(0xE000, 0x110000))
AT_ONCE = 64
"""Characters of one text, when every character is tried."""

LENGTHS = (25_000, 50_000, 100_000, 200_000)
MOST_GROWTH = 2
"""How much more an id may take in a text eight times as long: cost that grows with the text would
make it eight."""


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer, ours and as the library has it."""

    name: str
    tokenizer: Tokenizer
    library: Library
    single: Sequence[int]
    """The ids of one byte each."""

    def ids(self, chance: random.Random) -> list[int]:
        """Some ids: any, or single bytes, or those of a text that is cut."""
        count = chance.randint(0, LONGEST)
        match chance.randrange(4):
            case 0:
                return [chance.randrange(self.tokenizer.vocab_size) for _ in range(count)]
            case 1:
                return [chance.choice(self.single) for _ in range(count)]
            case 2:
                text = "".join(chr(chance.choice(CODE_POINTS)) for _ in range(count // 4))
                return self.tokenizer.encode(text)[chance.randrange(3) :]
        rare = [*self.tokenizer.controls.values(), *self.single[-128:]]
        return [chance.choice(rare) for _ in range(count)]


def vocabularies(folder: Path) -> Iterator[Vocabulary]:
    """The bundled one, and Qwen3's own where it is at hand."""
    yield _vocabulary("bundled", bundled_path("tiny"))
    if real := real_tokenizer.unpacked(folder):
        yield _vocabulary("Qwen3's own", real)


def _vocabulary(name: str, folder: Path) -> Vocabulary:
    tokenizer = load_tokenizer(folder)
    single = [i for i in range(tokenizer.vocab_size) if len(tokenizer.token_bytes(i)) == 1]
    single.sort(key=tokenizer.token_bytes)
    library = Library.from_file(str(folder / "tokenizer.json"))
    return Vocabulary(name, tokenizer, library, single)


def try_ids(vocabulary: Vocabulary, ids: Sequence[int], stream: StreamDecoder) -> str:
    """What a stream makes of the ids; `equal` is what should be."""
    token_bytes = vocabulary.tokenizer.token_bytes
    data, shown = b"", ""
    for token in ids:
        data += token_bytes(token)
        shown += stream.push(token)
        if not _is_all_but_a_few_bytes(shown, data):
            return HELD_BACK
    shown += stream.flush()
    others = (
        data.decode("utf-8", "replace"),
        vocabulary.tokenizer.decode(ids),
        vocabulary.library.decode(ids, skip_special_tokens=False),
    )
    return "equal" if all(shown == other for other in others) else "another text"


def try_reply(vocabulary: Vocabulary, ids: Sequence[int]) -> str:
    """What sorting makes of an answer without control tokens: only newlines wait for longer."""
    parser = ReplyParser(vocabulary.tokenizer)
    data = b""
    for token in filterfalse(vocabulary.tokenizer.is_control, ids):
        data += vocabulary.tokenizer.token_bytes(token)
        parser.push(token)
        if not _is_all_but_a_few_bytes(parser.answer, data, "\n"):
            return HELD_BACK
    parser.flush()
    whole = data.decode("utf-8", "replace").lstrip("\n")
    return "equal" if parser.answer == whole else "another text"


def _is_all_but_a_few_bytes(shown: str, data: bytes, around: str = "") -> bool:
    """Whether no more is missing, but for characters that may be missing at both ends."""
    ends = range(len(data), max(0, len(data) - MOST_HELD_BACK) - 1, -1)
    return any(data[:end].decode("utf-8", "replace").strip(around) == shown for end in ends)


def try_text(vocabulary: Vocabulary, text: str) -> str:
    """What becomes of a text that is encoded and streamed."""
    ids = vocabulary.tokenizer.encode(text)
    outcome = try_ids(vocabulary, ids, vocabulary.tokenizer.stream_decoder())
    if outcome == "equal" and vocabulary.tokenizer.decode(ids) != NFC().normalize_str(text):
        return "another text than was encoded"
    return outcome


def try_character(char: str) -> str:
    """What becomes of a character whose bytes come one at a time, between two others."""
    stream = StreamDecoder(lambda byte: bytes([byte]), lambda _: False)
    first, *rest = char.encode()
    shown = [stream.push(ord("<")), *map(stream.push, (first, *rest)), stream.push(ord(">"))]
    return "equal" if shown == ["<", *[""] * len(rest), char, ">"] else "another text"


def lists(vocabulary: Vocabulary, count: int, seed: int) -> Tally:
    """Lists of ids at random, each the same again by its number."""
    tally = Tally()
    for number in range(count):
        ids = vocabulary.ids(random.Random(f"{seed} {vocabulary.name} {number}"))
        outcome = try_ids(vocabulary, ids, vocabulary.tokenizer.stream_decoder())
        _note(tally, f"lists, {vocabulary.name}", outcome, f"list {number}: {ids}")
        outcome = try_reply(vocabulary, ids)
        _note(tally, f"lists as replies, {vocabulary.name}", outcome, f"list {number}: {ids}")
    return tally


def unicode(vocabulary: Vocabulary, step: int = 1) -> Tally:
    """Every character, or every so-manieth, with its neighbours."""
    tally = Tally()
    for start in range(0, len(CODE_POINTS), AT_ONCE * step):
        text = "".join(map(chr, CODE_POINTS[start : start + AT_ONCE]))
        outcome = try_text(vocabulary, text)
        place = f"texts of {AT_ONCE} characters, {vocabulary.name}"
        _note(tally, place, outcome, f"from U+{ord(text[0]):04X}")
    return tally


def characters(step: int = 1) -> Tally:
    """Every character, or every so-manieth, byte after byte."""
    tally = Tally()
    for code in CODE_POINTS[::step]:
        _note(tally, "characters by bytes", try_character(chr(code)), f"U+{code:04X}")
    return tally


def costs(vocabulary: Vocabulary, lengths: Sequence[int] = LENGTHS) -> Tally:
    """Whether an id takes longer where more came before it."""
    tally = Tally()
    grown: list[list[float]] = []
    for name, (begun, cycle) in _texts(vocabulary).items():
        for what, pushed in _streams(vocabulary.tokenizer).items():
            times = [_least_seconds(pushed, [*begun, *cycle * length]) for length in lengths]
            grown.append([time / times[0] for time in times])
            outcome = "linear" if is_linear(lengths, times) else "grows with the text"
            trial = f"{what} of {name}: {grown[-1]}"
            _note(tally, f"cost of a text, {vocabulary.name}", outcome, trial)
    for length, ratios in [*zip(lengths, zip(*grown, strict=True), strict=True)][1:]:
        of = f"the time for {length / lengths[0]:.0f} times the text, {vocabulary.name}"
        tally.figures[of] = f"{min(ratios):.2f} to {max(ratios):.2f} times"
    return tally


def is_linear(lengths: Sequence[int], times: Sequence[float]) -> bool:
    """Whether the longest text takes about as long for each id as the shortest."""
    return times[-1] / lengths[-1] < MOST_GROWTH * times[0] / lengths[0]


def _texts(vocabulary: Vocabulary) -> dict[str, tuple[list[int], list[int]]]:
    """How each text begins, and the id of which the rest consists."""
    encode = vocabulary.tokenizer.encode
    begun, half = encode("a"), vocabulary.single[-11]
    return {
        "letters": (begun, begun),
        "newlines": (begun, encode("\n")),
        "half characters": (begun, [half]),
        "a call without an end": ([vocabulary.tokenizer.controls["<tool_call>"]], begun),
    }


def _streams(tokenizer: Tokenizer) -> dict[str, Callable[[], Callable[[int], object]]]:
    return {
        "decoding": lambda: tokenizer.stream_decoder().push,
        "sorting": lambda: ReplyParser(tokenizer).push,
    }


def _least_seconds(made: Callable[[], Callable[[int], object]], ids: Sequence[int]) -> float:
    """Of three tries."""
    return min(_seconds(made(), ids) for _ in range(3))


def _seconds(push: Callable[[int], object], ids: Sequence[int]) -> float:
    start = process_time()
    for token in ids:
        push(token)
    return process_time() - start


def _note(tally: Tally, place: str, outcome: str, trial: str) -> None:
    if outcome in {"equal", "linear"}:
        tally.held(f"{place}: {outcome}")
    else:
        tally.fell(f"{place}: {outcome}", trial)


def attack(count: int, seed: int) -> Tally:
    """So many lists with each vocabulary, all of Unicode, and what it costs."""
    tally = characters()
    with TemporaryDirectory() as folder:
        for vocabulary in vocabularies(Path(folder)):
            tally.add(lists(vocabulary, count, seed))
            tally.add(unicode(vocabulary))
            tally.add(costs(vocabulary))
    return tally


if __name__ == "__main__":
    main(attack, 100_000)
