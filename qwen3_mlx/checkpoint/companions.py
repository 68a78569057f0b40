"""The small files of a model folder, as files: where they lie and what they are.

Knows their names. Does not read them: whoever knows what is in them does.
"""

from __future__ import annotations

from pathlib import Path

from qwen3_mlx.checkpoint.files import is_there
from qwen3_mlx.checkpoint.reader import INDEX, resolve_inside

SMALL_FILES = (
    "config.json",
    INDEX,
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "chat_template.jinja",
    "generation_config.json",
)
"""All that a load reads besides weights and what was recorded of a conversion."""


def check_companions(folder: Path) -> None:
    """Refuse a folder whose small files are somewhere else, or no files.

    Raises:
        ModelFileError: One is a link to nothing or out of the folder, or no regular file.
    """
    for name in SMALL_FILES:
        if is_there(folder / name):
            resolve_inside(folder, name)
