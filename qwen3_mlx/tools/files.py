"""The files below one folder: a tool that lists them and one that reads them.

Knows how much of a file a model is given, and what text is. What may be opened at all is the
business of `folder`.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from qwen3_mlx.errors import ToolError
from qwen3_mlx.tools.arguments import text_argument
from qwen3_mlx.tools.folder import OpenFolder
from qwen3_mlx.tools.tool import Tool

MAX_BYTES = 256 * 1024
MAX_ENTRIES = 1000


def file_tools(path: Path) -> tuple[Tool, Tool]:
    """The tools `read_file` and `list_files`.

    Args:
        path: The folder below which they work.

    Raises:
        UsageError: it is no folder.
    """
    folder = OpenFolder(path)

    def read(arguments: Mapping[str, object]) -> str:
        return read_text(folder, text_argument(arguments, "path"))

    def entries(arguments: Mapping[str, object]) -> str:
        return listing(folder, text_argument(arguments, "path"))

    return (
        _tool(
            "read_file", "Read a text file.", "The file, from the folder that may be read.", read
        ),
        _tool("list_files", "List what is in a folder.", "The folder; . is the topmost.", entries),
    )


def read_text(folder: OpenFolder, path: str) -> str:
    """The text of a file, or its first 256 KB and a line that says so.

    Raises:
        ToolError: it may not be read, or is no text.
    """
    with folder.opened_file(path) as descriptor, open(descriptor, "rb", closefd=False) as file:
        data = file.read(MAX_BYTES)
        size = max(len(data), os.fstat(descriptor).st_size)
    text = _decoded(path, data, cut=size > len(data))
    if size == len(data):
        return text
    return f"{text}\n[cut: these are the first {len(data)} of {size} bytes]"


def listing(folder: OpenFolder, path: str) -> str:
    """What is in a folder, a name a line.

    Raises:
        ToolError: it may not be read, or is no folder.
    """
    names = [_printable(name) for name in folder.entries(path or ".")]
    more = len(names) - MAX_ENTRIES
    lines = [*names[:MAX_ENTRIES], f"[cut: {more} more]"] if more > 0 else names
    return "\n".join(lines) or "[the folder is empty]"


def _decoded(path: str, data: bytes, *, cut: bool) -> str:
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        text = decoder.decode(data, final=not cut)  # the last character may be cut in two
    except UnicodeDecodeError as error:
        raise ToolError(f"{path!r} is not UTF-8 text") from error
    if "\0" in text:
        raise ToolError(f"{path!r} is not text: it holds zero bytes")
    return text.replace("\r\n", "\n")


def _printable(name: str) -> str:
    """A name as text on one line, whatever bytes the file system holds."""
    return os.fsencode(name).decode("utf-8", "replace").replace("\n", "\N{REPLACEMENT CHARACTER}")


def _tool(
    name: str, description: str, path: str, call: Callable[[Mapping[str, object]], str]
) -> Tool:
    properties = {"path": {"type": "string", "description": path}}
    return Tool(
        name=name,
        description=description,
        parameters={"type": "object", "properties": properties, "required": ["path"]},
        call=call,
    )
