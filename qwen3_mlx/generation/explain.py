"""One sentence about how an answer was reached, in other words than the thoughts'.

Knows what the model is asked for it, and takes no sentence that gives the thoughts away. Does not
know conversations: what is read for it is read apart, and nothing of it is saved.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from qwen3_mlx.errors import ContextOverflowError
from qwen3_mlx.events import Done, Reply
from qwen3_mlx.generation.engine import Answering, Engine
from qwen3_mlx.generation.prefix import Prefix
from qwen3_mlx.generation.prompt import Request
from qwen3_mlx.generation.thinking import ThinkingBudget
from qwen3_mlx.text.verbatim import gives_away

REQUEST = """\
Below are a question, notes that were made on the way to the answer, and the answer. Say in one \
short sentence, in the language of the question, how the answer was reached. Use your own words: \
quote nothing from the notes, and name no numbers and no names that are in the notes alone.

Question:
{question}

Notes:
{thoughts}

Answer:
{answer}"""

MAX_TOKENS = 64
"""Of the sentence."""

MATERIAL = 4000
"""Characters of each part at most, the first and the last ones: what was thought for minutes must
not be read for as long again."""

RARE = 4
"""A word of so many tokens or more is rare. The tokens of a tokenizer are what it met often."""

_SENTENCE = re.compile(r".+?(?:[.!?](?=\s|$)|[。！？])")


def explain(
    engine: Engine, question: str, reply: Reply, stopped: Callable[[], bool] = lambda: False
) -> str:
    """One sentence about how an answer was reached, asked of the model without thinking.

    It is greedy. A sentence that repeats the thoughts, or names a number or a rare word that only
    they have, is replaced by one of ours.

    Args:
        engine: Made the reply.
        question: What was answered.
        reply: The answer, with its thoughts.
        stopped: Asked at every token whether to give it up.

    Returns:
        The sentence; nothing where nothing was thought, or when it was given up.

    Raises:
        NonFiniteError: the model's numbers are not finite.
    """
    if not reply.thinking:
        return ""
    try:
        said = _asked(engine, question, reply, stopped)
    except ContextOverflowError:
        return plain_account(reply)
    if said.finish_reason == "user":
        return ""
    sentence = _first_sentence(said)
    if not re.search(r"\w", sentence) or _betrays(engine, sentence, question, reply):
        return plain_account(reply)
    return sentence


def plain_account(reply: Reply) -> str:
    """What can be said of any thoughts without having read them."""
    count = reply.usage.thinking_tokens
    return f"It thought for {count} token{'' if count == 1 else 's'} before it answered."


def _asked(engine: Engine, question: str, reply: Reply, stopped: Callable[[], bool]) -> Reply:
    texts = {"question": question, "thoughts": reply.thinking, "answer": reply.answer}
    content = REQUEST.format(**{name: _shortened(text) for name, text in texts.items()})
    request = Request(
        messages=[{"role": "user", "content": content}],
        budget=ThinkingBudget(0),
        thinking=False,
        max_tokens=MAX_TOKENS,
        sampling={"temp": 0.0},
        stopped=stopped,
    )
    events = Answering(engine, request, Prefix(engine.model)).events()
    return next(event.reply for event in events if isinstance(event, Done))


def _shortened(text: str) -> str:
    half = MATERIAL // 2
    return text if len(text) <= MATERIAL else f"{text[:half]}\n[...]\n{text[-half:]}"


def _first_sentence(reply: Reply) -> str:
    line = next(filter(None, map(str.strip, reply.answer.splitlines())), "")
    found = _SENTENCE.match(line)
    if found:
        return found[0]
    return f"{line}…" if line and reply.finish_reason == "length" else line


def _betrays(engine: Engine, sentence: str, question: str, reply: Reply) -> bool:
    def is_rare(word: str) -> bool:
        return len(engine.tokenizer.encode(f" {word}")) >= RARE

    known = f"{question}\n{reply.answer}"
    return gives_away(sentence, reply.thinking, known, is_rare=is_rare)
