"""Wordings: the many ways in which a person asks the same thing.

Knows English sentences with holes. Does not know which numbers are asked about, nor tokens.
``HELD_OUT`` of every list are for the evaluation alone: each list ends with them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

from training.problems import Problem

Frame = TypeVar("Frame")

HELD_OUT = 4

SUM = (
    "What is {plus}?",
    "What's {plus}?",
    "{plus}",
    "{plus} =",
    "{plus} = ?",
    "Compute {plus}.",
    "Calculate {plus}.",
    "Add {list}.",
    "Add up {list}.",
    "Add these numbers: {list}.",
    "Sum of {list}?",
    "What is the sum of {list}?",
    "Find the sum of {list}.",
    "Give me the sum of {list}.",
    "How much is {plus}?",
    "How much is {words}?",
    "What is {words}?",
    "{words}?",
    "{words}",
    "What do {list} add up to?",
    "What is the total of {list}?",
    "Total of {list}, please.",
    "Sum these: {list}",
    "Sum up {list}.",
    "I need the sum of {list}.",
    "Calculate the sum: {list}",
    "Work out {plus}.",
    "Evaluate {plus}.",
    "Solve {plus}.",
    "Tell me what {plus} is.",
    "Can you add {list}?",
    "Could you add up {list} for me?",
    "Add together {list}.",
    "Please compute {words}.",
    "What does {plus} equal?",
    "What does {words} make?",
    "If I add {list}, what do I get?",
    "Do you know what {plus} is?",
    "The numbers are {list}. What is their sum?",
    "Here are some numbers: {list}. Add them.",
    "My numbers: {list}. What is the total?",
    "Result of {plus}?",
    "{list}: what is the sum?",
    "{list} together make what?",
    "Let's add {list}.",
    "{list}. Add them up.",
    "Quick: {plus}?",
    "Sum: {list}",
    "sum {list}",
    "add {list}",
    # held out
    "Please tell me the sum of {list}.",
    "What do I get for {plus}?",
    "Add the numbers {list} together.",
    "Can you work out {plus} for me?",
)

DIFFERENCE = (
    "What is {a} - {b}?",
    "What's {a} - {b}?",
    "{a} - {b}",
    "{a}-{b}",
    "{a} - {b} =",
    "{a}-{b}=?",
    "Compute {a} - {b}.",
    "Calculate {a} minus {b}.",
    "What is {a} minus {b}?",
    "{a} minus {b}",
    "{a} minus {b}?",
    "How much is {a} - {b}?",
    "How much is {a} minus {b}?",
    "Subtract {b} from {a}.",
    "subtract {b} from {a}",
    "Take {b} from {a}.",
    "Take {b} away from {a}.",
    "What is {a} take away {b}?",
    "What is {a} less {b}?",
    "What is left of {a} after taking {b} away?",
    "Work out {a} - {b}.",
    "Evaluate {a} - {b}.",
    "Solve {a} - {b}.",
    "Tell me what {a} minus {b} is.",
    "Can you subtract {b} from {a}?",
    "If I take {b} from {a}, what is left?",
    "What does {a} - {b} equal?",
    "Result of {a} - {b}?",
    "Please compute {a} minus {b}.",
    "Quick: {a} - {b}?",
    # held out
    "What do I get for {a} - {b}?",
    "Can you work out {a} minus {b} for me?",
    "Please subtract {b} from {a}.",
    "Find {a} - {b}.",
)

PRODUCT = (
    "What is {a} * {b}?",
    "What's {a} x {b}?",
    "{a} * {b}",
    "{a}*{b}",
    "{a} x {b}",
    "{a} * {b} =",
    "{a}*{b}=?",
    "{a} × {b}",
    "What is {a} × {b}?",
    "Compute {a} * {b}.",
    "Calculate {a} times {b}.",
    "What is {a} times {b}?",
    "{a} times {b}",
    "{a} times {b}?",
    "How much is {a} * {b}?",
    "How much is {a} times {b}?",
    "Multiply {a} by {b}.",
    "multiply {a} by {b}",
    "Multiply {a} and {b}.",
    "What is the product of {a} and {b}?",
    "Product of {a} and {b}?",
    "Find the product of {a} and {b}.",
    "Work out {a} * {b}.",
    "Evaluate {a} * {b}.",
    "Solve {a} x {b}.",
    "Tell me what {a} times {b} is.",
    "Can you multiply {a} by {b}?",
    "If I multiply {a} by {b}, what do I get?",
    "What does {a} * {b} equal?",
    "Result of {a} * {b}?",
    "Please compute {a} times {b}.",
    "Quick: {a} x {b}?",
    # held out
    "What do I get for {a} * {b}?",
    "Can you work out {a} times {b} for me?",
    "Please multiply {a} by {b}.",
    "Give me the product of {a} and {b}.",
)

LARGEST = (
    "Which is the largest: {list}?",
    "Which is largest: {list}?",
    "Which of these is the largest: {list}?",
    "What is the largest of {list}?",
    "Largest of {list}?",
    "Find the largest number: {list}.",
    "Which number is the biggest: {list}?",
    "What is the biggest of {list}?",
    "Which of {list} is the largest?",
    "Which of {list} is the biggest?",
    "max of {list}",
    "What is the maximum of {list}?",
    "Give me the maximum: {list}",
    "Pick the largest: {list}.",
    "Tell me the biggest number: {list}.",
    "Of the numbers {list}, which is the greatest?",
    "Which is the greatest of {list}?",
    "The numbers are {list}. Which is the largest?",
    "Here are some numbers: {list}. Which is the biggest?",
    "Which is bigger: {list}?",
    "Which is larger, {list}?",
    "Compare {list}. Which is the largest?",
    "{list}: which is the largest?",
    "{list}. Which one is the biggest?",
    # held out
    "Tell me which of {list} is the largest.",
    "What is the greatest of these numbers: {list}?",
    "Among {list}, which is the biggest?",
    "Please find the maximum of {list}.",
)

FRAMES = {"sum": SUM, "difference": DIFFERENCE, "product": PRODUCT, "largest": LARGEST}

POLITE = (
    "Please ",
    "Hey, ",
    "Hi! ",
    "Hello, ",
    "Hi, ",
    "OK, ",
    "Now ",
    "And ",
    "Next: ",
    "Then ",
    "So, ",
    "One more: ",
)
THANKS = (" Thanks!", " Thank you.", " please", " Please.", " Thanks.")


def pick(frames: Sequence[Frame], rng: random.Random, *, held_out: bool) -> Frame:
    """A frame from the trained part of a list, or from its held-out end."""
    return rng.choice(frames[-HELD_OUT:] if held_out else frames[:-HELD_OUT])


def _commas(numbers: list[str], rng: random.Random) -> str:
    style = rng.random()
    if style < 0.55 and len(numbers) > 1:
        return ", ".join(numbers[:-1]) + rng.choice((" and ", " and ", ", and ")) + numbers[-1]
    if style < 0.8:
        return ", ".join(numbers)
    return rng.choice((" and ", " ", ",", "\n", "; ")).join(numbers)


def fill(frame: str, problem: Problem, rng: random.Random) -> str:
    """A frame with the problem's numbers in it."""
    said = [str(n) for n in problem.numbers]
    return frame.format(
        a=said[0],
        b=said[-1],
        plus=rng.choice((" + ", " + ", "+")).join(said),
        words=" plus ".join(said),
        list=_commas(said, rng),
    )


def roughen(text: str, rng: random.Random) -> str:
    """What people do to a sentence: politeness, no capitals, no full stop, thanks."""
    if rng.random() < 0.12 and text[0].isalpha():
        text = rng.choice(POLITE) + text[0].lower() + text[1:]
    if rng.random() < 0.06:
        text = text + rng.choice(THANKS)
    if rng.random() < 0.15:
        text = text.lower()
    if rng.random() < 0.2:
        text = text.rstrip("?.")
    return text


def word(problem: Problem, rng: random.Random, *, held_out: bool) -> str:
    """One way of asking ``problem``; the held-out wordings only for the evaluation."""
    frame = pick(FRAMES[problem.kind], rng, held_out=held_out)
    return roughen(fill(frame, problem, rng), rng)
