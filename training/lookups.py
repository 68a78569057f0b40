"""Lookup problems: a list of names and values in the prompt, and a question about one of them.

Knows how such a list is worded. The thinking is one line, the entry itself.
"""

from __future__ import annotations

import random

from training.names import ATTRIBUTES, OBJECTS, PEOPLE
from training.problems import Problem, is_held_out
from training.wordings import pick, roughen

# Each entry: how one fact is said, how facts are joined, how the question is asked.
STYLES = (
    ("The {attr} of {name} is {value}.", " ", "What is the {attr} of {name}?"),
    ("{name}: {value}", "\n", "What is the value of {name}?"),
    ("{name} has {attr} {value}.", " ", "What {attr} does {name} have?"),
    ("{name}'s {attr} is {value}.", " ", "What is {name}'s {attr}?"),
    ("{name} = {value}", "\n", "What is {name}?"),
    ("{name} = {value}", ", ", "What is {name}?"),
    ("{name}: {value}", ", ", "What number belongs to {name}?"),
    ("- {name}: {value}", "\n", "Which {attr} does {name} have?"),
    ("The {attr} of {name} is {value}.", "\n", "Tell me the {attr} of {name}."),
    ("The {attr} of {name} is {value}.", " ", "{name}'s {attr}?"),
    ("{name} {value}", "\n", "Look up {name}."),
    ("{name} | {value}", "\n", "Find {name} in the table."),
    ("The {attr} for {name} is {value}.", " ", "What is the {attr} for {name}?"),
    ("{name} is {value}.", " ", "Look up the number of {name}."),
    ("{name} -> {value}", "\n", "Give me the {attr} of {name}."),
    ("{name}'s {attr} is {value}.", "\n", "What is the {attr} of {name}?"),
    ("{name}, {attr} {value}", "; ", "What is the {attr} of {name}?"),
    ("{name} has {attr} {value}.", " ", "Which {attr} has {name}?"),
    # held out
    ("The {attr} of {name} is {value}.", " ", "Which is the {attr} of {name}?"),
    ("{name} has {attr} {value}.", "\n", "What is {name}'s {attr}?"),
    ("{name}: {value}", "; ", "What is the {attr} of {name}?"),
    ("{name}'s {attr} is {value}.", " ", "Please look up the {attr} of {name}."),
)

HEADS = (
    "",
    "",
    "",
    "Here is a list.\n",
    "List:\n",
    "Read this. ",
    "Data:\n",
    "Facts: ",
    "Look at this list.\n",
)


def _draw(rng: random.Random) -> tuple[list[str], tuple[int, ...]]:
    count, width = rng.randint(2, 12), rng.randint(1, 3)
    pool = PEOPLE if rng.random() < 0.75 else OBJECTS
    names = rng.sample(pool, count)
    values = tuple(
        rng.randint(1 if width == 1 else 10 ** (width - 1), 10**width - 1) for _ in names
    )
    return names, values


def make_lookups(rng: random.Random, count: int, *, held_out: bool) -> list[tuple[Problem, str]]:
    """Problems over one list and their prompts; only the first prompt says the list."""
    names, values = _draw(rng)
    while is_held_out("lookup", values) != held_out:
        names, values = _draw(rng)
    fact, joiner, question = pick(STYLES, rng, held_out=held_out)
    attr = rng.choice(ATTRIBUTES)
    facts = (fact.format(attr=attr, name=n, value=v) for n, v in zip(names, values, strict=True))
    said = joiner.join(facts)
    found = []
    for turn, asked in enumerate(rng.choices(range(len(names)), k=count)):
        asking = question.format(attr=attr, name=names[asked])
        text = asking if turn else _with_list(said, asking, joiner, rng)
        found.append((_problem(names[asked], values[asked], values, text), text))
    return found


REPEAT = (
    "Say the list again.",
    "Repeat the list.",
    "Say all of them once more.",
    "Copy the list.",
)

PAIR = (
    "Say the pairs again in another order.",
    "Repeat all pairs in any order.",
    "List the pairs, mixed.",
)

RECITE = (
    "Say the list again in another order.",
    "Repeat all of them in any order.",
    "List them in a different order.",
    "Now say them again, mixed.",
)


def make_repetition(rng: random.Random) -> tuple[str, str]:
    """A prompt with a list, and the same list again: copying, which finding is built on."""
    names, values = _draw(rng)
    fact, joiner, _ = pick(STYLES, rng, held_out=False)
    attr = rng.choice(ATTRIBUTES)
    facts = (fact.format(attr=attr, name=n, value=v) for n, v in zip(names, values, strict=True))
    said = joiner.join(facts)
    return _with_list(said, rng.choice(REPEAT), joiner, rng), said


def make_pairs(rng: random.Random) -> tuple[str, list[tuple[str, str]]]:
    """A prompt with pairs of names, and the pairs in another order as (name, other name) texts.

    Here what is looked for follows the name at once. That is the first step to finding it further
    on, and one that a small network may never take by itself.
    """
    names = rng.sample(PEOPLE, 2 * rng.randint(2, 10))
    pairs = list(zip(names[::2], names[1::2], strict=True))
    said = "\n".join(f"{name} {other}" for name, other in pairs)
    rng.shuffle(pairs)
    recited = [(name, f" {other}\n") for name, other in pairs]
    return _with_list(said, rng.choice(PAIR), "\n", rng), recited


def make_recital(rng: random.Random) -> tuple[str, list[tuple[str, str]]]:
    """A prompt with a list, and the list in another order as (name, value) texts.

    Many lookups in few tokens: this is what teaches a small network to find a value by its name.
    """
    names, values = _draw(rng)
    fact, joiner, _ = pick(STYLES, rng, held_out=False)
    attr = rng.choice(ATTRIBUTES)
    pairs = list(zip(names, map(str, values), strict=True))
    said = joiner.join(fact.format(attr=attr, name=n, value=v) for n, v in pairs)
    if rng.random() < 0.5:
        fact, joiner = "{name}: {value}", "\n"
    before, after = fact.split("{value}")
    rng.shuffle(pairs)
    recited = [(before.format(attr=attr, name=n), v + after + joiner) for n, v in pairs]
    return _with_list(said, rng.choice(RECITE), joiner, rng), recited


def _with_list(said: str, asking: str, joiner: str, rng: random.Random) -> str:
    if rng.random() < 0.15:
        return f"{asking}\n{said}"
    between = " " if said.endswith(".") else ". "
    gap = "\n" if "\n" in joiner else rng.choice((" ", "\n", between))
    text = f"{rng.choice(HEADS)}{said}{gap}{asking}"
    return roughen(text, rng) if text.startswith("The") else text


def _problem(name: str, value: int, values: tuple[int, ...], text: str) -> Problem:
    spelled = name if name in text else name.lower()
    steps = (f"Look for {spelled}: {value}",)
    return Problem("lookup", values, steps, str(value), details={"name": spelled})
