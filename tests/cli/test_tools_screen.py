"""Tools in a terminal: the question before a call, the keys, the folded line."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from tests.cli.conftest import Start
from tests.cli.fakes import Hold, answers, calls, stops, thinks
from tests.cli.screen import Screen
from tests.tools import mcp_servers

CALCULATOR = ("chat", "--tools", "calculator")
PRODUCT = calls("calculator", expression="347*582")
FOLDED = "▸ calculator(347*582) = 201954"
KEYS = "run it? [y]es / [n]o / [a]lways this tool"
QUESTION = f'calculator(expression="347*582")  {KEYS}'
KEPT = "stopped before an answer; what the tools said is kept"
REFUSED = "▸ calculator(347*582) failed: the call was not allowed"


def ask(screen: Screen, text: str = "347 * 582?") -> None:
    screen.wait_for("›")
    screen.type(f"{text}\r")


def test_a_call_is_asked_about_and_folds_to_one_line(start: Start, tmp_path: Path) -> None:
    go = tmp_path / "go"
    thought = "thought for 3.2 s · 9 of 512 tokens · stopped by itself"
    turn = [*thinks("hm"), Hold(str(go)), *stops(tokens=9), *PRODUCT]
    turn += [*thinks("so"), *stops(tokens=9), *answers("It is 201954.")]
    screen = start(turn, args=CALCULATOR)
    ask(screen)
    screen.wait_for("1/512")
    screen.type("nnn")  # before the question, keys do not answer it
    go.touch()
    screen.wait_for(QUESTION)
    screen.type("q \ry")  # and other keys say nothing
    screen.wait_for("It is 201954.\n\n›")
    assert screen.text.split("› 347 * 582?\n")[1] == (
        f"{thought}\n{FOLDED}\n{thought}\nIt is 201954.\n\n›"
    )
    assert f"\x1b[2m{FOLDED}".encode() in screen.raw
    assert not screen.cursor_hidden
    screen.type("/thoughts last\r")
    screen.wait_for('hm\n\ncalculator(expression="347*582")\n201954')


def test_no_is_said_to_the_model_and_always_asks_no_more(start: Start) -> None:
    screen = start([*PRODUCT, *PRODUCT, *PRODUCT, *answers("As you wish.")], args=CALCULATOR)
    ask(screen)
    screen.wait_for("[a]lways")
    screen.type("n")
    screen.wait_for(f"{REFUSED}\n{QUESTION}")
    screen.type("A")
    screen.wait_for("As you wish.\n\n›")
    assert f"› 347 * 582?\n{REFUSED}\n{FOLDED}\n{FOLDED}\nAs you wish." in screen.text
    screen.type("/tools\r")
    screen.wait_for("runs unasked")


def test_ctrl_c_ends_the_turn_and_keeps_the_chat(start: Start, tmp_path: Path) -> None:
    script = str(Path(mcp_servers.__file__))
    server = {"command": sys.executable, "args": ["-S", "-E", script, "sleeps"]}
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {"slow": server}}))
    turns = [[*PRODUCT, *answers("never")], [*calls("sleeps"), *answers("never")], answers("5")]
    args = (*CALCULATOR, "--mcp", str(path), "--allow-tools", "slow")
    screen = start(*turns, args=args, rows=40)
    ask(screen)
    screen.wait_for("[a]lways")
    screen.type("\x03")
    screen.wait_for(f"{REFUSED}\n{KEPT}\n\n›")
    screen.type("Sleep\r")
    screen.wait_for("▸ sleeps()")
    screen.type("\x03")
    stopped = "▸ sleeps() failed: the call was stopped before it came to a result"
    screen.wait_for(f"{stopped}\n{KEPT}\n\n›")
    screen.type("2 + 3?\r")
    screen.wait_for("5\n\n›")
    assert "never" not in screen.text
    assert not screen.cursor_hidden
    screen.type("\x04")
    assert screen.finish() == 0


def test_nothing_of_a_call_is_hidden_from_who_allows_it(start: Start) -> None:
    expression = "+".join(map(str, range(100, 200)))
    hostile = calls("calculator", expression="1\x1b[2K\x1b[1A\u202e+1")
    turn = [*calls("calculator", expression=expression), *hostile, *answers("Much.")]
    screen = start(turn, args=CALCULATOR, columns=60)
    ask(screen)
    screen.wait_for("[a]lways")
    assert f'(expression="{expression}")' in re.sub(r"\s", "", screen.text)
    screen.type("y")
    screen.wait_for("▸ calculator(100+101+102+103+1… = 14950")
    asked = 'calculator(expression="1\\u001b[2K\\u001b[1A\\u202e+1")'
    screen.wait_until(lambda: asked in re.sub(r"\s", "", screen.text), "the question")
    screen.type("y")
    screen.wait_for("Much.\n\n›")
    assert "▸ calculator(1\\u001b[2K\\u001b[… failed:" in screen.text


def test_plain_lines_are_asked_too(start: Start) -> None:
    screen = start([*PRODUCT, *answers("201954")], args=(*CALCULATOR, "--plain"), columns=100)
    ask(screen)
    screen.wait_for(f"[{QUESTION}]")
    screen.type("y")
    screen.wait_for("201954\n\n›")
    assert "[calculator(347*582) = 201954]" in screen.text


def test_ask_asks_in_a_terminal(start: Start) -> None:
    args = ("ask", "--tools", "calculator", "347 * 582?")
    screen = start([*PRODUCT, *answers("It is 201954.")], args=args)
    screen.wait_for("[a]lways")
    screen.type("y")
    assert screen.finish() == 0
    assert f"{FOLDED}\nIt is 201954." in screen.text


def test_ctrl_c_at_the_question_of_ask_leaves(start: Start) -> None:
    args = ("ask", "--tools", "calculator", "347 * 582?")
    screen = start([*PRODUCT, *answers("never")], args=args)
    screen.wait_for("[a]lways")
    screen.type("\x03")
    assert screen.finish() == 130
    assert "never" not in screen.text
    assert not screen.cursor_hidden
