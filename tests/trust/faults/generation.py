"""Faults of `generation_config.json`: what is sampled, and what ends a reply."""

from __future__ import annotations

from tests.damage import Fault
from tests.trust.faults.edits import GENERATION, Damage, fields, removed, text

FILE = r"generation_config\.json"
OTHER = f"{FILE} is not the file"


def sampled(**values: object) -> Damage:
    return fields(GENERATION, **{"do_sample": True, **values})


ENDS: dict[str, Fault] = {
    f"eos_token_id = {value!r:.40}": (
        fields(GENERATION, eos_token_id=value),
        f"{FILE}: eos_token_id",
    )
    for value in (-1, 10**6, 10**400, 1.5, "1538", True, [1538, None], [[1538]], {"id": 1538})
}

SAMPLINGS: dict[str, Fault] = {
    f"{name} = {value!r:.40}": (sampled(**{name: value}), f"{FILE}: .*{name}")
    for name, values in {
        "temperature": (-1, "hot", True, [0.6], 10**400),
        "top_p": (-0.1, 1.5, "0.9"),
        "top_k": (-1, 2.5, "20", 10**400),
        "min_p": (-0.1, 1.5),
        "presence_penalty": ("1", 10**400),
        "repetition_penalty": (0, -1, "1", 10**400),
        "do_sample": ("false", 0),
    }.items()
    for value in values
} | {
    f"an infinite {name}": (
        text(GENERATION, f'{{"{name}": 1e999}}'),
        f"{FILE}: .*{name}",
    )
    for name in ("temperature", "top_p", "min_p", "presence_penalty", "repetition_penalty")
}

PLAUSIBLE: dict[str, Fault] = {
    "replies that end with a letter": (fields(GENERATION, eos_token_id=65), OTHER),
    "replies by chance": (sampled(temperature=5), OTHER),
    "no settings of sampling": (removed(GENERATION), f"{FILE} is missing"),
}
