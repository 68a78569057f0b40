"""Word problems: short stories over sums, differences and products.

Knows the stories. The steps come from ``problems``; only the wording is new.
"""

from __future__ import annotations

import random

from training.names import PEOPLE, THINGS
from training.problems import Problem, add_steps, is_held_out, multiply_steps, subtract_steps
from training.wordings import pick

ADD = (
    "{n} has {a} {t} and buys {b} more. How many {t} does {n} have now?",
    "{n} has {a} {t}. {m} gives {n} {b} more. How many {t} does {n} have?",
    "{n} has {a} {t} and {m} has {b}. How many {t} do they have together?",
    "There are {a} {t} in one box and {b} in another. How many {t} are there in all?",
    "{n} found {a} {t} on Monday and {b} on Tuesday. How many {t} did {n} find?",
    "A shop sold {a} {t} in the morning and {b} in the afternoon. How many did it sell?",
    "{n} had {a} {t} and got {b} more from {m}. How many are there now?",
    "{a} {t} are on the table. {n} puts {b} more on it. How many {t} are on the table?",
    "{n} reads {a} pages today and {b} tomorrow. How many pages is that?",
    "In a bag are {a} {t}, in a basket {b}. How many {t} is that in total?",
    "{n} owns {a} {t} and finds {b} more. How many {t} does {n} have?",
    "{n} picked {a} {t} and then {b} more. How many {t} did {n} pick?",
    "There were {a} {t} and {b} more were added. How many {t} are there now?",
    "{m} bought {a} {t}, {n} bought {b}. How many {t} did they buy together?",
    "{n} gets {a} {t} from {m} and {b} from a friend. How many {t} is that?",
    "{n} made {a} {t} and {m} made {b}. How many {t} did they make in total?",
    "{a} {t} came first, then {b} more came. How many {t} came in all?",
    "{n} counted {a} {t} here and {b} there. How many {t} is that together?",
    "A farm has {a} {t} and gets {b} more. How many {t} does it have now?",
    "{n} saved {a} dollars and then {b} more. How many dollars did {n} save?",
    # held out
    "{n} owns {a} {t} and gets {b} more. How many {t} does {n} own now?",
    "{n} picked {a} {t}, {m} picked {b}. How many {t} is that together?",
    "There were {a} {t}. Then {b} more came. How many {t} are there now?",
    "{n} bought {a} {t} and later {b} more. How many {t} did {n} buy?",
)

SUBTRACT = (
    "{n} has {a} {t} and loses {b}. How many {t} are left?",
    "{n} has {a} {t} and gives {b} to {m}. How many {t} does {n} have left?",
    "{n} had {a} {t} and sold {b} of them. How many are left?",
    "There are {a} {t} in a box. {n} takes {b} out. How many {t} are left in the box?",
    "A shop had {a} {t} and sold {b}. How many {t} remain?",
    "{n} has {a} {t}, {m} has {b}. How many more {t} does {n} have?",
    "Of {a} {t}, {b} are broken. How many {t} are not broken?",
    "{n} had {a} {t} and used {b}. How many {t} remain?",
    "{a} {t} were on the table. {n} took {b} away. How many {t} are still there?",
    "{n} needs {a} {t} and has {b}. How many {t} are missing?",
    "{n} owns {a} {t} and sells {b}. How many {t} does {n} still have?",
    "{n} picked {a} {t} but lost {b} of them. How many {t} are left?",
    "There were {a} {t}. {n} took {b} of them. How many {t} are still there?",
    "{n} gives away {b} of {a} {t}. How many {t} does {n} still have?",
    "From a box with {a} {t}, {m} takes {b}. How many {t} are left?",
    "{n} had {a} {t}, but {b} broke. How many {t} does {n} have now?",
    "{n} had {a} dollars and spent {b}. How many dollars are left?",
    "{n} has {a} {t} and eats {b}. How many {t} remain?",
    "Of {n}'s {a} {t}, {m} took {b}. How many {t} does {n} have now?",
    "{a} people were in a room and {b} left. How many people are still there?",
    # held out
    "{n} owns {a} {t} and gives away {b}. How many {t} does {n} still have?",
    "From {a} {t}, {n} takes {b}. How many {t} are left?",
    "{n} had {a} {t} but lost {b}. How many {t} does {n} have now?",
    "There were {a} {t}. {m} took {b}. How many {t} are left?",
)

MULTIPLY = (
    "{n} has {a} boxes with {b} {t} each. How many {t} does {n} have?",
    "There are {a} rows of {b} {t}. How many {t} are there?",
    "Each of {a} bags holds {b} {t}. How many {t} are there in all?",
    "One box costs {b} dollars. What do {a} boxes cost?",
    "{n} buys {a} packs of {b} {t}. How many {t} is that?",
    "{n} walks {b} miles a day for {a} days. How many miles is that?",
    "A shelf holds {b} {t}. How many {t} do {a} shelves hold?",
    "{a} children have {b} {t} each. How many {t} do they have together?",
    "{n} earns {b} dollars an hour and works {a} hours. How much does {n} earn?",
    "{n} fills {a} jars with {b} {t} each. How many {t} does {n} need?",
    "There are {a} boxes with {b} {t} in each. How many {t} are there in total?",
    "{n} orders {a} bags of {b} {t}. How many {t} does {n} get?",
    "Each of {a} shelves has {b} {t}. How many {t} are there?",
    "{n} has {a} baskets of {b} {t}. How many {t} is that in total?",
    "{a} tables have {b} chairs each. How many chairs are there?",
    "{m} buys {a} boxes of {b} {t} each. How many {t} does {m} have?",
    "On each of {a} pages are {b} words. How many words are there?",
    "One of the {t} costs {b} dollars. How much do {a} of them cost?",
    "{n} plants {a} rows with {b} trees each. How many trees is that?",
    "{a} teams have {b} players each. How many players are there in all?",
    # held out
    "There are {a} baskets with {b} {t} each. How many {t} are there?",
    "{n} orders {a} boxes of {b} {t}. How many {t} is that?",
    "Each of {a} tables has {b} {t}. How many {t} are there in total?",
    "{m} has {a} bags of {b} {t} each. How many {t} does {m} have?",
)

ADD_SUBTRACT = (
    "{n} has {a} {t}, buys {b} more and gives {c} to {m}. How many {t} does {n} have now?",
    "{n} had {a} {t}. {n} found {b} more, then lost {c}. How many {t} are left?",
    "A shop has {a} {t}, gets {b} more and sells {c}. How many {t} are left?",
    "There are {a} {t} in a box. {n} puts in {b} and takes out {c}. How many {t} are in the box?",
    "{n} has {a} {t} and {m} has {b}. They lose {c}. How many {t} do they have together now?",
    "On a bus are {a} people. {b} get on and {c} get off. How many people are on the bus?",
    "{n} owns {a} {t}, finds {b} more and loses {c}. How many {t} does {n} have now?",
    "There were {a} {t}. {b} were added and {c} were taken away. How many {t} are left?",
    "{n} picked {a} {t} and {m} picked {b}. They gave away {c}. How many {t} are left?",
    "{n} had {a} {t}, got {b} from {m} and sold {c}. How many {t} does {n} have left?",
    "In a bag are {a} {t}. {n} puts in {b} more and takes {c}. How many {t} are in it now?",
    "{n} adds {b} {t} to {a} and then gives {c} to {m}. How many {t} does {n} have left?",
    "{a} people are in a shop. {b} more come and {c} leave. How many people are there now?",
    "{n} saved {a} dollars, then {b} more, and spent {c}. How many dollars are left?",
    "{n} has {a} {t}, gets {b} more and sells {c}. How many are left?",
    "{n} had {a} {t}, bought {b} more and ate {c}. How many {t} does {n} have now?",
    "{n} keeps {a} {t}, finds {b} more and gives away {c}. How many {t} does {n} own now?",
    "{n} starts with {a} {t}, gains {b} and loses {c}. How many {t} is that now?",
    "{n} owns {a} {t}. {m} gives {n} {b} more. Then {n} sells {c}. How many does {n} own?",
    "{n} has {a} {t} and gets {b} more. Later {n} sells {c} of them. How many {t} remain?",
    "{n} owns {a} {t} and buys {b} more. {c} of them break. How many {t} does {n} have now?",
    "{n} makes {a} {t}, then makes {b} more and uses {c}. How many {t} are left?",
    "{n} picked {a} {t}, then {b} more, and ate {c}. How many {t} remain?",
    "There were {a} {t}. {n} brought {b} more and took {c} away. How many {t} are there now?",
    "A farm has {a} {t}, gets {b} more and sells {c}. How many {t} does it have now?",
    "In a box are {a} {t}. {n} adds {b} more and takes out {c}. How many {t} are in the box?",
    # held out
    "{n} owns {a} {t}, gets {b} more and sells {c}. How many {t} does {n} have now?",
    "There were {a} {t}. Then {b} more came and {c} were taken away. How many {t} are there now?",
    "{n} picked {a} {t}, then {b} more, and gave {c} to {m}. How many {t} does {n} have left?",
    "In a bag are {a} {t}. {n} adds {b} and takes {c}. How many {t} are in the bag?",
)


def _operands(operation: str, rng: random.Random) -> tuple[int, ...]:
    if operation == "multiply":
        return rng.randint(10, 99), rng.randint(2, 9) if rng.random() < 0.6 else rng.randint(10, 49)
    most = rng.choice((30, 99, 99, 500))
    a, b = rng.randint(2, most), rng.randint(2, most)
    if operation == "subtract":
        return max(a, b) + 1, min(a, b)
    return (a, b) if operation == "add" else (a, b, rng.randint(1, a + b - 1))


def _solve(operation: str, n: tuple[int, ...]) -> tuple[list[str], int]:
    if operation == "multiply":
        return multiply_steps(n[0], n[1]), n[0] * n[1]
    if operation == "subtract":
        return subtract_steps(n[0], n[1]), n[0] - n[1]
    if operation == "add":
        return add_steps(n), sum(n)
    return add_steps(n[:2]) + subtract_steps(n[0] + n[1], n[2]), n[0] + n[1] - n[2]


STORIES = {"add": ADD, "subtract": SUBTRACT, "multiply": MULTIPLY, "add_subtract": ADD_SUBTRACT}


def make_story(rng: random.Random, *, held_out: bool) -> tuple[Problem, str]:
    """A problem and its prompt."""
    operation = rng.choice(tuple(STORIES))
    numbers = _operands(operation, rng)
    while is_held_out("story", numbers) != held_out:
        numbers = _operands(operation, rng)
    said = numbers
    if operation == "multiply" and numbers[1] < 10 and rng.random() < 0.5:
        said = (numbers[1], numbers[0])
    n, m = rng.sample(PEOPLE, 2)
    thing = rng.choice(THINGS)
    frame = pick(STORIES[operation], rng, held_out=held_out)
    text = frame.format(n=n, m=m, t=thing, a=said[0], b=said[1], c=said[-1])
    steps, answer = _solve(operation, numbers)
    return Problem("story", numbers, tuple(steps), str(answer)), text
