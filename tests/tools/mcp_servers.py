"""MCP servers for tests, good ones and bad ones: `python mcp_servers.py KIND`.

All but `official` speak the protocol by hand, so that they start at once and can break it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable

NUMBERS = {"a": {"type": "integer"}, "b": {"type": "integer"}}
ADD: dict[str, object] = {
    "name": "add",
    "description": "Add two numbers.",
    "inputSchema": {"type": "object", "properties": NUMBERS, "required": ["a", "b"]},
}


def tool(name: str, description: str = "") -> dict[str, object]:
    """A tool that takes nothing."""
    return {"name": name, "description": description, "inputSchema": {"type": "object"}}


def say(value: object) -> None:
    """Writes a line."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def text(words: str, **more: object) -> dict[str, object]:
    """The result of a call."""
    return {"content": [{"type": "text", "text": words}], **more}


def serve(
    tools: list[dict[str, object]],
    call: Callable[[dict[str, object]], object],
    version: str = "2025-06-18",
) -> None:
    """Answers requests until the input is closed; `call` makes the results of calls."""
    info = {"name": "by hand", "version": "1"}
    hello = {
        "protocolVersion": version,
        "capabilities": {"tools": {}},
        "serverInfo": info,
    }
    for line in sys.stdin:
        request = json.loads(line)
        method, number = request["method"], request.get("id")
        if number is None:
            continue
        if method == "tools/call":
            result: object = call(request["params"])
        else:
            result = {"initialize": hello, "tools/list": {"tools": tools}}.get(method)
        error = {"code": -32601, "message": f"no {method}"}
        answer = {"error": error} if result is None else {"result": result}
        say({"jsonrpc": "2.0", "id": number, **answer})


def adds(params: dict[str, object]) -> object:
    """Adds the arguments."""
    arguments = params["arguments"]
    assert isinstance(arguments, dict)
    return text(str(arguments["a"] + arguments["b"]))


def dies(_params: dict[str, object]) -> object:
    """Ends the process in the middle of a call."""
    sys.stderr.write("Traceback: \x1b[31mout of luck\n")
    sys.stderr.flush()
    os._exit(7)


def sleeps(_params: dict[str, object]) -> object:
    """Never answers."""
    time.sleep(600)
    return None


def floods(_params: dict[str, object]) -> object:
    """Writes messages without end."""
    while True:
        say({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})


def mixed(params: dict[str, object]) -> object:
    """Results of every kind, by the tool's name."""
    link = {"type": "resource_link", "uri": "https://example.org/a", "name": "a"}
    inside = {"type": "resource", "resource": {"uri": "file:///n", "text": "a note"}}
    blob = {"type": "resource", "resource": {"uri": "file:///b", "blob": "AA=="}}
    image = {"type": "image", "data": "AA==", "mimeType": "image/png"}
    words = {"type": "text", "text": "words"}
    results: dict[str, object] = {
        "mixed": {"content": [words, image, link, inside, blob]},
        "data": {"content": [], "structuredContent": {"n": 1}},
        "fails": text("no such city", isError=True),
        "mute": {"content": [], "isError": True},
        "wrong": {"content": "nothing of the kind"},
        "environment": text(",".join(sorted(os.environ))),
    }
    return results.get(str(params["name"]))


def child() -> None:
    """Starts a process that would outlive it, and says its number."""
    started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    serve([tool("number")], lambda _params: text(str(started.pid)))
    time.sleep(600)  # and does not end with its input either


def official() -> None:
    """A server of the `mcp` package."""
    from mcp.server import MCPServer

    server = MCPServer("official")

    @server.tool()
    def multiply(a: int, b: int) -> int:
        """Multiply two numbers."""
        return a * b

    server.run()


def chatty() -> None:
    """Says something else before it speaks the protocol."""
    sys.stdout.write("Server is running on stdio\n\n")
    serve([ADD], adds)


def nonsense() -> None:
    """Speaks another language, and stays."""
    say("hello")
    time.sleep(600)


MIXED = [tool(name) for name in ("mixed", "data", "fails", "mute", "wrong", "environment")]
KINDS: dict[str, Callable[[], object]] = {
    "adds": lambda: serve([ADD], adds),
    "chatty": chatty,
    "child": child,
    "dies": lambda: serve([tool("dies")], dies),
    "dies at once": lambda: dies({}),
    "floods": lambda: serve([tool("floods")], floods),
    "floods at once": lambda: floods({}),
    "long line": lambda: sys.stdout.write("x" * 5_000_000),
    "many parts": lambda: sys.stdout.write("[" * 200_000 + "\n"),
    "many": lambda: serve([tool(f"t{n}") for n in range(500)], adds),
    "mixed": lambda: serve(MIXED, mixed),
    "nonsense": nonsense,
    "official": official,
    "sleeps": lambda: serve([tool("sleeps"), ADD], sleeps),
    "wordy version": lambda: serve([ADD], adds, version="2" * 9000),
    "wordy": lambda: serve([tool("wordy", "x" * 30_000), tool("brief")], adds),
    "wrong list": lambda: serve([{"name": 5}], adds),
}

if __name__ == "__main__":
    KINDS[sys.argv[1]]()
