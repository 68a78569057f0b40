"""Tools in `chat` and `ask` through plain pipes: offered, allowed, refused, listed, kept."""

from __future__ import annotations

import json
import sys
from io import StringIO
from pathlib import Path

import pytest

from qwen3_mlx.cli.call_wording import brief, folded, whole
from qwen3_mlx.cli.calls import Calls
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.cli.tool_registry import ToolRegistry
from qwen3_mlx.events import ToolCall, ToolResult
from tests.cli.conftest import Invoke
from tests.cli.fakes import Calls as CallsTogether
from tests.cli.fakes import FakeLLM, answers, calls, stops, thinks
from tests.tools import mcp_servers

PRODUCT = calls("calculator", expression="347*582")
FOLDED = "[calculator(347*582) = 201954]\n"
ASKED = 'calculator(expression="347*582")'


def config(tmp_path: Path, **kinds: str) -> str:
    """A file of MCP servers, by name and kind."""
    script = str(Path(mcp_servers.__file__))
    servers = {
        name: {"command": sys.executable, "args": ["-S", "-E", script, kind]}
        for name, kind in kinds.items()
    }
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": servers}))
    return str(path)


def test_allowed_tools_run_and_are_folded_to_a_line(invoke: Invoke, llm: FakeLLM) -> None:
    llm.enqueue(thinks("hm\n"), stops(tokens=1), PRODUCT, thinks("so"), stops(tokens=1))
    llm.conversation.turns[0] += answers("It is 201954.")
    result = invoke(
        "chat", "--tools", "calculator", "--allow-tools", "calculator", stdin="347 * 582?\n"
    )
    thought = "[thought for 3.2 s · 1 of 512 tokens · stopped by itself]\n"
    assert result.stdout == "It is 201954.\n"
    assert result.stderr == (
        f"[thinking 1/512] hm\n{thought}{FOLDED}[thinking 1/512] so\n{thought}"
    )


def test_without_a_terminal_nothing_runs_that_is_not_allowed(invoke: Invoke, llm: FakeLLM) -> None:
    llm.enqueue(PRODUCT, answers("I cannot tell."))
    result = invoke("ask", "--tools", "calculator", "347 * 582?")
    assert result.stdout == "I cannot tell.\n"
    assert result.exit_code == 0
    assert result.stderr.startswith(
        f"[{ASKED} does not run: nobody can be asked here; --allow-tools calculator allows it]\n"
        "[calculator(347*582) failed: the call was not allowed]\n"
    )


@pytest.mark.parametrize("allowed", ["all", "time,calculator", " calculator "])
def test_ask_with_tools(invoke: Invoke, llm: FakeLLM, allowed: str) -> None:
    llm.enqueue(PRODUCT, answers("201954"))
    result = invoke("ask", "--tools", "calculator,time", "--allow-tools", allowed, "347 * 582?")
    assert result.stdout == "201954\n"
    assert result.stderr.startswith(FOLDED)


def test_ask_in_json(invoke: Invoke, llm: FakeLLM) -> None:
    for _ in range(2):
        llm.enqueue(PRODUCT, answers("201954"))
    allowed = ("--tools", "calculator", "--allow-tools", "all")
    reply = json.loads(invoke("ask", *allowed, "--json", "347 * 582?").stdout)
    assert reply["steps"][0]["results"][0]["text"] == "201954"
    lines = invoke("ask", *allowed, "--jsonl", "347 * 582?").stdout.splitlines()
    assert [json.loads(line)["event"] for line in lines] == [
        *("tool_call", "tool_result", "step_done", "answer", "done")
    ]


def test_several_calls_at_once_keep_their_results(invoke: Invoke, llm: FakeLLM) -> None:
    asked = [ToolCall("calculator", {"expression": text}) for text in ("1+1", "1/0", "2+2")]
    llm.enqueue([CallsTogether((*asked, ToolCall("oven", {})))], answers("Done."))
    result = invoke("ask", "--tools", "calculator", "--allow-tools", "all", "--plain", "Go")
    assert result.stderr.splitlines()[:4] == [
        "[calculator(1+1) = 2]",
        "[calculator(1/0) failed: division by zero]",
        "[calculator(2+2) = 4]",
        "[oven() failed: there is no tool oven; there are: calculator]",
    ]


def test_the_files_of_a_folder(invoke: Invoke, llm: FakeLLM, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "note.txt").write_text("buy\nmilk\n")
    (tmp_path / "secret").write_text("key")
    for path in ("note.txt", "../secret"):
        llm.enqueue(calls("read_file", path=path), answers("Read."))
    offered = ("--tools", f"files={tmp_path / 'in'}", "--allow-tools", "files")
    assert "[read_file(note.txt) = buy milk]\n" in invoke("ask", *offered, "Read").stderr
    refused = "'../secret' is outside of the folder that may be read"
    assert f"[read_file(../secret) failed: {refused}]\n" in invoke("ask", *offered, "Read").stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--tools", "calculater"], "there is no tool 'calculater'\nThere are calculator, files, "),
        (["--tools", "calculator,calculator"], "--tools names calculator twice"),
        (["--tools", "files=/no/such/folder"], "there is no folder /no/such/folder"),
        (
            ["--tools", "time", "--allow-tools", "clock"],
            "no tool 'clock' is offered\nThere are ",
        ),
        (["--allow-tools", "time"], "no tool 'time' is offered\nOffer some with --tools or --mcp."),
        (["--mcp", "/no/such.json"], "there is no file /no/such.json"),
    ],
)
@pytest.mark.parametrize("command", [["chat"], ["ask", "Hi"]])
def test_what_cannot_be_offered(
    invoke: Invoke, llm: FakeLLM, command: list[str], options: list[str], said: str
) -> None:
    result = invoke(*command, *options)
    assert result.stderr.startswith(f"Error: {said}")
    assert result.exit_code == 2
    assert llm.loaded == {}  # said before the model is loaded


def test_the_tools_are_listed_and_turned(invoke: Invoke, llm: FakeLLM) -> None:
    lines = ["/tools", "/tools off files", "/tools on read_file", "/tools off", "/tools off oven"]
    result = invoke(
        "chat", "--tools", "calculator,files", "--allow-tools", "calculator", stdin="\n".join(lines)
    )
    first = "calculator  calculator  runs unasked\n"
    asking, off = (
        tuple(f"{name:10}  files       {how}\n" for name in ("read_file", "list_files"))
        for how in ("asks first", "off")
    )
    assert result.stderr == (
        f"{first}{asking[0]}{asking[1]}{first}{off[0]}{off[1]}{first}{asking[0]}{off[1]}"
        "Error: /tools takes on NAME or off NAME\n/tools alone lists them.\n"
        "Error: no tool 'oven' is offered\nThere are calculator, files, read_file, list_files.\n"
    )
    assert [tool.name for tool in llm.conversation.tools] == ["calculator", "read_file"]


def test_no_tools(invoke: Invoke, llm: FakeLLM) -> None:
    result = invoke("chat", stdin="/tools\n")
    assert result.stderr == "[no tools are offered: begin the chat with --tools or --mcp]\n"
    assert "tools" not in llm.wishes


def test_another_model_gets_the_same_tools(invoke: Invoke, llm: FakeLLM) -> None:
    lines = ["/tools off time", "/model other"]
    invoke("chat", "--tools", "calculator,time", stdin="\n".join(lines))
    assert [tool.name for tool in llm.conversation.tools] == ["calculator"]


def test_mcp_servers_of_which_one_is_bad(invoke: Invoke, llm: FakeLLM, tmp_path: Path) -> None:
    llm.enqueue(calls("add", a=2, b=3), answers("5"))
    path = config(tmp_path, sums="adds", broken="dies at once")
    allowed = ("--mcp", path, "--tools", "calculator", "--allow-tools", "sums,broken")
    result = invoke("chat", *allowed, stdin="/tools\n2 + 3?\n")
    assert result.stdout == "5\n"
    assert result.stderr == (
        "Error: the MCP server broken cannot be used: it ended with exit code 7: "
        "Traceback: out of luck\n"
        "calculator  calculator  asks first\n"
        "add         sums        runs unasked\n"
        "[add(a=2, b=3) = 5]\n"
    )
    assert result.exit_code == 0


def test_an_mcp_server_that_dies_is_listed_as_gone(
    invoke: Invoke, llm: FakeLLM, tmp_path: Path
) -> None:
    llm.enqueue(calls("dies"), answers("No luck."))
    result = invoke(
        "chat",
        *("--mcp", config(tmp_path, frail="dies"), "--allow-tools", "all"),
        stdin="Go\n/tools\n",
    )
    why = "it ended with exit code 7: Traceback: out of luck"
    assert result.stdout == "No luck.\n"
    assert result.stderr == (
        f"[dies() failed: the MCP server frail: {why}]\ndies  frail  gone: {why}\n"
    )


def test_the_package_that_mcp_needs(
    invoke: Invoke, llm: FakeLLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "qwen3_mlx.tools.mcp", raising=False)
    monkeypatch.setitem(sys.modules, "mcp_types", None)
    result = invoke("ask", "--mcp", config(tmp_path, sums="adds"), "Hi")
    assert result.stderr == (
        "Error: MCP servers need the mcp package\nInstall it: pip install 'qwen3-mlx[mcp]'\n"
    )
    assert result.exit_code == 2


def test_hostile_calls_and_results_cannot_reach_the_terminal(
    invoke: Invoke, llm: FakeLLM, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "bad").write_text("\x1b[2Jred \x9b31m \u202etxt\rover")
    llm.enqueue(calls("read_file", path="bad"), answers("ok"))
    llm.enqueue(calls("read_file", path="\x1b]0;x\x07\u202e\ud800"), answers("ok"))
    offered = ("chat", "--tools", f"files={folder}")
    result = invoke(*offered, "--allow-tools", "all", stdin="one\ntwo\n")
    first, second = result.stderr.splitlines()
    assert first == "[read_file(bad) = red txtover]"
    assert second.startswith("[read_file(\\u001b]0;x\\u0007\\u202e\\ud800) failed: ")
    llm.enqueue(calls("read_file", path="a\u202eb\nc"), answers("ok"))
    asked = 'read_file(path="a\\u202eb\\nc") does not run: nobody can be asked here'
    assert asked in invoke(*offered, stdin="three\n").stderr


def test_what_is_to_be_redacted_is_redacted_in_calls(invoke: Invoke, llm: FakeLLM) -> None:
    llm.enqueue(PRODUCT, answers("201954"))
    allowed = ("--tools", "calculator", "--allow-tools", "all", "--redact", "201954|347")
    result = invoke("ask", *allowed, "347 * 582?")
    assert result.stderr.startswith("[calculator([redacted]*582) = [redacted]]\n")


def test_calls_that_a_stop_left_over_do_not_take_the_results_of_the_next_turn() -> None:
    told = StringIO()
    shown = Calls(Terminal(StringIO(), StringIO(), told), ToolRegistry())
    for names in (["one", "two"], ["three"]):
        shown.begin(lambda: None)
        for name in names:
            shown.begun(ToolCall(name, {}))
        shown.over(ToolResult(names[0], "done", failed=False, seconds=0.1))
        shown.end()
    assert told.getvalue() == "[one() = done]\n[three() = done]\n"


@pytest.mark.parametrize(
    ("call", "short", "long"),
    [
        (ToolCall("now", {}), "now()", "now()"),
        (ToolCall("f", {"x": "a b"}), "f(a b)", 'f(x="a b")'),
        (ToolCall("f", {"x": 1, "y": [True]}), "f(x=1, y=[true])", "f(x=1, y=[true])"),
        (ToolCall("f", {"x": {"k": "é"}}), 'f({"k": "é"})', 'f(x={"k": "é"})'),
    ],
)
def test_how_calls_are_written(call: ToolCall, short: str, long: str) -> None:
    assert (brief(call), whole(call.name, call.arguments)) == (short, long)


def test_a_folded_line_fits() -> None:
    call = ToolCall("read_file", {"path": "a" * 100})
    line = folded(call, ToolResult("read_file", "b\n" * 100, failed=False, seconds=0.1), 40)
    assert line == "read_file(aaaaaaaaa… = b b b b b b b b …"
    assert folded(call, ToolResult("read_file", " ", failed=False, seconds=0.1), 60).endswith(
        " = nothing"
    )
