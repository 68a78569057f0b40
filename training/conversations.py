"""Problems as conversations, and conversations as token ids with a mask of what is learned.

Knows the chat format and the shares of the mix. Does not know the network.

A turn is trained in one of three ways, as in Qwen3's mode fusion: thinking to its end, not
thinking (the empty block), or thinking cut off anywhere and followed by the stop instruction.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from tokenizers import Tokenizer

from training import calls, problems
from training.calls import Chain
from training.lookups import make_lookups, make_pairs, make_recital, make_repetition
from training.problems import Problem
from training.smalltalk import make_smalltalk
from training.stories import make_story
from training.wordings import word

STOP_INSTRUCTION = (
    "\n\nConsidering the limited time by the user, I have to give the solution "
    "based on the thinking directly now.\n</think>\n\n"
)

EMPTY_BLOCK = "<think>\n\n</think>\n\n"
REPETITIONS, PAIRS, RECITALS, TOOLS = 0.04, 0.06, 0.2, 0.08
"""Shares of the samples; the rest by SHARES."""
SHARES = {
    "sum": 34,
    "difference": 10,
    "product": 15,
    "story": 13,
    "largest": 7,
    "lookup": 18,
    "other": 3,
}
SYSTEM_PROMPTS = (
    "You are a helpful assistant.",
    "You are Qwen, a helpful assistant.",
    "You are a careful calculator.",
    "Be brief.",
    "Answer in one sentence.",
    "You help with arithmetic.",
)
MODES = {"think": 55, "cut": 25, "direct": 20}
CHAIN_MODES = {"think": 50, "cut call": 10, "cut reply": 10, "direct call": 10, "direct reply": 20}


def ask(kind: str, rng: random.Random, *, held_out: bool) -> tuple[Problem, str]:
    """A problem of a kind and the prompt that asks for it."""
    if kind == "lookup":
        return make_lookups(rng, 1, held_out=held_out)[0]
    if kind == "story":
        return make_story(rng, held_out=held_out)
    if kind == "other":
        return make_smalltalk(rng, held_out=held_out)
    problem = problems.make(kind, rng, held_out=held_out)
    return problem, word(problem, rng, held_out=held_out)


def user_turn(prompt: str) -> str:
    return f"<|im_start|>user\n{prompt}<|im_end|>\n"


def reply_text(problem: Problem) -> str:
    """What the assistant says after its thoughts."""
    if problem.kind == "other":
        return problem.answer
    if problem.kind == "lookup":
        return f"{problem.details['name']}: {problem.answer}."
    return f"The answer is {problem.answer}."


def called(chain: Chain) -> str:
    """The calls that a chain begins with, one a line."""
    return "\n".join(map(calls.call_text, chain.calls))


@dataclass(frozen=True)
class Sample:
    """ids [L], and for each id whether predicting it is learned."""

    ids: list[int]
    learned: list[bool]

    def __add__(self, other: Sample) -> Sample:
        return Sample(self.ids + other.ids, self.learned + other.learned)


NOTHING = Sample([], [])


class Renderer:
    """Writes conversations in Qwen3's chat format, as the runtime does, straight to ids."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def system(self, prompt: str) -> Sample:
        """The opening system turn."""
        return self._given(f"<|im_start|>system\n{prompt}<|im_end|>\n")

    def _given(self, text: str) -> Sample:
        ids = self._ids(text)
        return Sample(ids, [False] * len(ids))

    def _learned(self, text: str) -> Sample:
        ids = self._ids(text)
        return Sample(ids, [True] * len(ids))

    def past(self, prompt: str, problem: Problem) -> Sample:
        """A past turn: no thoughts. Its reply is learned but for its first token, where every
        real reply opens its block."""
        before = self._given(f"{user_turn(prompt)}<|im_start|>assistant\n")
        reply = self._learned(reply_text(problem) + "<|im_end|>")
        reply.learned[0] = False
        return before + reply + self._given("\n")

    def turn(self, prompt: str, problem: Problem, mode: str, rng: random.Random) -> Sample:
        """The last turn, trained in one of the MODES."""
        start = self._given(f"{user_turn(prompt)}<|im_start|>assistant\n")
        answer = self._learned(reply_text(problem) + "<|im_end|>")
        if mode == "direct":
            return start + self._given(EMPTY_BLOCK) + answer
        thoughts = self._thoughts(problem.steps)
        if mode == "think":
            return start + thoughts + self._learned("</think>\n\n") + answer
        return start + self._cut(thoughts, rng) + answer

    def _thoughts(self, lines: Sequence[str]) -> Sample:
        return self._learned("<think>\n" + "\n".join(lines) + "\n")

    def _cut(self, thoughts: Sample, rng: random.Random) -> Sample:
        """Thoughts that a budget ends anywhere."""
        kept = rng.randint(1, len(thoughts.ids))
        cut = Sample(thoughts.ids[:kept], thoughts.learned[:kept])
        return cut + self._given(STOP_INSTRUCTION)

    def past_chain(self, prompt: str, chain: Chain) -> Sample:
        """A past turn in which tools were called: the calls stay, the thoughts are gone."""
        asked = f"{user_turn(prompt)}<|im_start|>assistant\n{called(chain)}<|im_end|>\n"
        said = f"<|im_start|>assistant\n{chain.reply}<|im_end|>\n"
        return self._given(asked + calls.results_text(chain.results) + said)

    def chain(self, prompt: str, chain: Chain, mode: str, rng: random.Random) -> Sample:
        """The last turn, answered by tools, trained in one of the CHAIN_MODES."""
        start = self._given(f"{user_turn(prompt)}<|im_start|>assistant\n")
        call = self._learned(called(chain) + "<|im_end|>")
        thoughts = self._thoughts(chain.calls)
        if mode == "direct call":
            return start + self._given(EMPTY_BLOCK) + call
        if mode == "cut call":
            return start + self._cut(thoughts, rng) + call
        thoughts += self._learned("</think>\n\n")
        before = start + thoughts + call
        if mode == "direct reply":  # a history without thoughts; a real reply opens its block
            before = start + self._given(called(chain) + "<|im_end|>")
        results = self._given(f"\n{calls.results_text(chain.results)}<|im_start|>assistant\n")
        return before + results + self._conclusion(chain, mode, rng)

    def _conclusion(self, chain: Chain, mode: str, rng: random.Random) -> Sample:
        reply = self._learned(chain.reply + "<|im_end|>")
        thoughts = self._thoughts(chain.conclusion)
        if mode == "direct reply":
            return self._given(EMPTY_BLOCK) + reply
        if mode == "cut reply":
            return self._cut(thoughts, rng) + reply
        return thoughts + self._learned("</think>\n\n") + reply

    def repetition(self, prompt: str, said: str) -> Sample:
        """A list said again as it is."""
        start = self._given(f"{user_turn(prompt)}<|im_start|>assistant\n{EMPTY_BLOCK}")
        return start + self._learned(f"{said}<|im_end|>")

    def recital(self, prompt: str, recited: list[tuple[str, str]]) -> Sample:
        """A list said again in another order: the values are learned, not the order."""
        sample = self._given(f"{user_turn(prompt)}<|im_start|>assistant\n{EMPTY_BLOCK}")
        for name, value in recited:
            sample += self._given(name) + self._learned(value)
        return sample + self._learned("<|im_end|>")


def _choose(weights: dict[str, int], rng: random.Random) -> str:
    return rng.choices(tuple(weights), weights=tuple(weights.values()))[0]


def samples(tokenizer: Tokenizer, seed: int) -> Iterator[Sample]:
    """Training conversations without end, the same for the same seed."""
    renderer = Renderer(tokenizer)
    for number in count():
        yield conversation(renderer, random.Random(f"{seed}:{number}"))


def conversation(renderer: Renderer, rng: random.Random) -> Sample:
    """Sometimes a system prompt and earlier turns; then the turn that is trained."""
    exercise = rng.random()
    if exercise < REPETITIONS:
        return renderer.repetition(*make_repetition(rng))
    if exercise < REPETITIONS + PAIRS:
        return renderer.recital(*make_pairs(rng))
    if exercise < REPETITIONS + PAIRS + RECITALS:
        return renderer.recital(*make_recital(rng))
    if exercise < REPETITIONS + PAIRS + RECITALS + TOOLS:
        return with_tools(renderer, rng)
    sample = renderer.system(rng.choice(SYSTEM_PROMPTS)) if rng.random() < 0.04 else NOTHING
    *earlier, (problem, prompt) = _turns(rng)
    for past, asked in earlier:
        sample += renderer.past(asked, past)
    mode = _choose(MODES, rng)
    if rng.random() < 0.05:
        switch = rng.choice(("/think", "/no_think"))
        prompt, mode = f"{prompt} {switch}", "direct" if switch == "/no_think" else mode
    return sample + renderer.turn(prompt, problem, mode, rng)


def with_tools(renderer: Renderer, rng: random.Random) -> Sample:
    """A conversation in which the calculator is offered; not every question needs it."""
    system = f"{rng.choice(SYSTEM_PROMPTS)}\n\n" if rng.random() < 0.15 else ""
    sample = renderer.system(system + calls.system_text(calls.offered(rng)))
    while rng.random() < 0.1:
        kind = _choose(calls.KINDS, rng)
        if kind in calls.CALLED:
            sample += renderer.past_chain(*calls.make_chain(kind, rng, held_out=False))
        else:
            past, asked = ask(kind, rng, held_out=False)
            sample += renderer.past(asked, past)
    kind = _choose(calls.KINDS, rng)
    if kind in calls.CALLED:
        prompt, chain = calls.make_chain(kind, rng, held_out=False)
        return sample + renderer.chain(prompt, chain, _choose(CHAIN_MODES, rng), rng)
    problem, prompt = ask(kind, rng, held_out=False)
    return sample + renderer.turn(prompt, problem, _choose(MODES, rng), rng)


def _turns(rng: random.Random) -> list[tuple[Problem, str]]:
    turns = []
    while rng.random() < 0.15:
        turns.append(ask(_choose(SHARES, rng), rng, held_out=False))
    kind = _choose(SHARES, rng)
    if kind == "lookup":
        return turns + make_lookups(rng, rng.randint(1, 5), held_out=False)
    return [*turns, ask(kind, rng, held_out=False)]
