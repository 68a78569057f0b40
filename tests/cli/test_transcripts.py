"""Conversations in files, and typed lines across chats."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qwen3_mlx.cli import transcripts
from qwen3_mlx.cli.history import MOST, TypedLines
from qwen3_mlx.cli.transcripts import Transcript
from qwen3_mlx.errors import Qwen3Error, UsageError
from qwen3_mlx.text.pieces import Message

TALK: list[Message] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "2 + 3? /think", "thinking": True},
    {"role": "assistant", "content": "5", "reasoning_content": "2+3=5\n"},
    {"role": "user", "content": "A tale"},
    {"role": "assistant", "content": "Once", "reasoning_content": "", "interrupted": True},
]
CALL = {"name": "calculator", "arguments": {"expression": "2+3\x1b[2J\ud800"}}
CHAIN: list[Message] = [
    {"role": "user", "content": "2 + 3?"},
    {
        "role": "assistant",
        "content": "",
        "reasoning_content": "add",
        "tool_calls": [{"type": "function", "function": CALL}, {"name": "now"}],
    },
    {"role": "tool", "content": "5\n# no heading"},
    {"role": "assistant", "content": "5", "reasoning_content": ""},
]
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant"]), "content": st.text()},
        optional={"reasoning_content": st.text(), "interrupted": st.booleans()},
    )
)


@given(messages=MESSAGES, budget=st.none() | st.integers(0, 10**6) | st.just("default"))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_what_is_saved_is_loaded(
    tmp_path: Path, messages: list[Message], budget: int | str | None
) -> None:
    given = not isinstance(budget, str)
    transcript = Transcript("tiny", None if isinstance(budget, str) else budget, messages, given)
    transcripts.save(transcript, tmp_path / "talk.json")
    assert transcripts.load(tmp_path / "talk.json") == transcript


def test_a_person_can_read_the_file_and_only_its_owner_may(tmp_path: Path) -> None:
    path = tmp_path / "new" / "talk.json"
    transcripts.save(Transcript("tiny", 512, TALK), path)
    assert json.loads(path.read_text()) == {
        "version": 1,
        "model": "tiny",
        "budget": 512,
        "messages": TALK,
    }
    assert '\n      "reasoning_content": "2+3=5\\n"' in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "it is not JSON"),
        ('{"version": 1, "messages": [], "budget": NaN}', "it is not JSON"),
        ("[" * 1_100_000, "it has more parts than any conversation"),
        ("[]", "it has no messages"),
        ('{"version": 1}', "it has no messages"),
        ('{"version": 2, "messages": []}', "its version is 2, not 1"),
        ('{"version": 1, "messages": [3]}', "message 1 is no object"),
        ('{"version": 1, "messages": [{"role": "user"}]}', "message 1 has no role or no content"),
        ('{"version": 1, "messages": [{"role": {}, "content": ""}]}', "message 1 has no role"),
        (
            '{"version": 1, "messages": [{"role": "user", "content": "", "thinking": 3}]}',
            "message 1 has an unusable field 'thinking'",
        ),
        *(
            (
                json.dumps({"version": 1, "messages": [{**CHAIN[1], "tool_calls": [call]}]}),
                "message 1 has an unusable call of a tool",
            )
            for call in (3, {}, {"name": 3}, {"function": "now"}, {**CALL, "arguments": [1]})
        ),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "talk.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=why):
        transcripts.load(path)


def test_a_damaged_last_conversation_can_be_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    path = tmp_path / "qwen3-mlx" / transcripts.LAST
    path.parent.mkdir()
    for damaged in (b"{", b"\xff"):
        path.write_bytes(damaged)
        with pytest.raises(UsageError, match=f"{path} is no") as caught:
            transcripts.last()
        assert caught.value.hint == "Remove it, or start without --resume."


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no file .*nothing\.json"):
        transcripts.load(tmp_path / "nothing.json")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Qwen3Error, match="cannot be written"):
        transcripts.save(Transcript("tiny", 1, []), tmp_path / "file" / "talk.json")


def test_an_export_is_markdown(tmp_path: Path) -> None:
    transcripts.export(TALK, tmp_path / "talk.md")
    assert (tmp_path / "talk.md").read_text() == (
        "## System\n\nBe brief.\n\n"
        "## You\n\n2 + 3? /think\n\n"
        "## Qwen3\n\n<details><summary>Thoughts</summary>\n\n2+3=5\n\n</details>\n\n5\n\n"
        "## You\n\nA tale\n\n"
        "## Qwen3\n\nOnce\n\n*interrupted*\n"
    )


def test_calls_and_their_results_are_kept(tmp_path: Path) -> None:
    transcripts.save(Transcript("tiny", 512, CHAIN), tmp_path / "talk.json")
    assert transcripts.load(tmp_path / "talk.json").messages == CHAIN


def test_calls_and_their_results_are_code_in_an_export(tmp_path: Path) -> None:
    transcripts.export(CHAIN, tmp_path / "talk.md")
    assert (tmp_path / "talk.md").read_text() == (
        "## You\n\n2 + 3?\n\n"
        "## Qwen3\n\n<details><summary>Thoughts</summary>\n\nadd\n\n</details>\n\n"
        '    calculator(expression="2+3\\u001b[2J\\ud800")\n\n    now()\n\n'
        "## Tool\n\n    5\n    # no heading\n\n"
        "## Qwen3\n\n5\n"
    )


class TestTypedLines:
    def test_are_there_in_the_next_chat(self, tmp_path: Path) -> None:
        path = tmp_path / "state" / "history.jsonl"
        first = TypedLines(path)
        for text in ("one", "two\nlines", "two\nlines", "größer\u2028"):
            first.add(text)
        assert TypedLines(path).entries == first.entries == ["one", "two\nlines", "größer\u2028"]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_of_two_chats_at_once_are_both_kept(self, tmp_path: Path) -> None:
        path = tmp_path / "history.jsonl"
        here, there = TypedLines(path), TypedLines(path)
        here.add("here")
        there.add("there")
        assert TypedLines(path).entries == ["here", "there"]

    def test_the_oldest_go(self, tmp_path: Path) -> None:
        path = tmp_path / "history.jsonl"
        path.write_text("".join(f'"{n}"\n' for n in range(MOST)))
        TypedLines(path).add("new")
        assert TypedLines(path).entries == [*map(str, range(1, MOST)), "new"]

    def test_damaged_lines_are_left_out(self, tmp_path: Path) -> None:
        path = tmp_path / "history.jsonl"
        path.write_bytes(b'"one"\n{broken\n3\n"two"\n')
        assert TypedLines(path).entries == ["one", "two"]
        path.write_bytes(b"\xff")
        assert TypedLines(path).entries == []

    def test_a_folder_that_cannot_be_written_does_not_end_the_chat(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        told: list[str] = []
        path = tmp_path / "file" / "history.jsonl"
        lines = TypedLines(path, tell=told.append)
        for text in ("one", "two"):
            lines.add(text)
            lines.tell_problem()
        assert lines.entries == ["one", "two"]
        (said,) = told
        assert said.startswith(f"what is typed is not kept for the next chat: {path} cannot be")

    def test_without_a_file_they_last_as_long_as_the_chat(self) -> None:
        lines = TypedLines(None)
        lines.add("one")
        assert lines.entries == ["one"]
