"""Every command of a chat, through plain pipes: what it does and what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

import qwen3_mlx
from qwen3_mlx.cli.completion import completions
from qwen3_mlx.cli.files import attached
from qwen3_mlx.cli.transcripts import load
from qwen3_mlx.errors import ContextOverflowError, Qwen3Error
from tests.cli.conftest import Invoke
from tests.cli.fakes import FakeLLM, answers, stops, thinks


def chat(invoke: Invoke, *lines: str) -> str:
    """What a chat says on standard error after these lines."""
    return invoke("chat", stdin="\n".join(lines) + "\n").stderr


class TestSayingAgain:
    def test_regen_asks_the_same_again(self, invoke: Invoke, llm: FakeLLM) -> None:
        llm.enqueue(answers("4"))
        llm.enqueue(answers("5"))
        result = invoke("chat", stdin="2 + 3?\n/regen\n")
        assert result.stdout == "4\n5\n"
        assert [m["content"] for m in llm.conversation.messages] == ["2 + 3?", "5"]

    def test_regen_keeps_the_way_it_was_asked(self, invoke: Invoke, llm: FakeLLM) -> None:
        llm.enqueue(answers("4"))
        llm.conversation.messages = [
            {"role": "user", "content": "2 + 3? /no_think", "thinking": False},
            {"role": "assistant", "content": "5"},
        ]
        chat(invoke, "/regen")
        assert llm.conversation.asked == [("2 + 3? /no_think", "/no_think")]

    def test_regen_that_fails_leaves_the_answer(self, invoke: Invoke, llm: FakeLLM) -> None:
        llm.enqueue(answers("4"))
        llm.enqueue([Qwen3Error("broken")])
        assert chat(invoke, "2 + 3?", "/regen") == ("[the earlier answer stays]\nError: broken\n")
        assert [m["content"] for m in llm.conversation.messages] == ["2 + 3?", "4"]

    def test_regen_takes_the_word_that_was_typed_since(self, invoke: Invoke, llm: FakeLLM) -> None:
        llm.enqueue(answers("4"))
        llm.conversation.messages = [
            {"role": "user", "content": "2 + 3?", "thinking": True},
            {"role": "assistant", "content": "5"},
        ]
        chat(invoke, "/no_think", "/regen")
        assert llm.conversation.asked == [("2 + 3?", "/no_think")]

    def test_regen_leaves_files_to_the_next_message(
        self, invoke: Invoke, llm: FakeLLM, tmp_path: Path
    ) -> None:
        path = tmp_path / "notes.txt"
        path.write_text("The code is 41.\n")
        for answer in ("4", "5", "41"):
            llm.enqueue(answers(answer))
        chat(invoke, "2 + 3?", f"/file {path}", "/regen", "Which code?")
        asked = [text for text, _ in llm.conversation.asked]
        assert asked == ["2 + 3?", "2 + 3?", f"{attached(path)}\n\nWhich code?"]

    def test_undo_takes_the_last_turn_back(self, invoke: Invoke, llm: FakeLLM) -> None:
        llm.enqueue(answers("5"))
        assert chat(invoke, "What is\t2 + 3?", "/undo", "/undo") == (
            "[taken back: What is 2 + 3?]\nError: there is no question to take back\n"
        )
        assert llm.conversation.messages == []

    @pytest.mark.parametrize("command", ["/undo", "/edit", "/clear"])
    def test_nothing_is_told_of_a_turn_that_was_taken_back(
        self, invoke: Invoke, llm: FakeLLM, command: str
    ) -> None:
        llm.enqueue(thinks("hm"), stops(), answers("5"))
        said = chat(invoke, "2 + 3?", command, "/stats", "/thoughts last")
        assert said.endswith("[no answer yet]\n[no thoughts yet]\n")

    def test_the_turn_before_it_is_the_last_one_again(self, invoke: Invoke, llm: FakeLLM) -> None:
        llm.enqueue(thinks("hm"), stops(), answers("5"))
        llm.enqueue(thinks("oh"), stops(), answers("6"))
        said = chat(invoke, "2 + 3?", "3 + 3?", "/undo", "/stats", "/thoughts last")
        assert said.endswith("[the figures of the last answer are not kept]\n[hm]\n")


class TestSystem:
    def test_is_shown_and_changed(self, invoke: Invoke, llm: FakeLLM) -> None:
        llm.enqueue(answers("5"))
        assert chat(invoke, "/system", "2 + 3?", "/system Be brief.", "/system Be kind.") == (
            "[system prompt: none]\n[system prompt: Be brief.]\n[system prompt: Be kind.]\n"
        )
        roles = [(m["role"], m["content"]) for m in llm.conversation.messages]
        assert roles == [("system", "Be kind."), ("user", "2 + 3?"), ("assistant", "5")]


class TestSet:
    def test_values_hold_until_they_are_taken_back(self, invoke: Invoke, llm: FakeLLM) -> None:
        assert chat(invoke, "/set", "/set temp 0.5", "/set seed 7", "/set temp none") == (
            "[all as the model's own settings say]\n[temp 0.5]\n[temp 0.5 · seed 7]\n[seed 7]\n"
        )
        assert llm.conversation.sampling == {"temp": None, "seed": 7}

    def test_the_limit_of_a_reply_is_one_of_them(self, invoke: Invoke, llm: FakeLLM) -> None:
        assert chat(invoke, "/set max_tokens 100") == "[max_tokens 100]\n"
        assert llm.conversation.max_tokens == 100

    @pytest.mark.parametrize(
        ("line", "why"),
        [
            ("/set heat 1", "there is no value 'heat'"),
            ("/set temp hot", "'hot' is no temp"),
            ("/set top_k 1.5", "'1.5' is no top_k"),
            ("/set seed", "/set seed needs a number, or none for the model's own setting"),
        ],
    )
    def test_what_makes_no_sense_is_said(
        self, invoke: Invoke, llm: FakeLLM, line: str, why: str
    ) -> None:
        assert chat(invoke, line).startswith(f"Error: {why}\n")
        assert llm.conversation.sampling == {}


class TestFigures:
    def test_stats_are_those_of_the_last_answer(self, invoke: Invoke, llm: FakeLLM) -> None:
        llm.enqueue(thinks("x"), stops(tokens=3), answers("5"))
        said = chat(invoke, "/stats", "2 + 3?", "/stats").splitlines()
        assert said[0] == "[no answer yet]"
        assert said[-3:] == [
            "[prompt 20 tokens · 0 of them read before]",
            "[thoughts 3 tokens · answer 7 tokens · 43 tok/s · first token after 0.25 s]",
            "[memory 0.0 kB at most]",
        ]

    def test_context_counts_tokens_and_turns(self, invoke: Invoke, llm: FakeLLM) -> None:
        llm.enqueue(answers("5"))
        llm.conversation.context_used = 1024
        assert (
            chat(invoke, "2 + 3?", "/context") == "[context: 1024 of 4096 tokens (25%), 1 turn]\n"
        )


class TestKeeping:
    def test_what_is_saved_is_loaded(self, invoke: Invoke, llm: FakeLLM, tmp_path: Path) -> None:
        llm.enqueue(answers("5"))
        path = tmp_path / "talk.json"
        said = chat(invoke, "2 + 3?", "/budget 64", f"/save {path}", "/clear", f"/load {path}")
        assert said == (
            f"[thinking budget: 64 tokens]\n[saved: {path}]\n"
            "[forgotten; the conversation starts anew]\n[1 turn of a conversation with tiny]\n"
        )
        assert [m["content"] for m in llm.conversation.messages] == ["2 + 3?", "5"]
        assert llm.conversation.budget.limit == 64

    def test_what_the_command_line_says_comes_before_what_was_saved(
        self, invoke: Invoke, llm: FakeLLM, tmp_path: Path
    ) -> None:
        path = tmp_path / "talk.json"
        chat(invoke, "/budget 64", "/system Be long.", f"/save {path}")
        flags = "--budget", "8", "--system", "Be brief."
        invoke("chat", *flags, stdin=f"/load {path}\n")
        assert (llm.conversation.budget.limit, llm.conversation.system) == (8, "Be brief.")
        assert llm.conversation.messages == [{"role": "system", "content": "Be brief."}]
        invoke("chat", stdin=f"/load {path}\n")
        assert (llm.conversation.budget.limit, llm.conversation.system) == (64, "Be long.")
        assert llm.conversation.messages == [{"role": "system", "content": "Be long."}]

    def test_a_default_budget_stays_one(self, invoke: Invoke, llm: FakeLLM, tmp_path: Path) -> None:
        path = tmp_path / "talk.json"
        chat(invoke, f"/save {path}", f"/load {path}")
        assert (llm.conversation.budget.limit, llm.conversation.budget.given) == (512, False)

    def test_a_file_that_is_none_leaves_the_conversation(
        self, invoke: Invoke, llm: FakeLLM, tmp_path: Path
    ) -> None:
        llm.enqueue(answers("5"))
        (tmp_path / "talk.json").write_text("{}")
        said = chat(invoke, "2 + 3?", f"/load {tmp_path / 'talk.json'}", "/save", "/load")
        assert said == (
            f"Error: {tmp_path / 'talk.json'} is no saved conversation: it has no messages\n"
            "/save writes one.\n"
            "Error: /save needs the name of a file\nError: /load needs the name of a file\n"
        )
        assert len(llm.conversation.messages) == 2

    def test_export_is_for_reading(self, invoke: Invoke, llm: FakeLLM, tmp_path: Path) -> None:
        llm.enqueue(answers("5"))
        chat(invoke, "2 + 3?", f"/export {tmp_path / 'talk.md'}")
        assert (tmp_path / "talk.md").read_text() == "## You\n\n2 + 3?\n\n## Qwen3\n\n5\n"

    @pytest.mark.parametrize("command", ["/save", "/export"])
    def test_a_file_that_is_there_is_replaced_only_on_request(
        self, invoke: Invoke, tmp_path: Path, command: str
    ) -> None:
        path = tmp_path / "a diary"
        path.write_text("Dear diary")
        assert chat(invoke, f"{command} {path}") == (
            f"Error: {path} exists\nChoose another name, or replace it with {command}! {path}\n"
        )
        assert path.read_text() == "Dear diary"
        said = chat(invoke, f"{command}! {path}", f"{command} {path}")
        assert said.count(str(path)) == 2
        assert "Error" not in said
        assert path.read_text() != "Dear diary"

    def test_what_this_chat_saved_or_loaded_is_saved_again(
        self, invoke: Invoke, llm: FakeLLM, tmp_path: Path
    ) -> None:
        path = tmp_path / "talk.json"
        assert "Error" not in chat(invoke, f"/save {path}", f"/save {path}")
        for answer in ("5", "6"):
            llm.enqueue(answers(answer))
        said = chat(invoke, "2 + 3?", f"/save {path}", f"/load {path}", "3 + 3?", f"/save {path}")
        assert said.startswith(f"Error: {path} exists\n")
        assert said.endswith(f"[saved: {path}]\n")
        assert len(load(path).messages) == 2

    def test_an_export_does_not_replace_what_was_saved(
        self, invoke: Invoke, tmp_path: Path
    ) -> None:
        path = tmp_path / "talk"
        assert f"Error: {path} exists" in chat(invoke, f"/save {path}", f"/export {path}")
        assert load(path).messages == []
        assert f"Error: {path} exists" in chat(invoke, f"/export! {path}", f"/save {path}")

    @pytest.mark.parametrize("command", ["/save", "/save!", "/export"])
    def test_no_folder_is_made(self, invoke: Invoke, tmp_path: Path, command: str) -> None:
        folder = tmp_path / "none"
        assert chat(invoke, f"{command} {folder}/talk") == (
            f"Error: {folder}/talk cannot be written: there is no folder {folder}\n"
            "Name a file in a folder that exists.\n"
        )
        assert not folder.exists()

    def test_a_name_that_no_file_can_have_ends_no_chat(self, invoke: Invoke) -> None:
        said = chat(invoke, f"/save {'x' * 300}", f"/export {'x' * 300}", "/context")
        assert said.count("Error: ") == 2
        assert said.endswith("0 turns]\n")

    def test_a_zero_byte_in_a_name_ends_no_chat(self, invoke: Invoke) -> None:
        for command in ("/file", "/load", "/save", "/save!", "/export"):
            said = chat(invoke, f"{command} x\0y", "/context")
            assert said.startswith("Error: ")
            assert "cannot be a file: it holds a zero byte\n" in said
            assert said.endswith("0 turns]\n")

    def test_a_file_goes_before_the_message_and_switches_nothing(
        self, invoke: Invoke, llm: FakeLLM, tmp_path: Path
    ) -> None:
        llm.enqueue(answers("5"))
        llm.enqueue(answers("6"))
        path = tmp_path / "notes.txt"
        path.write_text("The code is 41. /no_think\n")
        said = chat(invoke, f"/file {path}", "Which code?", "And now?")
        assert said == f"[{path} goes with your next message]\n"
        assert llm.conversation.asked == [
            (f"{attached(path)}\n\nWhich code?", "Which code?"),
            ("And now?", "And now?"),
        ]

    @pytest.mark.parametrize(
        ("name", "typed"),
        [
            ("my notes.txt", "'{}/my notes.txt'"),
            ("my notes.txt", '"{}/my notes.txt"'),
            ("my notes (1).txt", r"{}/my\ notes\ \(1\).txt"),
            ("it's.txt", r"{}/it\'s.txt"),
            ("it's.txt", "{}/it's.txt"),
            ("a\\ b", r"{}/a\ b"),
        ],
    )
    def test_a_path_may_be_written_as_for_a_shell(
        self, invoke: Invoke, tmp_path: Path, name: str, typed: str
    ) -> None:
        """As terminals write a file that is dropped on them."""
        path = tmp_path / name
        path.write_text("The code is 41.\n")
        said = chat(invoke, f"/file {typed.format(tmp_path)}")
        assert said == f"[{path} goes with your next message]\n"

    @pytest.mark.parametrize(
        ("typed", "name"),
        [
            ("'{}/my chat.json'", "my chat.json"),
            (r"{}/my\ chat.json", "my chat.json"),
            ("{}/it's.json", "it's.json"),
            ("{}/my 'new' chat.json", "my 'new' chat.json"),
        ],
    )
    def test_a_place_may_be_written_as_for_a_shell(
        self, invoke: Invoke, tmp_path: Path, typed: str, name: str
    ) -> None:
        place = typed.format(tmp_path)
        said = chat(invoke, f"/save {place}", f"/load {place}", f"/save {place}")
        assert said.count(f"[saved: {tmp_path / name}]\n") == 2
        assert [path.name for path in tmp_path.iterdir()] == [name]

    def test_a_path_that_is_none_is_named_as_it_was_typed(self, invoke: Invoke) -> None:
        for typed in ("'/no such file'", "/no/such 'file", "/no such file"):
            assert chat(invoke, f"/file {typed}") == f"Error: there is no file {typed}\n"

    def test_a_home_that_is_none_ends_no_chat(self, invoke: Invoke) -> None:
        for command in ("/file", "/load", "/save", "/export"):
            said = chat(invoke, f"{command} ~nobody-here/x", "/context")
            assert said.startswith("Error: ~nobody-here/x ")
            assert said.endswith("0 turns]\n")

    def test_a_file_is_forgotten_with_the_conversation(
        self, invoke: Invoke, llm: FakeLLM, tmp_path: Path
    ) -> None:
        """Else nothing more could be said after one that is longer than the context."""
        llm.enqueue([ContextOverflowError("the prompt has 9000 tokens")])
        llm.enqueue(answers("5"))
        path = tmp_path / "notes.txt"
        path.write_text("long")
        chat(invoke, f"/file {path}", "Why?", "/clear", "2 + 3?")
        asked = [text for text, _ in llm.conversation.asked]
        assert asked == [f"{attached(path)}\n\nWhy?", "2 + 3?"]

    def test_a_pipe_has_no_clipboard(self, invoke: Invoke, llm: FakeLLM) -> None:
        llm.enqueue(answers("5"))
        assert chat(invoke, "/copy", "2 + 3?", "/copy") == (
            "Error: there is no answer to copy yet\n"
            "Error: there is no clipboard here: this is no terminal\n"
        )


class TestModel:
    def test_another_one_goes_on_with_the_talk(self, invoke: Invoke, llm: FakeLLM) -> None:
        llm.enqueue(answers("5"))
        assert chat(invoke, "2 + 3?", "/model", "/model 8b") == "[model: tiny]\n[model: tiny]\n"
        assert llm.loaded["name"] == "8b"
        assert len(llm.conversation.messages) == 2

    def test_ctrl_c_while_it_loads_leaves_the_old_one(
        self, invoke: Invoke, llm: FakeLLM, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def load(name: str, **wishes: object) -> FakeLLM:
            if name == "8b":
                raise KeyboardInterrupt
            return llm

        monkeypatch.setitem(vars(qwen3_mlx), "load", load)
        assert chat(invoke, "/model 8b", "/model") == (
            "Error: stopped: tiny goes on\n[model: tiny]\n"
        )


class TestThinking:
    def test_a_budget_of_nothing_is_said(self, invoke: Invoke, llm: FakeLLM) -> None:
        assert chat(invoke, "/budget 0", "/think") == (
            "[thinking budget: 0 tokens, so it answers at once]\n"
            "[thinks before it answers, once its budget is more than 0: /budget N]\n"
        )

    def test_a_word_that_was_typed_is_counted_in(self, invoke: Invoke, llm: FakeLLM) -> None:
        assert chat(invoke, "/no_think", "/thinking", "/think", "/thinking", "/thinking off") == (
            "[answers at once]\n" * 2
            + "[thinks before it answers]\n[thinks up to 512 tokens]\n[answers at once]\n"
        )

    def test_a_budget_can_be_too_large(self, invoke: Invoke, llm: FakeLLM) -> None:
        assert chat(invoke, "/budget 0099", "/budget 99999999999999999999") == (
            "[thinking budget: 99 tokens]\n"
            "Error: a thinking budget of 10 digits or more is too large\nGive none for no end.\n"
        )


class TestSeveralLines:
    def test_stand_between_triple_quotes(self, invoke: Invoke, llm: FakeLLM) -> None:
        llm.enqueue(answers("5"))
        chat(invoke, '"""', "/help", "", 'two"""')
        assert llm.conversation.asked == [("/help\n\ntwo", "/help\n\ntwo")]

    def test_end_with_the_input(self, invoke: Invoke, llm: FakeLLM) -> None:
        llm.enqueue(answers("5"))
        chat(invoke, '"""one', "two")
        assert llm.conversation.asked == [("one\ntwo", "one\ntwo")]


class TestCompletion:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("/th", ["/think", "/thinking", "/thoughts"]),
            ("/thoughts h", ["hidden"]),
            ("/budget ", ["none", "auto"]),
            ("/set top", ["top_p", "top_k"]),
            ("/model tiny", ["tiny", "tiny-dense"]),
            ("/model 14", ["14b"]),
            ("/nothing x", []),
            ("hello /th", []),
            ("//th", []),
        ],
    )
    def test_of_commands(self, text: str, words: list[str]) -> None:
        assert list(completions(text)) == words

    def test_of_files(self, tmp_path: Path) -> None:
        (tmp_path / "notes").mkdir()
        for name in ("notes.txt", ".hidden", "other"):
            (tmp_path / name).write_text("")
        assert list(completions(f"/file {tmp_path}/no")) == [
            f"{tmp_path}/notes/",
            f"{tmp_path}/notes.txt",
        ]
        assert list(completions(f"/load {tmp_path}/.h")) == [f"{tmp_path}/.hidden"]
        assert list(completions(f"/load {tmp_path}/nowhere/")) == []
