"""Texts that a model is run on to learn something of it: a file, its documents, and their ids.

Knows files, tokenizers and chat templates. Does not know what is learned. What a file spells is
text; control tokens come only from a chat template, around messages.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from qwen3_mlx.errors import ModelFileError, UsageError, shown
from qwen3_mlx.strict_json import holds_too_much
from qwen3_mlx.text.files import read_bytes
from qwen3_mlx.text.pieces import Message
from qwen3_mlx.text.renderer import check_request
from qwen3_mlx.text.template import ChatTemplate, load_template
from qwen3_mlx.text.tokenizer import load_tokenizer

LINES = ".jsonl"
# Several times what is ever needed.
MOST_BYTES = 32 * 2**20

Document: TypeAlias = str | list[Message]
"""A text as it is, or a conversation to be written in a model's chat format."""


@dataclass(frozen=True)
class TextFile:
    """What is in a file.

    Attributes:
        name: Of the file, without its folder.
        sha256: Of its bytes.
        documents: In order.
    """

    name: str
    sha256: str
    documents: tuple[Document, ...]


def read_text_file(path: Path, what: str = "the calibration text") -> TextFile:
    """Read a file of UTF-8.

    Args:
        path: One text; or, if the name ends in `.jsonl`, an object in each line with a `text`, or
            with the `messages` of a conversation, as transformers has them.
        what: The file's part in error messages.

    Raises:
        UsageError: The file cannot be read, is empty, or a line is something else.
    """
    path = path.expanduser()
    try:
        data = read_bytes(path, limit=MOST_BYTES)
        text = data.decode("utf-8")
    except ModelFileError as error:
        raise UsageError(f"{what} {error.message}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{what} {path} is not UTF-8") from error
    if path.suffix == LINES and holds_too_much(data):
        raise UsageError(f"{what} {path} has more parts than texts and conversations have")
    documents = tuple(_documents(path, text)) if path.suffix == LINES else (text,)
    if not any(
        document if isinstance(document, list) else document.strip() for document in documents
    ):
        raise UsageError(f"{what} {path} is empty")
    return TextFile(path.name, hashlib.sha256(data).hexdigest(), documents)


def _documents(path: Path, lines: str) -> list[Document]:
    """What each line holds; empty lines are passed over."""
    return [_document(path, i, line) for i, line in enumerate(lines.split("\n"), 1) if line.strip()]


def _document(path: Path, number: int, line: str) -> Document:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: line {number} is not JSON: {error}") from error
    fields = value if isinstance(value, dict) else {}
    if isinstance(text := fields.get("text"), str):
        return text
    if isinstance(messages := fields.get("messages"), list):
        return _conversation(f"{path}: line {number}", messages)
    raise UsageError(
        f"{path}: line {number} has no text and no messages: {shown(value)}",
        hint='Each line is an object such as {"text": "Once upon a time"}.',
    )


def _conversation(where: str, messages: list[Message]) -> list[Message]:
    if not all(isinstance(message, dict) for message in messages):
        raise UsageError(f"{where} has messages that are no objects: {shown(messages)}")
    try:
        check_request(messages, ())
    except UsageError as error:
        raise UsageError(f"{where}: {error.message}") from error
    return messages


class Encoder:
    """Documents to ids, as one model reads them.

    Args:
        folder: Holds the tokenizer, and the chat template if there are conversations.
        vocab_size: Rows of the model's embedding.

    Raises:
        ModelFileError: There is no tokenizer, or it does not fit the model.
    """

    def __init__(self, folder: Path, vocab_size: int) -> None:
        self._folder = folder
        self._tokenizer = load_tokenizer(folder, vocab_size=vocab_size)

    def __call__(self, document: Document) -> list[int]:
        """The ids; raises `ModelFileError` for a conversation without a usable chat template."""
        if isinstance(document, str):
            return self._tokenizer.encode(document)
        pieces = self._template.render(document, add_generation_prompt=False)
        return self._tokenizer.encode_pieces(pieces)

    @cached_property
    def _template(self) -> ChatTemplate:
        return load_template(self._folder, self._tokenizer)


@contextmanager
def unpacked(companions: Mapping[str, bytes]) -> Iterator[Path]:
    """A folder with the files that go beside a model's weights, while the context lasts."""
    with TemporaryDirectory() as folder:
        for name, data in companions.items():
            (Path(folder) / name).write_bytes(data)
        yield Path(folder)
