"""What a message asks for, apart from the text that it brings along.

Knows lines, sentences, quotations, blocks of code and words of courtesy. Does not know what is
worth thinking about. Looks at the beginning and the end of a message alone, so that a long one
costs no more than a short one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

LOOK = 1000
"""Characters that are read at each end of a message."""

SHORT = 240
"""Characters of a line that is a request, and not a text."""

QUOTED = "§"
"""Stands where something was quoted."""

CODE = "¶"
"""Stands where a block of code was."""

_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
# A quotation holds none of its own marks, so that each character is looked at once.
_QUOTE = re.compile(
    r'"[^"\n]+"|[“„][^“”„\n]+[“”]|«[^«»\n]+»|「[^「」\n]+」|『[^『』\n]+』|《[^《》\n]+》'
)
_SENTENCE_END = re.compile(r"(?<=[.!?。])(?:\s+|(?=[\u3040-\u9fff]))")
_LEAD = re.compile(r"[^:]{3,120}:(?=\s*\S)")
_COURTESIES = (
    "hi|hello|hey|good (?:morning|evening|day)|morning|thanks|thank you|thx|please",
    "hallo|guten (?:tag|morgen|abend)|servus|(?:vielen )?dank|danke|bitte",
    "bonjour|bonsoir|salut|coucou|merci|s'il (?:te|vous) pla[iî]t",
    "hola|buen[oa]s(?: d[ií]as| tardes| noches)?|(?:muchas )?gracias|por favor",
    "ciao|salve|buon(?:giorno|asera)|grazie|per favore",
    "ol[aá]|oi|bo[am] (?:dia|tarde|noite)|(?:muito )?obrigad[oa]",
    "привет|здравствуйте|добр(?:ое утро|ый день|ый вечер)|(?:большое )?спасибо|пожалуйста",
    "你好|您好|早上好|晚上好|嗨|(?:非常)?谢谢你?|请问",
    "こんにちは|こんばんは|おはようございます|すみません|ありがとう(?:ございます)?",
    "よろしくお願いします|お願いします",
)
_MORE = "all|everyone|there|you|so much|a lot|very much|schön|beaucoup|mille"
COURTESY = re.compile(
    rf"¿?¡?(?:{'|'.join(_COURTESIES)})(?: (?:{_MORE}))?[ ,.!。、]*", re.IGNORECASE
)
"""A greeting, thanks or a please that stands alone."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A message taken apart.

    Attributes:
        first: The first sentence of its request, up to a colon that text follows.
        last: The last one.
        whole: Its beginning and end, with `QUOTED` and `CODE` for what they stand for.
        lines: Lines that are not empty, of what was looked at.
        length: Characters of the message with all that was pasted.
        pasted: Whether a part of it was not typed.
    """

    first: str
    last: str
    whole: str
    lines: int
    length: int
    pasted: bool


def take_apart(text: str, typed: str | None = None) -> Asked:
    """Takes a message apart.

    Args:
        text: The message.
        typed: The part of it that a person typed; None: all of it.
    """
    own = text if typed is None or not typed.strip() else typed
    whole = _masked(_ends(own))
    lines = [line for line in map(str.strip, whole.splitlines()) if line] or [""]
    sentences = _without_courtesy(_request(lines))
    lead = _LEAD.match(sentences[0])
    return Asked(
        first=lead[0] if lead else sentences[0],
        last=sentences[-1],
        whole=whole,
        lines=len(lines),
        length=len(text),
        pasted=len(own) < len(text),
    )


def _request(lines: Sequence[str]) -> list[str]:
    """The sentences of the line that asks, where it is plain which one does; else of all."""
    asking = [line for line in (lines[0], lines[-1]) if line.endswith(("?", ":"))]
    if len(lines) > 1 and len(asking) == 1 and len(asking[0]) <= SHORT:
        return _sentences(asking[0])
    return [*_sentences(lines[0]), *_sentences("\n".join(lines[1:]))]


def _ends(text: str) -> str:
    """The beginning and the end, in the form in which letters of full width are plain ones."""
    some = text if len(text) <= 2 * LOOK else f"{text[:LOOK]}\n{text[-LOOK:]}"
    return unicodedata.normalize("NFKC", some)[: 4 * LOOK]


def _masked(text: str) -> str:
    return _QUOTE.sub(QUOTED, _FENCE.sub(f"\n{CODE}\n", text))


def _sentences(text: str) -> list[str]:
    return [part for line in text.splitlines() for part in _SENTENCE_END.split(line) if part]


def _without_courtesy(sentences: Sequence[str]) -> list[str]:
    """The sentences without those of courtesy; all of them where nothing would be left."""
    return [one for one in sentences if not COURTESY.fullmatch(one)] or [*sentences] or [""]
