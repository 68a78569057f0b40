"""The program itself: its help, its version, its exit codes, what it imports."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from qwen3_mlx.cli.app import errors_reported
from qwen3_mlx.cli.filter import clean
from tests.cli.conftest import Invoke
from tests.cli.fakes import FakeLLM, answers
from tests.cli.screen import REPOSITORY

HEAVY = ("mlx", "transformers", "torch", "huggingface_hub", "prompt_toolkit", "jinja2", "numpy")

IMPORTED = """
import sys
from qwen3_mlx.cli.app import main
sys.argv = ["qwen3-mlx", *sys.argv[1:]]
try:
    main()
finally:
    print(*{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["chat", "--help"],
        ["ask", "--help"],
        ["bench", "--help"],
        ["config", "show", "--help"],
        ["--version"],
    ],
)
def test_help_and_version_import_nothing_heavy(args: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, *args],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        check=True,
    )
    assert not {*HEAVY} & {*done.stderr.split()}
    assert "qwen3-mlx" in done.stdout


def test_the_commands_are_listed(invoke: Invoke) -> None:
    result = invoke("--help")
    assert result.stdout == (
        "Usage: qwen3-mlx [OPTIONS] COMMAND [ARGS]...\n"
        "\n"
        "  Run Qwen3 on MLX, and see, trust and turn its thinking budget.\n"
        "\n"
        "Options:\n"
        "  --version   Say the version.\n"
        "  -h, --help  Show this message and exit.\n"
        "\n"
        "Commands:\n"
        "  chat     Talk with a model and watch it think.\n"
        "  ask      Ask one question.\n"
        "  convert  Convert weights to MLX.\n"
        "  verify   Compare a model with its record, or with its source.\n"
        "  prune    Remove the experts that a text needs least.\n"
        "  experts  Show which experts a text goes to.\n"
        "  pull     Fetch a model.\n"
        "  models   List the models there are.\n"
        "  doctor   Look at this machine: what it can run, and what is wrong with it.\n"
        "  bench    Measure how fast a model runs here.\n"
        "  curve    Measure how many answers are right within each thinking budget.\n"
        "  config   See what holds for each setting.\n"
    )


@pytest.mark.parametrize("command", [[], ["chat"], ["config"], ["config", "show"]])
def test_help_has_a_short_form(invoke: Invoke, command: list[str]) -> None:
    result = invoke(*command, "-h")
    assert (result.exit_code, result.stdout) == (0, invoke(*command, "--help").stdout)


def test_a_switch_shows_no_default_of_the_other_side(invoke: Invoke) -> None:
    assert "default: True" not in invoke("chat", "--help").stdout


def test_without_a_command_the_help_is_shown(invoke: Invoke) -> None:
    assert invoke().output == invoke("--help").output


def test_an_unknown_command_gets_a_suggestion(invoke: Invoke) -> None:
    result = invoke("chta")
    assert result.exit_code == 2
    assert "No such command 'chta'. Did you mean 'chat'?" in result.stderr


def test_a_file_system_error_is_a_message(
    invoke: Invoke, llm: FakeLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_args: object, **_wishes: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/models/x")

    monkeypatch.setattr(llm, "chat", no_space)
    result = invoke("ask", "2 + 3?")
    assert result.exit_code == 1
    assert result.stderr == "Error: [Errno 28] No space left on device: '/models/x'\n"


def test_an_interrupt_leaves_with_130(
    invoke: Invoke, llm: FakeLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_args: object, **_wishes: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(llm, "chat", interrupted)
    result = invoke("ask", "2 + 3?")
    assert (result.stdout, result.exit_code) == ("", 130)


def test_a_mistake_of_ours_is_not_hidden() -> None:
    with pytest.raises(KeyError), errors_reported():
        raise KeyError("a bug")


@pytest.mark.parametrize("before", [[], ["ask"], ["ask", "a question"], ["config", "show"]])
def test_what_was_mistyped_is_shown_without_what_reorders_it(
    invoke: Invoke, before: list[str]
) -> None:
    result = invoke(*before, "--wrong\u202egnp.exe")
    assert result.exit_code == 2
    assert "--wronggnp.exe" in result.stderr


@pytest.mark.parametrize("said", ["-5 + 3?", "- why?", "--5 is what?"])
def test_a_question_that_begins_with_a_dash_is_no_option(
    invoke: Invoke, llm: FakeLLM, said: str
) -> None:
    result = invoke("ask", said)
    assert result.exit_code == 2
    assert result.stderr.endswith(". To say what begins with a dash, write -- before it\n")
    llm.enqueue(answers("-2"))
    assert invoke("ask", "--", said).stdout == "-2\n"


@pytest.mark.parametrize("said", ["--bugdet", "-z"])
def test_an_option_that_there_is_not_may_be_a_mistake(invoke: Invoke, said: str) -> None:
    result = invoke("ask", said)
    assert (result.exit_code, "dash" in result.stderr) == (2, False)


def test_an_argument_too_many_is_shown_filtered(invoke: Invoke) -> None:
    result = invoke("ask", "a question", "\x1b[31mfile\u202e")
    assert (result.exit_code, "file" in result.stderr) == (2, True)
    assert clean(result.stderr) == result.stderr


def test_what_a_mistake_of_ours_quotes_is_filtered() -> None:
    begins = (
        "import sys\n"
        "from qwen3_mlx.cli import app\n"
        "def quotes(): raise RuntimeError('\\x1b]0;evil\\x07a bug\\u202e')\n"
        "app.app = quotes\n"
        "app.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", begins], capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stderr.decode().endswith("RuntimeError: a bug\n")


def test_ctrl_c_while_it_starts_leaves_quietly() -> None:
    begins = (
        "import signal, sys\n"
        "class Slow:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'typer': signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Slow())\n"
        "from qwen3_mlx.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", begins], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")
