"""A chat of some dozen turns is as it should be; the attack would notice if it were not.

`python -m tests.trust.test_long_chats` plays one that leaves files open and loses characters.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from qwen3_mlx.cli import transcripts
from qwen3_mlx.cli.transcripts import Transcript
from qwen3_mlx.text.pieces import Message
from tests.trust.holding import Weight
from tests.trust.long_chats import LEFT, MEMORY, TRANSCRIPT, attack, grown, played
from tests.trust.long_played import play

SPOILED = "tests.trust.test_long_chats"


def test_short_chats() -> None:
    """Memory is warm after thousands of turns alone."""
    tally = attack(40, seed=1)
    assert tally.fallen.keys() <= {MEMORY}, tally.table()
    for kind in ("scripted", "tiny"):
        assert tally.counts[f"{kind}: answered"]
        assert tally.counts[f"{kind}: files as they should be"]


def test_what_is_left_open_and_what_is_lost_is_noticed() -> None:
    tally = played("scripted", 40, seed=1, player=SPOILED)
    assert tally.fallen[TRANSCRIPT] == 1
    assert tally.fallen[LEFT] == 1


def test_a_chat_that_ends_with_an_error_is_noticed() -> None:
    assert played("scripted", 2, seed=1, player="tests.trust.no_such_module").fallen == {"ended": 1}


BEFORE = Weight(resident=1000, blocks=1000, active=1000, handles=4, threads=1)


@pytest.mark.parametrize(
    ("after", "outcomes"),
    [
        ({"resident": 1050, "blocks": 900}, []),
        ({"resident": 1051}, [MEMORY]),
        ({"blocks": 1051, "active": 1051}, [MEMORY, MEMORY]),
        ({"handles": 5}, [LEFT]),
        ({"threads": 2}, [LEFT]),
    ],
)
def test_more_than_a_twentieth_is_growth(after: dict[str, int], outcomes: list[str]) -> None:
    found = grown(BEFORE, replace(BEFORE, **after))
    assert [outcome for outcome, _ in found] == outcomes


def spoil() -> None:
    """Saving leaves a file open, and the last message loses a character."""
    save, opened = transcripts.save, []

    def careless(transcript: Transcript, path: Path) -> None:
        *before, last = transcript.messages or [{"role": "user", "content": ""}]
        shorter: Message = {**last, "content": (last["content"] or "")[:-1]}
        save(replace(transcript, messages=[*before, shorter]), path)
        opened.append(path.open("rb"))

    transcripts.save = careless


if __name__ == "__main__":
    spoil()
    play(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
