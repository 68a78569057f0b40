"""Commands about the talk itself: how the model thinks and answers, and what is said again.

Knows what each does to a `Session`. Does not know how lines are read or answers shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from qwen3_mlx.cli import wording
from qwen3_mlx.cli.call_wording import unfolded
from qwen3_mlx.cli.choices import Show, Switch
from qwen3_mlx.cli.cover import without_thoughts
from qwen3_mlx.cli.options import parse_budget
from qwen3_mlx.cli.session import Command, Session
from qwen3_mlx.errors import UsageError

if TYPE_CHECKING:
    from qwen3_mlx.generation.defaults import SamplingArgs
    from qwen3_mlx.generation.mode import Thinking
    from qwen3_mlx.text.pieces import Message

WORDS = {True: "/think", False: "/no_think", None: ""}
WHOLE = {"top_k", "seed", "max_tokens"}
VALUES = (
    "temp",
    "top_p",
    "top_k",
    "min_p",
    "presence_penalty",
    "repetition_penalty",
    "seed",
    "max_tokens",
)


def _think(session: Session, message: str) -> None:
    session.conversation.thinking = True  # the command takes a hard `off` back, the word does not
    zero = session.conversation.budget.limit == 0
    but = ", once its budget is more than 0: /budget N" if zero else ""
    _switch(session, "/think", f"thinks before it answers{but}", message)


def _no_think(session: Session, message: str) -> None:
    _switch(session, "/no_think", "answers at once", message)


def _switch(session: Session, word: str, effect: str, message: str) -> None:
    session.switch(word)
    if message:
        session.send(message)
    else:
        session.terminal.aside(effect)


def _thinking(session: Session, argument: str) -> None:
    conversation = session.conversation
    if argument:
        conversation.think(_kind_of_thinking(argument))
        session.switch("")
    session.terminal.aside(wording.next_turn(conversation, session.thinks))


def _kind_of_thinking(argument: str) -> Thinking:
    try:
        return Switch(argument.lower()).thinks
    except ValueError as error:
        hint = "Give on, off, or auto: not to look things up."
        raise UsageError(f"{argument!r} is no way to think", hint=hint) from error


def _budget(session: Session, argument: str) -> None:
    budget = session.conversation.budget
    if argument:
        budget.set(parse_budget(argument).limit)
    session.terminal.aside(wording.budget(budget.setting))


def _thoughts(session: Session, argument: str) -> None:
    word = argument.lower()
    if word == "last":
        show_last_thoughts(session)
    elif word:
        session.show = _kind_of_show(word)
    if word != "last":
        session.terminal.aside(f"thoughts: {session.show}")


def _kind_of_show(word: str) -> Show:
    try:
        return Show(word)
    except ValueError as error:
        hint = "Give window, full, hidden or summary, or last to read the last ones again."
        raise UsageError(f"{word!r} is no way to show thoughts", hint=hint) from error


def show_last_thoughts(session: Session) -> None:
    """Shows in full what the model thought last, and the calls in it; no private thoughts."""
    if not session.show.private:
        session.terminal.aside(session.thoughts.strip() or "no thoughts yet")
        return
    reply = session.last_reply
    calls = unfolded(without_thoughts(reply)) if reply else ""
    session.terminal.aside(
        calls or f"thoughts: {session.show}; /thoughts window shows those to come"
    )


def _system(session: Session, text: str) -> None:
    conversation = session.conversation
    if text:
        conversation.system = text
        conversation.messages = [
            {"role": "system", "content": text},
            *(m for m in conversation.messages if m["role"] != "system"),
        ]
    session.terminal.aside(f"system prompt: {conversation.system or 'none'}")


def _regen(session: Session, _argument: str) -> None:
    before = list(session.conversation.messages)
    question = _undone(session)
    taken = before[len(session.conversation.messages) :]
    try:
        session.send_again(_content(question), WORDS[question.get("thinking")])
    finally:
        if not _asked_since(before, session.conversation.messages):
            session.conversation.messages += taken
            session.terminal.aside("the earlier answer stays")


def _asked_since(before: Sequence[Message], now: Sequence[Message]) -> bool:
    """Whether there is a question among the messages that was not there before."""
    known = {*map(id, before)}
    return any(message["role"] == "user" and id(message) not in known for message in now)


def _undo(session: Session, _argument: str) -> None:
    question = _undone(session)
    session.look_back()
    session.terminal.aside(f"taken back: {wording.shortened(_content(question), 60)}")


def _edit(session: Session, _argument: str) -> None:
    session.edit(_content(_undone(session)))
    session.look_back()


def _undone(session: Session) -> Message:
    question = session.conversation.undo()
    if question is None:
        raise UsageError("there is no question to take back")
    return question


def _content(message: Message) -> str:
    return message.get("content") or ""


def _clear(session: Session, _argument: str) -> None:
    session.conversation.clear()
    session.look_back()
    session.detach()
    session.terminal.aside("forgotten; the conversation starts anew")


def _stats(session: Session, _argument: str) -> None:
    reply = session.last_reply
    for line in [_no_figures(session)] if reply is None else wording.figures(reply):
        session.terminal.aside(line)


def _no_figures(session: Session) -> str:
    answered = any(message["role"] == "user" for message in session.conversation.messages)
    return "the figures of the last answer are not kept" if answered else "no answer yet"


def _context(session: Session, _argument: str) -> None:
    conversation = session.conversation
    turns = sum(message["role"] == "user" for message in conversation.messages)
    used, limit = conversation.context_used, conversation.context_length
    session.terminal.aside(wording.context(used, limit, turns))


def _set(session: Session, argument: str) -> None:
    name, _, text = argument.partition(" ")
    if name:
        _set_value(session, name, text.strip())
    conversation = session.conversation
    values = {**conversation.sampling, "max_tokens": conversation.max_tokens}
    chosen = [f"{n} {values[n]}" for n in VALUES if values.get(n) is not None]
    session.terminal.aside(wording.joined(*chosen) or "all as the model's own settings say")


def _set_value(session: Session, name: str, text: str) -> None:
    if name not in VALUES:
        raise UsageError(f"there is no value {name!r}", hint=f"There are {', '.join(VALUES)}.")
    if not text:
        raise UsageError(f"/set {name} needs a number, or none for the model's own setting")
    value = _number(name, text)
    conversation = session.conversation
    max_tokens, sampling = conversation.max_tokens, dict(conversation.sampling)
    if name == "max_tokens":
        max_tokens = None if value is None else int(value)
    else:
        sampling[name] = value
    conversation.adjust(max_tokens=max_tokens, sampling=cast("SamplingArgs", sampling))


def _number(name: str, text: str) -> float | None:
    if text.lower() == "none":
        return None
    try:
        return int(text) if name in WHOLE else float(text)
    except ValueError as error:
        kind = "a whole number" if name in WHOLE else "a number"
        raise UsageError(
            f"{text!r} is no {name}", hint=f"Give {kind}, or none for the model's own setting."
        ) from error


def _model(session: Session, name: str) -> None:
    if name:
        session.change_model(name)
    session.terminal.aside(f"model: {session.model}")


COMMANDS = (
    Command("think", "think before answering", _think),
    Command("no_think", "answer at once", _no_think, aliases=("no-think", "nothink")),
    Command(
        "thinking", "on, off, or auto: not to look things up", _thinking, "HOW", choices=(*Switch,)
    ),
    Command(
        "budget",
        "think for at most N tokens; none: without end; auto: as needed",
        _budget,
        "N|none|auto",
        (),
        ("none", "auto"),
    ),
    Command(
        "thoughts",
        "window, full, hidden or summary; last: read them again",
        _thoughts,
        "HOW",
        choices=(*Show, "last"),
    ),
    Command("system", "show or change the system prompt", _system, "TEXT"),
    Command("regen", "answer the last question again", _regen),
    Command("undo", "take the last question and its answer back", _undo),
    Command("edit", "take the last question back, to change it", _edit),
    Command("clear", "forget the conversation", _clear),
    Command("model", "go on with another model", _model, "NAME", takes="model"),
    Command(
        "set",
        "how tokens are drawn, as temp 0.6; none: as the model says",
        _set,
        "NAME N",
        (),
        VALUES,
    ),
    Command("stats", "figures of the last answer", _stats),
    Command("context", "how much of the context is used", _context),
)
