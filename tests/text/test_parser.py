from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_mlx.events import ToolCall
from qwen3_mlx.text.parser import BrokenCalls, Delta, ReplyParser
from qwen3_mlx.text.renderer import Block
from qwen3_mlx.text.tokenizer import Tokenizer

IdsOf: TypeAlias = Callable[[str], list[int]]


def read(parser: ReplyParser, ids: Iterable[int]) -> list[Delta]:
    return [delta for token in ids for delta in parser.push(token)] + parser.flush()


def shown(deltas: Iterable[Delta], kind: str) -> str:
    return "".join(delta.text for delta in deltas if delta.kind == kind)


REPLIES: dict[str, tuple[Block, str, str, str]] = {
    "nothing": ("absent", "", "", ""),
    "an answer": ("closed", "Five.", "", "Five."),
    "an answer by itself": ("absent", "Five.<|im_end|>", "", "Five."),
    "thoughts by itself": ("absent", "<think>\n2+3\n</think>\n\nFive.", "2+3", "Five."),
    "thoughts in an opened block": ("open", "2+3\n</think>\n\nFive.", "2+3", "Five."),
    "an empty block by itself": ("absent", "<think>\n\n</think>\n\nFive.", "", "Five."),
    "inner newlines": ("open", "\n\na\n\nb\n</think>\n\nc\n\nd\n", "a\n\nb", "c\n\nd\n"),
    "no newlines": ("open", "a</think>b", "a", "b"),
    "spaces": ("open", " a </think> b ", " a ", " b "),
    "thoughts without end": ("open", "2+3 is", "2+3 is", ""),
    "thoughts that end in newlines": ("open", "2+3\n\n", "2+3", ""),
    "a stray closing": ("closed", "The tag </think> ends.", "", "The tag </think> ends."),
    "a second closing": ("open", "a</think>b</think>c", "a", "b</think>c"),
    "a second opening": ("open", "a</think>b<think>c", "a", "b<think>c"),
    "an opening in the block": ("open", "a<think>b</think>c", "a<think>b", "c"),
    "an opening after an empty block": ("closed", "<think>a</think>b", "", "<think>a</think>b"),
    "an opening in the answer": ("absent", "a<think>b</think>c", "", "a<think>b</think>c"),
    "an opening after a newline": ("absent", "\n<think>b</think>", "", "<think>b</think>"),
    "another control token": ("closed", "a<|im_start|>b", "", "a<|im_start|>b"),
    "an end in the middle": ("closed", "a<|endoftext|>b", "", "ab"),
    "unicode": ("open", "想 🤔\n</think>\n\n👩‍👩‍👧‍👦 é", "想 🤔", "👩‍👩‍👧‍👦 é"),
}


@pytest.mark.parametrize("name", REPLIES)
def test_replies_are_sorted(tokenizer: Tokenizer, ids_of: IdsOf, name: str) -> None:
    block, reply, thinking, answer = REPLIES[name]
    parser = ReplyParser(tokenizer, block)
    deltas = read(parser, ids_of(reply))
    assert (parser.thinking, parser.answer) == (thinking, answer)
    assert (shown(deltas, "thinking"), shown(deltas, "answer")) == (thinking, answer)
    assert parser.tool_calls == []


def test_typed_tags_are_text(tokenizer: Tokenizer) -> None:
    parser = ReplyParser(tokenizer)
    read(parser, tokenizer.encode("<think>a</think><tool_call>b</tool_call>"))
    assert parser.answer == "<think>a</think><tool_call>b</tool_call>"


def test_the_part_that_is_open_is_known(tokenizer: Tokenizer, ids_of: IdsOf) -> None:
    parser = ReplyParser(tokenizer)
    kinds = []
    for token in ids_of("<think>a</think>b<tool_call>c"):
        parser.push(token)
        kinds.append(parser.kind)
    assert kinds == ["thinking", "thinking", "answer", "answer", "tool_call", "tool_call"]


CALL = '<tool_call>\n{"name": "add", "arguments": {"a": 2, "b": [3, "é"]}}\n</tool_call>'
ADD = ToolCall("add", {"a": 2, "b": [3, "é"]})
NOW = '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'


@pytest.mark.parametrize(
    ("reply", "calls", "answer"),
    [
        (CALL, [ADD], ""),
        (f"I add.\n{CALL}", [ADD], "I add."),
        (f"I add.\n\n\n{CALL}", [ADD], "I add."),
        (f"{CALL}\n{NOW}<|im_end|>", [ADD, ToolCall("now", {})], ""),
        (f"So:\n{CALL}\n{NOW}\n", [ADD, ToolCall("now", {})], "So:"),
        (f"{CALL}\nDone.", [ADD], "Done."),
        (f"First.\n{CALL}\nThen.", [ADD], "First.\nThen."),
    ],
)
def test_tool_calls_are_read(
    tokenizer: Tokenizer, ids_of: IdsOf, reply: str, calls: list[ToolCall], answer: str
) -> None:
    parser = ReplyParser(tokenizer, "closed")
    deltas = read(parser, ids_of(reply))
    assert parser.tool_calls == calls == [delta.call for delta in deltas if delta.call]
    assert parser.answer == answer == shown(deltas, "answer")


def test_a_call_ends_the_thoughts(tokenizer: Tokenizer, ids_of: IdsOf) -> None:
    parser = ReplyParser(tokenizer, "open")
    read(parser, ids_of(f"I look.\n{NOW}<think>"))
    assert parser.thinking == "I look."
    assert parser.tool_calls == [ToolCall("now", {})]
    assert parser.answer == "<think>"


def test_a_delta_of_a_call_carries_what_the_model_wrote(
    tokenizer: Tokenizer, ids_of: IdsOf
) -> None:
    deltas = read(ReplyParser(tokenizer, "closed"), ids_of(NOW))
    assert deltas == [
        Delta("tool_call", '{"name": "now", "arguments": {}}', ToolCall("now", {})),
    ]


@pytest.mark.parametrize(
    "reply",
    [
        "<tool_call>\nno JSON\n</tool_call>",
        "So:\n\n<tool_call>{}</tool_call>\n",
        '<tool_call>{"name": "now", "argum',
        "<tool_call></tool_call>",
        "<tool_call><tool_call>a</tool_call>",
        "a</tool_call>b",
    ],
)
def test_what_is_no_call_stays_in_the_answer(
    tokenizer: Tokenizer, ids_of: IdsOf, reply: str
) -> None:
    parser = ReplyParser(tokenizer, "closed")
    deltas = read(parser, ids_of(reply))
    assert parser.answer == reply == shown(deltas, "answer")
    assert parser.tool_calls == []


def test_a_character_that_breaks_off_at_a_tag_is_replaced(
    tokenizer: Tokenizer, ids_of: IdsOf
) -> None:
    half = tokenizer.encode("👍")[:1]
    parser = ReplyParser(tokenizer, "open")
    deltas = read(parser, [*half, *ids_of("</think>"), *half])
    assert shown(deltas, "thinking") == shown(deltas, "answer") == "\ufffd"


@given(ids=st.lists(st.integers(0, 408)), block=st.sampled_from(["absent", "open", "closed"]))
def test_any_ids_can_be_read(tokenizer: Tokenizer, ids: list[int], block: Block) -> None:
    parser = ReplyParser(tokenizer, block)
    deltas = read(parser, ids)
    assert shown(deltas, "thinking") == parser.thinking
    assert shown(deltas, "answer") == parser.answer
    assert parser.thinking.strip("\n") == parser.thinking
    assert all(delta.text or delta.call for delta in deltas)


@given(
    thinking=st.text(alphabet="ab \n好👍"),
    answer=st.text(alphabet="ab \n好👍", min_size=1),
)
def test_a_reply_in_qwens_form_gives_its_parts_back(
    tokenizer: Tokenizer, ids_of: IdsOf, thinking: str, answer: str
) -> None:
    parser = ReplyParser(tokenizer)
    read(parser, ids_of(f"<think>\n{thinking}\n</think>\n\n{answer}<|im_end|>"))
    assert parser.thinking == thinking.strip("\n")
    assert parser.answer == answer.lstrip("\n")


UNREADABLE = "<tool_call>\nno JSON\n</tool_call>"
UNCLOSED = '<tool_call>\n{"name": "now", "arguments": {}'


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (UNREADABLE, ""),
        (f"So:\n\n{UNREADABLE}\n", "So:"),
        (f"So:\n{UNREADABLE}\nDone.", "So:\nDone."),
    ],
)
def test_calls_that_cannot_be_read_may_be_kept_apart(
    tokenizer: Tokenizer, ids_of: IdsOf, reply: str, answer: str
) -> None:
    parser = ReplyParser(tokenizer, "closed", "apart")
    deltas = read(parser, ids_of(reply))
    assert parser.answer == answer == shown(deltas, "answer")
    assert [call.text for call in parser.broken_calls] == ["\nno JSON\n"]
    assert parser.tool_calls == []


@pytest.mark.parametrize("broken", ["mended", "apart"])
def test_a_call_without_its_end_is_read_unless_it_was_cut_off(
    tokenizer: Tokenizer, ids_of: IdsOf, broken: BrokenCalls
) -> None:
    parser = ReplyParser(tokenizer, "closed", broken)
    read(parser, ids_of(UNCLOSED))
    assert parser.tool_calls == [ToolCall("now", {})]
    cut_off = ReplyParser(tokenizer, "closed", broken)
    for token in ids_of(UNCLOSED):
        cut_off.push(token)
    cut_off.flush(cut_off=True)
    assert cut_off.tool_calls == []
    assert cut_off.answer == ("" if broken == "apart" else UNCLOSED)


def test_what_cannot_be_mended_is_shown(tokenizer: Tokenizer, ids_of: IdsOf) -> None:
    parser = ReplyParser(tokenizer, "closed", "mended")
    deltas = read(parser, ids_of(UNREADABLE))
    assert parser.answer == UNREADABLE == shown(deltas, "answer")
    assert parser.broken_calls == []
