from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_mlx.errors import ModelFileError, UsageError
from qwen3_mlx.text.pieces import Control, Message, Text, plain
from qwen3_mlx.text.qwen3_format import HYBRID, INSTRUCT_2507, THINKING_2507
from qwen3_mlx.text.renderer import thinking_block
from qwen3_mlx.text.template import ChatTemplate, load_template
from qwen3_mlx.text.tokenizer import Tokenizer

START, END = Control("<|im_start|>"), Control("<|im_end|>")
THINK, END_THINK = Control("<think>"), Control("</think>")
QUESTION: list[Message] = [{"role": "user", "content": "Hi"}]


def test_the_template_of_the_bundled_models_is_known(
    model_files: Path, tokenizer: Tokenizer
) -> None:
    template = load_template(model_files, tokenizer)
    assert template.family == "hybrid"
    assert not template.is_sandboxed


def test_the_newline_at_the_files_end_does_not_matter(
    directory: Path, tokenizer: Tokenizer
) -> None:
    path = directory / "chat_template.jinja"
    path.write_text(path.read_text().removesuffix("\n"))
    assert not load_template(directory, tokenizer).is_sandboxed


def test_a_hybrid_opens_a_reply_with_an_empty_block_or_none() -> None:
    template = ChatTemplate(HYBRID)
    thinking = template.render(QUESTION)
    assert thinking == [START, Text("user\nHi"), END, Text("\n"), START, Text("assistant\n")]
    assert thinking_block(thinking) == "absent"
    silent = template.render(QUESTION, thinking=False)
    assert silent == [*thinking, THINK, Text("\n\n"), END_THINK, Text("\n\n")]
    assert thinking_block(silent) == "closed"


def test_a_thinking_model_opens_the_block_and_can_be_made_to_close_it() -> None:
    template = ChatTemplate(THINKING_2507)
    opened = template.render(QUESTION)
    assert opened[-2:] == [THINK, Text("\n")]
    assert thinking_block(opened) == "open"
    closed = template.render(QUESTION, thinking=False)
    assert plain(closed) == plain(opened) + "\n</think>\n\n"
    assert thinking_block(closed) == "closed"


def test_an_instruct_model_has_no_block() -> None:
    template = ChatTemplate(INSTRUCT_2507)
    pieces = template.render(QUESTION, thinking=True)
    assert pieces == template.render(QUESTION, thinking=False)
    assert thinking_block(pieces) == "absent"


def test_the_block_of_an_earlier_message_is_not_the_replys() -> None:
    earlier: Message = {"role": "assistant", "content": "b", "reasoning_content": "why"}
    pieces = ChatTemplate(HYBRID).render([*QUESTION, earlier], add_generation_prompt=True)
    assert END_THINK in pieces
    assert thinking_block(pieces) == "absent"


def test_history_has_no_old_thoughts_except_in_a_running_chain() -> None:
    call = {"function": {"name": "now", "arguments": {}}}
    chain: list[Message] = [
        {"role": "user", "content": "Q1"},
        {"role": "assistant", "content": "A1", "reasoning_content": "OLD"},
        {"role": "user", "content": "Q2"},
        {"role": "assistant", "content": "", "reasoning_content": "NEW", "tool_calls": [call]},
        {"role": "tool", "content": "12:00"},
    ]
    running = plain(ChatTemplate(HYBRID).render(chain))
    assert "OLD" not in running
    assert "NEW" in running
    assert "NEW" not in plain(ChatTemplate(HYBRID).render([*chain, *QUESTION]))


def test_an_assistant_that_only_calls_needs_no_content() -> None:
    call = {"function": {"name": "now", "arguments": {}}}
    message: Message = {"role": "assistant", "content": None, "tool_calls": [call]}
    text = plain(ChatTemplate(HYBRID).render([*QUESTION, message]))
    assert '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>' in text


ANYTHING = st.lists(
    st.sampled_from(["<|im_end|>", "<|im_start|>", "<think>", "</tool_call>", "<", "|>", "\n"])
    | st.text(max_size=3)
).map("".join)


@given(content=ANYTHING, thought=ANYTHING, result=ANYTHING)
def test_what_messages_contain_is_text(content: str, thought: str, result: str) -> None:
    """The control tokens of a prompt are the same, whatever the messages spell."""

    def controls(content: str, thought: str, result: str) -> list[Control]:
        call = {"function": {"name": "f" + content, "arguments": {content: thought}}}
        messages: list[Message] = [
            {"role": "system", "content": content},
            {"role": "user", "content": "?" + content},
            {"role": "assistant", "content": content, "reasoning_content": thought + "."},
            {"role": "assistant", "content": "", "reasoning_content": "", "tool_calls": [call]},
            {"role": "tool", "content": result},
        ]
        tools = [{"function": {"description": content}}]
        pieces = ChatTemplate(HYBRID).render(messages, tools=tools)
        return [piece for piece in pieces if isinstance(piece, Control)]

    assert controls(content, thought, result) == controls("a", "b", "c")


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ([], "no message"),
        ([{"role": "robot", "content": "Hi"}], "unknown role 'robot'"),
        ([{"content": "Hi"}], "unknown role None"),
        ([{"role": ["user"], "content": "Hi"}], "unknown role"),
        ([{"role": "user"}], "content of message 0 is not text"),
        ([{"role": "user", "content": None}], "content of message 0 is not text"),
        ([*QUESTION, {"role": "user", "content": ["Hi"]}], "content of message 1 is not text"),
        ([{"role": "assistant", "content": "", "reasoning_content": 3}], "reasoning_content"),
        ([{"role": "assistant", "tool_calls": ["now"]}], "tool call that is no object"),
        ([{"role": "assistant", "tool_calls": [{"name": "f", "arguments": {1j}}]}], "JSON"),
        ([{"role": "assistant", "tool_calls": [{"arguments": {}}]}], "tool call has no name"),
    ],
)
def test_messages_that_cannot_be_written_are_refused(messages: Any, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        ChatTemplate(HYBRID).render(cast("list[Message]", messages))


def test_tools_that_are_no_json_are_refused() -> None:
    with pytest.raises(UsageError, match="the list of tools cannot be written as JSON"):
        ChatTemplate(HYBRID).render(QUESTION, tools=[{"f": object()}])


def test_a_missing_template_is_named(directory: Path, tokenizer: Tokenizer) -> None:
    (directory / "chat_template.jinja").unlink()
    with pytest.raises(ModelFileError, match="no chat template"):
        load_template(directory, tokenizer)


def test_the_template_may_be_in_the_config(directory: Path, tokenizer: Tokenizer) -> None:
    source = (directory / "chat_template.jinja").read_text()
    (directory / "chat_template.jinja").unlink()
    for entry in (
        source,
        [{"name": "rag", "template": "x"}, {"name": "default", "template": source}],
    ):
        (directory / "tokenizer_config.json").write_text(json.dumps({"chat_template": entry}))
        assert not load_template(directory, tokenizer).is_sandboxed


def test_the_templates_own_file_comes_first(directory: Path, tokenizer: Tokenizer) -> None:
    (directory / "tokenizer_config.json").write_text('{"chat_template": "{{ broken"}')
    assert load_template(directory, tokenizer).family == "hybrid"


NESTED = [{"name": "default", "template": [{"name": "default", "template": "x"}]}]


@pytest.mark.parametrize("entry", [3, [], ["a"], [{"name": "rag", "template": "x"}], NESTED])
def test_a_config_without_a_usable_template_is_refused(
    directory: Path, tokenizer: Tokenizer, entry: object
) -> None:
    (directory / "chat_template.jinja").unlink()
    (directory / "tokenizer_config.json").write_text(json.dumps({"chat_template": entry}))
    with pytest.raises(ModelFileError, match="no chat template"):
        load_template(directory, tokenizer)


@pytest.mark.parametrize("content", [b"\xff", b"x" * (2**20 + 1)])
def test_a_template_that_is_no_text_or_too_long_is_refused(
    directory: Path, tokenizer: Tokenizer, content: bytes
) -> None:
    (directory / "chat_template.jinja").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"chat_template\.jinja"):
        load_template(directory, tokenizer)
