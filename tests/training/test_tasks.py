"""The bundled tasks are what the script writes, and none of the evaluation's."""

from __future__ import annotations

import json

from training.evaluate import COUNTS, held_out
from training.tasks import FOLDER, files


def test_the_files_are_what_the_script_writes() -> None:
    for name, text in files().items():
        assert (FOLDER / f"{name}.jsonl").read_text("utf-8") == text


def test_no_prompt_is_there_twice_or_in_the_evaluation() -> None:
    prompts = [
        json.loads(line)["prompt"] for text in files().values() for line in text.splitlines()
    ]
    assert len({*prompts}) == len(prompts) == 500
    assert {prompt for _, prompt in held_out(COUNTS)}.isdisjoint(prompts)
