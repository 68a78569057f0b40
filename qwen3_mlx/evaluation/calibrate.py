"""From observed replies to a calibration: when this model has thought enough.

Knows what each choice of thresholds would have cost and lost. Does not run a model.

A certainty is believed only where, of all looks that were as certain, at least 99 in a hundred were
right or had nothing to lose: many looks say more than the few at which one would have stopped.
Every combination of believed certainties is tried on the observations. Of those that lose at most
one right answer in a hundred, the one with the fewest thinking tokens is taken; of those that are
within one in a hundred of it, the one that looks the least often, and of equals the one that is
the hardest to content.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import cast

import mlx.core as mx

from qwen3_mlx.errors import UsageError
from qwen3_mlx.evaluation.observe import Look, Observation
from qwen3_mlx.generation.calibration import STEP, Calibration

KEPT = 0.99
"""Of the right answers of unlimited thinking."""

NEAR = 1.01
NEVER = 1.1
CERTAINTIES = (0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)
AGREEMENTS = (1, 2, 3)
INTERVALS = (1, 2, 4)
"""Times the interval of the observations."""

BRAKES = (0.5, 1.0, 2.0)
FEWEST = 30
RIDGE = 1.0
COVERED = 0.98
"""Of the tasks: so many get a limit that is long enough for them."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a calibration would have come to.

    Attributes:
        right: Right answers.
        tokens: Of thought.
        looks: At answers.
    """

    right: int
    tokens: int
    looks: int

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(
            self.right + other.right, self.tokens + other.tokens, self.looks + other.looks
        )


NOTHING = Outcome(0, 0, 0)


def calibrate(observations: Sequence[Observation], start: Calibration, every: int) -> Calibration:
    """The calibration that would have served these observations best.

    Args:
        start: Has the model's name, identity, cap and lead.
        every: Tokens between the looks of the observations.

    Raises:
        UsageError: too few observations, or hardly a right answer among them.
    """
    check_count(len(observations))
    right = sum(o.right for o in observations)
    if right < FEWEST // 2:
        raise _too_few(f"{len(observations)} tasks, {right} of them answered right, are")
    limits = replace(start, weights=_weights(observations), least=STEP)
    tried = [(c, outcome(observations, c)) for c in _candidates(limits, every, observations)]
    least = KEPT * sum(o.right for o in observations)
    enough = [(c, result) for c, result in tried if result.right >= least]
    fewest = min(result.tokens for _, result in enough)
    near = (pair for pair in enough if pair[1].tokens <= NEAR * fewest)
    return min(near, key=_price)[0]


def check_count(tasks: int) -> None:
    """Refuse to calibrate on so few tasks, whatever a model makes of them.

    Raises:
        UsageError: they are too few.
    """
    if tasks < FEWEST:
        raise _too_few("1 task is" if tasks == 1 else f"{tasks} tasks are")


def _too_few(what: str) -> UsageError:
    return UsageError(
        f"{what} too few for a calibration",
        hint=f"Use {FEWEST} tasks or more, half of which the model can do.",
    )


def _price(tried: tuple[Calibration, Outcome]) -> tuple[float, ...]:
    """What is compared: the looks, the tokens, and then how easily it is content."""
    calibration, result = tried
    return result.looks, result.tokens, -calibration.skip, -calibration.certain


def outcome(observations: Sequence[Observation], calibration: Calibration) -> Outcome:
    """What a calibration would have come to; limits are not applied."""
    return sum((_replay(o, calibration) for o in observations), NOTHING)


def _candidates(
    start: Calibration, every: int, observations: Sequence[Observation]
) -> Iterator[Calibration]:
    """All combinations of what is believed; the first one never stops."""
    first = [(o, o.looks[0]) for o in observations]
    later = [(o, look) for o in observations for look in o.looks[1:]]
    skips = _believed(first, CERTAINTIES, lambda look, least: look.certainty >= least)
    certains = _believed(later, CERTAINTIES, lambda look, least: look.certainty >= least)
    brakes = _believed(later, BRAKES, lambda look, most: _margin(look) <= most)
    yield replace(start, skip=NEVER, certain=1.0, agree=1000, every=every, brake=None)
    choices = (*skips, NEVER), certains, AGREEMENTS, INTERVALS, (None, *brakes)
    for skip, certain, agree, interval, brake in product(*choices):
        yield replace(
            start, skip=skip, certain=certain, agree=agree, every=every * interval, brake=brake
        )


def _believed(
    looks: Sequence[tuple[Observation, Look]],
    values: Sequence[float],
    stops: Callable[[Look, float], bool],
) -> list[float]:
    """The values of which all looks that would have stopped the thinking lose next to nothing."""
    found = []
    for value in values:
        lost = [seen.right and not look.right for seen, look in looks if stops(look, value)]
        if sum(lost) <= (1 - KEPT) * len(lost):
            found.append(value)
    return found


def _margin(look: Look) -> float:
    return math.inf if look.margin is None else look.margin


def _replay(observation: Observation, calibration: Calibration) -> Outcome:
    """How one task would have gone; the rules of `AutoAllowance` without its limit."""
    at_once, *later = observation.looks
    if at_once.certainty >= calibration.skip:
        return Outcome(at_once.right, 0, 1)
    agreeing, looks, last = 0, 1, at_once.answer
    for look in later:
        if _brakes(look, calibration):
            return Outcome(look.right, look.used, looks)
        if look.used % calibration.every:
            continue
        looks += 1
        certain = look.certainty >= calibration.certain
        agreeing = 0 if not certain else agreeing + 1 if look.answer == last else 1
        last = look.answer if certain else last
        if agreeing >= calibration.agree:
            return Outcome(look.right, look.used, looks)
    return Outcome(observation.right, observation.thinking_tokens, looks)


def _brakes(look: Look, calibration: Calibration) -> bool:
    return calibration.brake is not None and _margin(look) <= calibration.brake


def needed(observation: Observation) -> int:
    """Tokens of thought from which on the answer stayed right; all of them if it never was."""
    if not observation.right:
        return observation.thinking_tokens
    least = observation.thinking_tokens
    for look in reversed(observation.looks):
        if not look.right:
            break
        least = look.used
    return least


def _weights(observations: Sequence[Observation]) -> Mapping[str, float]:
    """Tokens for each feature: least squares, then lifted until most tasks have enough."""
    names = sorted({name for o in observations for name in o.difficulty.features})
    rows = [[o.difficulty.features.get(name, 0.0) for name in names] for o in observations]
    wanted = [float(needed(o)) for o in observations]
    solved = _least_squares(rows, wanted)
    short = sorted(
        w - sum(a * b for a, b in zip(solved, row, strict=True))
        for row, w in zip(rows, wanted, strict=True)
    )
    weights = dict(zip(names, solved, strict=True))
    weights["1"] += short[min(len(short) - 1, math.ceil(COVERED * len(short)))]
    return {name: round(weight, 3) for name, weight in weights.items()}


def _least_squares(rows: list[list[float]], wanted: list[float]) -> list[float]:
    """Ridge regression: weights [F] of features [N, F] for N numbers."""
    x, y = mx.array(rows), mx.array(wanted)
    gram = x.T @ x + RIDGE * mx.eye(x.shape[1])
    solved = mx.linalg.solve(gram, (x.T @ y)[:, None], stream=mx.cpu)
    return cast(list[float], solved[:, 0].tolist())
