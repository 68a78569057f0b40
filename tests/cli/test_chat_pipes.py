"""`chat` through plain pipes: lines in, answers out, nothing rewritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwen3_mlx.cli import files
from qwen3_mlx.errors import ContextOverflowError, NonFiniteError
from tests.cli.conftest import Invoke
from tests.cli.fakes import FakeLLM, answers, stops, thinks

HELP = """\
/think               think before answering
/no_think            answer at once
/thinking HOW        on, off, or auto: not to look things up
/budget N|none|auto  think for at most N tokens; none: without end; auto: as needed
/thoughts HOW        window, full, hidden or summary; last: read them again
/system TEXT         show or change the system prompt
/regen               answer the last question again
/undo                take the last question and its answer back
/edit                take the last question back, to change it
/clear               forget the conversation
/model NAME          go on with another model
/set NAME N          how tokens are drawn, as temp 0.6; none: as the model says
/stats               figures of the last answer
/context             how much of the context is used
/save FILE           keep the conversation, with the thoughts that are shown
/save! FILE          the same, over a file that is there
/load FILE           go on with one that was saved
/export FILE         write it as Markdown, for reading
/export! FILE        the same, over a file that is there
/file PATH           put a file before the next message
/copy                put the last answer on the clipboard
/tools HOW           list the tools; on or off NAME
/help                show this
/exit                leave
//...                a message that begins with a slash
\"\"\"                  begins a message of several lines, and ends it
Esc Enter            a new line in the message
Tab, Up              complete a command; what was typed before
y n a                when a tool is to run: yes, no, always
+ - =                while it thinks: more, less, another budget
Space, Esc           while it thinks: answer now
t                    while it answers, when auto chose: the other way, thinking or not
Ctrl-T               think, or answer at once
Ctrl-O               read the last thoughts and calls
Ctrl-X Ctrl-E        write the message in your editor
Ctrl-C               stop the answer; twice: leave
Ctrl-D               leave
"""


def test_two_turns(invoke: Invoke, llm: FakeLLM) -> None:
    llm.enqueue(thinks("2 + 3", " = 5", "\n"), stops(tokens=3), answers("5"))
    llm.enqueue(answers("\n\n", "You asked\n", "for 2 + 3.\n"))
    result = invoke("chat", stdin="What is 2 + 3?\n\nWhat did I ask?\n")
    assert result.stdout == "5\nYou asked\nfor 2 + 3.\n"
    assert result.stderr == (
        "[thinking 3/512] 2 + 3 = 5\n[thought for 3.2 s · 3 of 512 tokens · stopped by itself]\n"
    )
    assert result.exit_code == 0


def test_no_escape_codes_even_when_colour_is_forced(
    invoke: Invoke, llm: FakeLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    llm.enqueue(thinks("x"), stops(), answers("5"))
    result = invoke("chat", stdin="2 + 3?\n/nope\n/help\n")
    assert "\x1b" not in result.stdout + result.stderr


def test_thinking_can_be_turned_with_words(invoke: Invoke, llm: FakeLLM) -> None:
    for _ in range(4):
        llm.enqueue(answers("5"))
    lines = ["/no_think", "one", "two", "/think three", "four /no_think"]
    result = invoke("chat", stdin="\n".join(lines))
    assert result.stderr == "[answers at once]\n"
    assert llm.conversation.asked == [
        ("one", "/no_think\none"),
        ("two", "two"),
        ("three", "/think\nthree"),
        ("four /no_think", "four /no_think"),
    ]


def test_the_command_overrides_a_hard_off(invoke: Invoke, llm: FakeLLM) -> None:
    result = invoke("chat", "--no-think", stdin="/think\n")
    assert result.stderr == "[thinks before it answers]\n"
    assert llm.conversation.thinking is True


def test_the_budget_can_be_turned(invoke: Invoke, llm: FakeLLM) -> None:
    lines = ["/budget", "/budget 64", "/budget none", "/budget lots", "/budget 0"]
    result = invoke("chat", stdin="\n".join(lines))
    assert result.stderr == (
        "[thinking budget: 512 tokens]\n"
        "[thinking budget: 64 tokens]\n"
        "[thinking budget: no end]\n"
        "Error: 'lots' is no thinking budget\n"
        "Give a number of tokens, like 512, 0 for no thinking, none for no end, or auto.\n"
        "[thinking budget: 0 tokens, so it answers at once]\n"
    )
    assert llm.conversation.budget.limit == 0


def test_clear_forgets(invoke: Invoke, llm: FakeLLM) -> None:
    result = invoke("chat", stdin="/clear\n")
    assert result.stderr == "[forgotten; the conversation starts anew]\n"
    assert llm.conversation.cleared == 1


def test_help_lists_every_command(invoke: Invoke, llm: FakeLLM) -> None:
    assert invoke("chat", stdin="/help\n").stderr == HELP


@pytest.mark.parametrize("word", ["/exit", "/quit", "/q", "/EXIT"])
def test_exit_leaves(invoke: Invoke, llm: FakeLLM, word: str) -> None:
    result = invoke("chat", stdin=f"{word}\nWhat is 2 + 3?\n")
    assert (result.stdout, result.stderr, result.exit_code) == ("", "", 0)


def test_an_unknown_command_is_answered_and_the_session_goes_on(
    invoke: Invoke, llm: FakeLLM
) -> None:
    llm.enqueue(answers("5"))
    result = invoke("chat", stdin="/bugdet 64\n/xyzzy\n2 + 3?\n")
    assert result.stdout == "5\n"
    assert result.stderr == (
        "Error: there is no command /bugdet\n"
        "Did you mean /budget? To say it to the model, write //bugdet.\n"
        "Error: there is no command /xyzzy\n"
        "/help lists the commands. To say it to the model, write //xyzzy.\n"
    )


def test_two_slashes_say_one_to_the_model(invoke: Invoke, llm: FakeLLM) -> None:
    llm.enqueue(answers("A folder."))
    invoke("chat", stdin="//usr/bin is what?\n")
    assert llm.conversation.asked == [("/usr/bin is what?", "/usr/bin is what?")]


def test_a_failed_turn_is_reported_and_the_session_goes_on(invoke: Invoke, llm: FakeLLM) -> None:
    llm.enqueue([ContextOverflowError("the prompt has 9000 tokens", hint="Shorten it.")])
    llm.enqueue(answers("5"))
    result = invoke("chat", stdin="a long text\n2 + 3?\n")
    assert result.stdout == "5\n"
    assert result.stderr == "Error: the prompt has 9000 tokens\nShorten it.\n"
    assert result.exit_code == 2


def test_a_script_learns_that_a_turn_failed(invoke: Invoke, llm: FakeLLM) -> None:
    llm.enqueue(answers("4"), [NonFiniteError("the logits are not finite")])
    result = invoke("chat", stdin="2 + 3?\n")
    assert (result.stdout, result.exit_code) == ("4\n", 5)


def test_hostile_words_in_an_unknown_command_are_harmless(invoke: Invoke, llm: FakeLLM) -> None:
    result = invoke("chat", stdin="/\x1b[2Jx\n")
    assert result.stderr.startswith("Error: there is no command /x\n")


def test_piped_bytes_that_are_no_text(invoke: Invoke, llm: FakeLLM) -> None:
    result = invoke("chat", stdin=b"caf\xe9\n")
    assert result.exit_code == 2
    assert "the piped input is not UTF-8 text: byte 0xe9" in result.stderr


def test_thoughts_can_be_hidden(invoke: Invoke, llm: FakeLLM) -> None:
    llm.enqueue(thinks("2 + 3", " = 5"), stops(tokens=2), answers("5"))
    lines = ["/thoughts last", "/thoughts hidden", "2 + 3?", "/thoughts", "/thoughts last"]
    result = invoke("chat", stdin="\n".join([*lines, "/thoughts loud"]))
    assert result.stderr == (
        "[no thoughts yet]\n"
        "[thoughts: hidden]\n"
        "[thought for 3.2 s · 2 of 512 tokens · stopped by itself]\n"
        "[thoughts: hidden]\n"
        "[thoughts: hidden; /thoughts window shows those to come]\n"
        "Error: 'loud' is no way to show thoughts\n"
        "Give window, full, hidden or summary, or last to read the last ones again.\n"
    )


@pytest.mark.parametrize("stdin", ["7" * 10**6 + "\n", '"""\n' + "7\n" * 500_000])
def test_a_message_without_end_is_refused(
    invoke: Invoke, llm: FakeLLM, monkeypatch: pytest.MonkeyPatch, stdin: str
) -> None:
    monkeypatch.setattr(files, "MOST", 10**6)
    result = invoke("chat", stdin=stdin)
    assert result.exit_code == 2
    assert "the piped input is larger than 1 MB" in result.stderr
    assert llm.conversation.asked == []


def test_files_that_are_too_large_for_a_message_together_are_not_all_taken(
    invoke: Invoke, llm: FakeLLM, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a").write_text(text := "7" * 600_000)
    monkeypatch.setattr(files, "MOST", 10**6)
    llm.enqueue(answers("7"))
    result = invoke("chat", stdin="/file a\n/file a\nHi\n")
    assert "the files and the question are together larger than 1 MB" in result.stderr
    assert llm.conversation.asked == [(f"a:\n\n{text}\n\nHi", "Hi")]


def test_an_unknown_command_of_any_length_is_answered_in_short(
    invoke: Invoke, llm: FakeLLM
) -> None:
    result = invoke("chat", stdin="/" + "x" * 10**6 + "\n")
    assert len(result.stderr) < 4000
