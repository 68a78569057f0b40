"""Commands that keep a conversation, or a part of it, and bring it back.

Knows files and the clipboard. Does not know how a conversation goes on.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qwen3_mlx.cli import transcripts, wording
from qwen3_mlx.cli.cover import covered_messages
from qwen3_mlx.cli.files import attached, dropped, dropped_place
from qwen3_mlx.cli.session import Command, Session
from qwen3_mlx.cli.state import check_place
from qwen3_mlx.cli.transcripts import Transcript
from qwen3_mlx.errors import UsageError

if TYPE_CHECKING:
    from qwen3_mlx.text.pieces import Message

SAVE, EXPORT = "/save", "/export"
FORCE = "!"
"""Behind these two: replace a file that is there."""
OVER = "the same, over a file that is there"


def transcript_of(session: Session) -> Transcript:
    """The conversation as it is now, without what is not to be kept."""
    conversation = session.conversation
    budget = conversation.budget
    return Transcript(session.model, budget.setting, _messages(session), budget.given)


def _messages(session: Session) -> list[Message]:
    redaction, private = session.terminal.redaction, session.show.private
    return covered_messages(session.conversation.messages, redaction, private=private)


def restore(session: Session, transcript: Transcript) -> None:
    """Goes on with a conversation that was kept, with its system prompt and its budget.

    What was given on the command line comes before them. Where nobody chose a budget for it, that
    of this chat holds on.
    """
    conversation = session.conversation
    kept = list(transcript.messages)
    conversation.clear()
    if "system" in session.flags:
        kept = [*conversation.messages, *(m for m in kept if m["role"] != "system")]
    else:
        conversation.system = next((m.get("content") for m in kept if m["role"] == "system"), None)
    conversation.messages = kept
    if transcript.given and "budget" not in session.flags:
        conversation.budget.set(transcript.budget)
    session.look_back()
    turns = wording.turns(sum(message["role"] == "user" for message in transcript.messages))
    session.terminal.aside(f"{turns} of a conversation with {transcript.model}")


def _save(session: Session, name: str, *, force: bool = False) -> None:
    path = _place(session, name, SAVE, force=force)
    transcripts.save(transcript_of(session), path)
    _claim(session, path, SAVE)
    session.terminal.aside(f"saved: {path}")


def _load(session: Session, name: str) -> None:
    path = dropped(_path(name, "/load"))
    restore(session, transcripts.load(path))
    _claim(session, path, SAVE)


def _export(session: Session, name: str, *, force: bool = False) -> None:
    path = _place(session, name, EXPORT, force=force)
    transcripts.export(_messages(session), path)
    _claim(session, path, EXPORT)
    session.terminal.aside(f"written as Markdown: {path}")


def _place(session: Session, name: str, command: str, *, force: bool) -> Path:
    """Where a command may write.

    Raises:
        UsageError: there is a file that this chat has not, by this command, written or loaded.
    """
    path = dropped_place(_path(name, command))
    check_place(path)
    own = session.own_files.get(os.path.abspath(path)) == command  # noqa: PTH100
    if path.is_file() and not (own or force):
        raise UsageError(
            f"{path} exists",
            hint=f"Choose another name, or replace it with {command}{FORCE} {path}",
        )
    return path


def _claim(session: Session, path: Path, command: str) -> None:
    session.own_files[os.path.abspath(path)] = command  # noqa: PTH100


def _file(session: Session, name: str) -> None:
    path = dropped(_path(name, "/file"))
    session.attach(attached(path))
    session.terminal.aside(f"{path} goes with your next message")


def _path(name: str, command: str) -> Path:
    if not name:
        raise UsageError(f"{command} needs the name of a file")
    if "\0" in name:
        raise UsageError(f"{name} cannot be a file: it holds a zero byte")
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise UsageError(f"{name} cannot be a file: {error}") from error


def _copy(session: Session, _argument: str) -> None:
    messages = session.conversation.messages
    if not messages or messages[-1]["role"] != "assistant":
        raise UsageError("there is no answer to copy yet")
    session.terminal.copy(messages[-1].get("content") or "")
    session.terminal.aside("the last answer is on the clipboard, if the terminal lets programs in")


COMMANDS = (
    Command(
        "save",
        "keep the conversation, with the thoughts that are shown",
        _save,
        "FILE",
        takes="file",
    ),
    Command("save!", OVER, partial(_save, force=True), "FILE", takes="file"),
    Command("load", "go on with one that was saved", _load, "FILE", takes="file"),
    Command("export", "write it as Markdown, for reading", _export, "FILE", takes="file"),
    Command("export!", OVER, partial(_export, force=True), "FILE", takes="file"),
    Command("file", "put a file before the next message", _file, "PATH", takes="file"),
    Command("copy", "put the last answer on the clipboard", _copy),
)
