"""MCP servers as processes: good ones, and every way in which one can be bad."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from qwen3_mlx.errors import LONGEST, ToolError
from qwen3_mlx.tools import mcp_server, mcp_transport
from qwen3_mlx.tools.mcp import McpServers, unique_names
from qwen3_mlx.tools.mcp_config import ServerConfig
from tests.tools import mcp_servers

PATIENCE = 10.0


def config(kind: str, name: str = "") -> ServerConfig:
    script = str(Path(mcp_servers.__file__))
    return ServerConfig(name or kind.replace(" ", "_"), sys.executable, ("-S", "-E", script, kind))


@pytest.fixture(autouse=True)
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers that do not end by themselves are ended soon."""
    monkeypatch.setattr(mcp_transport, "GRACE", 0.2)


def called(servers: McpServers, name: str, **arguments: object) -> str:
    tools = {tool.name: tool for _, tool in servers.tools()}
    return tools[name].call(arguments)


def refusal(servers: McpServers, name: str, **arguments: object) -> str:
    with pytest.raises(ToolError) as refused:
        called(servers, name, **arguments)
    return refused.value.message


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def runs(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{number}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")


def test_a_server_of_the_official_package() -> None:
    script = str(Path(mcp_servers.__file__))
    with McpServers([ServerConfig("real", sys.executable, (script, "official"))]) as servers:
        ((server, tool),) = servers.tools()
        assert (server.name, server.trouble) == ("real", "")
        assert (tool.name, tool.description) == ("multiply", "Multiply two numbers.")
        assert tool.parameters["required"] == ["a", "b"]
        assert tool.call({"a": 347, "b": 582}) == "201954"
        assert "boom" in refusal(servers, "multiply", a="boom", b=1)
    assert refusal(servers, "multiply", a=1, b=1) == "the MCP server real is gone: it was closed"


def test_bad_servers_are_named_and_the_good_one_goes_on(capfd: pytest.CaptureFixture[str]) -> None:
    kinds = ["adds", "dies at once", "floods at once", "long line", "many parts", "wrong list"]
    missing = ServerConfig("missing", "no-such-program")
    nowhere = ServerConfig("nowhere", sys.executable, cwd="/no/such/folder")
    with McpServers([*map(config, kinds), missing, nowhere]) as servers:
        assert {server.name: server.trouble for server in servers.servers} == {
            "adds": "",
            "dies_at_once": "it ended with exit code 7: Traceback: \x1b[31mout of luck",
            "floods_at_once": "it writes without end",
            "long_line": "it wrote a line of more than 4 MB",
            "many_parts": "it wrote a message of more parts than can be read",
            "wrong_list": "its answer cannot be understood",
            "missing": "no-such-program: No such file or directory",
            "nowhere": "/no/such/folder: No such file or directory",
        }
        assert [tool.name for _, tool in servers.tools()] == ["add"]
        assert called(servers, "add", a=2, b=3) == "5"
    assert capfd.readouterr() == ("", "")


def test_a_server_that_speaks_something_else() -> None:
    with McpServers([config("nonsense")], seconds=0.5) as servers:
        (server,) = servers.servers
        assert server.trouble == 'it did not answer within 0.5 s; it said: "hello"'


def test_what_a_server_makes_the_client_say_is_shortened() -> None:
    with McpServers([config("wordy version")]) as servers:
        (server,) = servers.servers
        assert server.trouble.startswith("RuntimeError: Unsupported protocol version")
        assert len(server.trouble) < LONGEST


def test_a_server_that_dies_in_a_call(capfd: pytest.CaptureFixture[str]) -> None:
    with McpServers([config("dies"), config("chatty")]) as servers:
        assert refusal(servers, "dies") == (
            "the MCP server dies: it ended with exit code 7: Traceback: \x1b[31mout of luck"
        )
        assert refusal(servers, "dies").startswith("the MCP server dies is gone: it ended")
        assert called(servers, "add", a=2, b=3) == "5"
        assert [server.trouble == "" for server in servers.servers] == [False, True]
    assert capfd.readouterr() == ("", "")


def test_a_server_that_floods_in_a_call() -> None:
    with McpServers([config("floods")]) as servers:
        assert refusal(servers, "floods") == "the MCP server floods: it writes without end"


def test_a_server_that_never_answers_a_call() -> None:
    with McpServers([config("sleeps")]) as servers:
        (server,) = servers.servers
        with pytest.raises(ToolError, match=r"sleeps: it did not answer within 0\.2 s"):
            server.call("sleeps", {}, seconds=0.2)
        assert server.trouble == ""


def test_results_of_every_kind() -> None:
    with McpServers([config("mixed")]) as servers:
        assert called(servers, "mixed") == (
            "words\n[left out: image, image/png]\n[a link: https://example.org/a]\na note\n"
            "[left out: resource]"
        )
        assert called(servers, "data") == '{"n": 1}'
        assert refusal(servers, "fails") == "no such city"
        assert refusal(servers, "mute") == "the tool failed and did not say why"
        assert refusal(servers, "wrong") == (
            "the MCP server mixed: its answer cannot be understood"
        )


def test_a_server_sees_little_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "1")
    with McpServers([config("mixed")]) as servers:
        names = called(servers, "environment").split(",")
    assert "PATH" in names
    assert "SECRET_KEY" not in names


def test_nothing_is_left_running() -> None:
    with McpServers([config("child")]) as servers:
        number = int(called(servers, "number"))
        assert runs(number)
    wait_until(lambda: not runs(number))


def test_too_many_tools_and_too_long_descriptions() -> None:
    with McpServers([config("many"), config("wordy")]) as servers:
        names = [tool.name for _, tool in servers.tools()]
    assert names == [*(f"t{n}" for n in range(mcp_server.MAX_TOOLS)), "brief"]


def test_an_interrupt_while_servers_start_leaves_none() -> None:
    servers = McpServers([config("nonsense")])
    main = threading.get_ident()
    press = threading.Timer(0.5, signal.pthread_kill, (main, signal.SIGINT))
    press.start()
    with pytest.raises(KeyboardInterrupt), servers:
        pass
    press.join()
    assert [server.trouble for server in servers.servers] == ["it was closed"]


@pytest.mark.parametrize(
    ("offers", "taken", "names"),
    [
        ([("a", "x"), ("b", "y")], (), ["x", "y"]),
        ([("a", "x"), ("b", "x"), ("b", "y")], (), ["a_x", "b_x", "y"]),
        ([("a", "x")], ("x",), ["a_x"]),
        ([("a", "x"), ("a", "x")], (), ["a_x", "a_x_2"]),
        ([("a", "x"), ("b", "a_x")], ("x", "a_x"), ["a_x_2", "b_a_x"]),
        ([("my files", 'read "it"')], (), ["read__it_"]),
    ],
)
def test_no_two_tools_have_one_name(
    offers: list[tuple[str, str]], taken: tuple[str, ...], names: list[str]
) -> None:
    assert unique_names(offers, taken) == names
