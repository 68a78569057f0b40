"""Which MCP servers there are: the file that Claude Desktop, Cursor and others read too.

Knows its format: `{"mcpServers": {NAME: {"command": ..., "args": [...], "env": {...}}}}`. Does not
start anything.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from qwen3_mlx.errors import UsageError
from qwen3_mlx.places import read_named

MAX_BYTES = 1_000_000
SERVERS = "mcpServers"
_HINT = 'It looks like {"mcpServers": {"NAME": {"command": "...", "args": [...]}}}.'


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """How one server is started.

    Attributes:
        name: What the file calls it.
        command: The program.
        args: Its arguments.
        env: Variables of its environment, beside the few that are passed on.
        cwd: Its working folder; None for ours.
    """

    name: str
    command: str
    args: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    cwd: str | None = None


def read_config(path: Path) -> list[ServerConfig]:
    """The servers of a configuration file; those that it disables are left out.

    Raises:
        UsageError: the file is missing or cannot be used; what is wrong with which server.
    """
    servers = _document(path).get(SERVERS)
    if not isinstance(servers, dict):
        raise UsageError(f"{path}: there is no object {SERVERS!r}", hint=_HINT)
    enabled = {name: entry for name, entry in servers.items() if not _is_disabled(entry)}
    return [_server(path, name, entry) for name, entry in enabled.items()]


def _document(path: Path) -> dict[str, object]:
    data = read_named(path, MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise UsageError(f"{path} is larger than 1 MB: it is no list of MCP servers")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON: {error}", hint=_HINT) from error
    return document if isinstance(document, dict) else {}


def _is_disabled(entry: object) -> bool:
    return isinstance(entry, dict) and entry.get("disabled") is True


def _server(path: Path, name: str, entry: object) -> ServerConfig:
    place = f"{path}: the server {name!r}"
    if not isinstance(entry, dict):
        raise UsageError(f"{place} is no object", hint=_HINT)
    command, args, env, cwd = (entry.get(key) for key in ("command", "args", "env", "cwd"))
    if command is None and "url" in entry:
        hint = 'Take it out, or write "disabled": true into it.'
        raise UsageError(f"{place} is reached over the network; only stdio is supported", hint=hint)
    if not isinstance(command, str) or not command:
        raise UsageError(f"{place} has no command", hint=_HINT)
    if not (isinstance(cwd, str) or cwd is None):
        raise UsageError(f"{place}: cwd must be text")
    return ServerConfig(name, command, _texts(place, args), _variables(place, env), cwd)


def _texts(place: str, args: object) -> tuple[str, ...]:
    given = [] if args is None else args
    if not (isinstance(given, list) and all(isinstance(one, str) for one in given)):
        raise UsageError(f"{place}: args must be a list of texts")
    return tuple(given)


def _variables(place: str, env: object) -> dict[str, str]:
    given = {} if env is None else env
    if not (isinstance(given, dict) and all(isinstance(one, str) for one in given.values())):
        raise UsageError(f"{place}: env must be an object of texts")
    return dict(given)
