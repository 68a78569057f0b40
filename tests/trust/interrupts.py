"""Ctrl-C at random moments of a turn: the cache holds what was shown, and the next turn is right.

    python -m tests.trust.interrupts --count 1000

A moment is a line of Qwen3's code, drawn from all that the same turn runs when nobody interrupts
it: first the phase, then a line in it. There a `KeyboardInterrupt` is raised, as in a script, or
the conversation is told to stop, as the chat's first Ctrl-C does, or both, one after the other;
some trials send a real signal at a random time instead. Afterwards ids, numbers in the cache and
messages are held against the turn that was not interrupted, and the next turn against that of a
conversation that has read nothing yet.
"""

from __future__ import annotations

import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Thread

from qwen3_mlx.chat import Conversation
from qwen3_mlx.errors import Qwen3Error
from tests.trust import moments
from tests.trust.left_behind import (
    Seen,
    fault_of_cache,
    fault_of_ids,
    fault_of_messages,
    fault_of_next,
    fault_of_reading_ahead,
    is_exact,
)
from tests.trust.moments import Deed, Lines
from tests.trust.played import ALL_BUT_CALLS, COMPILED, KINDS, MODELS, Scenario, Stage, begun, work
from tests.trust.tally import Tally, main

MOMENTS = 1_000
SECOND_PRESS = 2_000
"""Lines at most between two presses."""

HANG = 120.0
"""Seconds after which a trial that is not over hangs."""

PHASES = (*ALL_BUT_CALLS, moments.TOOL_CALL)
SETUPS = ((1, False, False), (2, True, False), (3, False, True), (1, True, True))
"""Turns before, whether they are saved, and whether the model has read ahead."""

WRONG = (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
"""Errors, none of which is what was asked for."""

HOW = ("interrupt",) * 10 + ("stop",) * 4 + ("twice",) * 2 + ("signal",) * 3 + ("stop signal",)


@dataclass(frozen=True)
class Whole:
    """A scenario that nobody interrupts: what it shows, and its lines."""

    seen: Seen
    lines: Lines


@dataclass(frozen=True)
class Trial:
    """One interrupt, as it was drawn.

    Attributes:
        how: One of `HOW`.
        phase: Where a line is drawn from.
        share: Which line of it; of the time of the turn, for a signal.
        rare: Whether lines that are run once are as likely as those that are run often.
        later: After so many lines the second press comes.
        held: Whether the KeyboardInterrupt is still being handled in the next turn, so that
            nothing of the broken-off one is cleared away.
        ahead: Whether another thread reads ahead before the next turn.
        racing: Whether another thread is reading ahead when the turn begins.
    """

    scenario: Scenario
    how: str
    phase: str
    share: float
    rare: bool
    later: int
    held: bool
    ahead: bool
    racing: bool


@dataclass(frozen=True)
class Outcome:
    """What a trial came to.

    Attributes:
        wrong: What is not as it should be; nothing, if all is.
        phase: In which the interrupt came; nothing, if it came too late or did not say.
        place: The line of code that was to be run next, where one was drawn.
        exact: Whether the cache then held no token more than its ids.
        dropped: Whether nothing was held any more, since the interrupt came while a compiled step
            had the buffers: the next turn reads everything anew.
    """

    wrong: str
    phase: str = ""
    place: str = ""
    exact: bool = True
    dropped: bool = False


def drawn(number: int, seed: int, models: Sequence[str]) -> Trial:
    """The trial of this number."""
    rng = random.Random(f"{seed} {number}")
    phase = rng.choice(PHASES)
    fit = [(k, m) for k, kind in KINDS.items() if phase in kind.phases for m in kind.models]
    kind, model = rng.choice([pair for pair in fit if pair[1] in models])
    turns, saved, ahead = rng.choice(SETUPS)
    reading = phase == moments.READING_AHEAD
    scenario = Scenario(model, kind, turns, saved, ahead and not reading, reading)
    return Trial(
        scenario,
        how=rng.choice(HOW),
        phase=phase,
        share=rng.random(),
        rare=rng.random() < 0.5,
        later=rng.randint(1, SECOND_PRESS),
        held=rng.random() < 0.5,
        ahead=rng.random() < 0.3,
        racing=phase == moments.PREFILL and rng.random() < 0.3,
    )


class HangError(Exception):
    """A trial does not end."""


@contextmanager
def alarm(timer: int, number: int, seconds: float, deed: Deed) -> Iterator[None]:
    """Does something in a handler after so many seconds, if the context lasts so long."""
    before = signal.signal(number, lambda *_: deed())
    signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        signal.setitimer(timer, 0)
        signal.signal(number, before)


def interrupt() -> None:
    """As Python's own handler of Ctrl-C."""
    raise KeyboardInterrupt


def hang() -> None:
    """The watch over a trial."""
    raise HangError


class Attack:
    """Interrupts, one trial after the other.

    Args:
        work: A folder for saved prompts.
    """

    def __init__(self, work: Path) -> None:
        self._stage = Stage(work)
        self.whole = cache(self._whole)
        self._seconds_of = cache(self._seconds)

    def run(self, trial: Trial) -> Outcome:
        """The trial, and what is wrong after it."""
        with alarm(signal.ITIMER_REAL, signal.SIGALRM, HANG, hang):
            try:
                return self._run(trial)
            except HangError:
                return Outcome("hangs", trial.phase)
            except (*WRONG, Qwen3Error) as error:
                return Outcome(f"{type(error).__name__}: {error}", trial.phase)

    def _whole(self, scenario: Scenario) -> Whole:
        chat, lines = self._stage.begin(scenario), Lines({})
        seen = begun(chat)
        with lines.watched():
            work(chat, scenario, seen)
        return Whole(seen, lines)

    def _seconds(self, scenario: Scenario) -> float:
        """How long a scenario computes."""
        chat = self._stage.begin(scenario)
        start = time.process_time()
        work(chat, scenario, begun(chat))
        return time.process_time() - start

    def _run(self, trial: Trial) -> Outcome:
        whole, chat = self.whole(trial.scenario), self._stage.begin(trial.scenario)
        seen, lines, phase = begun(chat), Lines(_deeds(trial, chat, whole.lines)), ""
        try:
            with (
                _reading(chat) if trial.racing else nullcontext(),
                self._pressed(trial, chat, lines),
            ):
                work(chat, trial.scenario, seen)
        except KeyboardInterrupt as error:
            phase = moments.phase_of(error)
            if trial.held:
                return self._judged(trial, chat, seen, phase, lines.place)
        else:
            if trial.how == "interrupt" and lines.place:
                return Outcome("the interrupt is lost", trial.phase, lines.place)
        return self._judged(trial, chat, seen, phase, lines.place)

    @contextmanager
    def _pressed(self, trial: Trial, chat: Conversation, lines: Lines) -> Iterator[None]:
        """Within it, the moment comes."""
        if "signal" in trial.how:
            deed = chat.stop if trial.how == "stop signal" else interrupt
            seconds = max(1e-6, trial.share * self._seconds_of(trial.scenario))
            with alarm(signal.ITIMER_PROF, signal.SIGPROF, seconds, deed):
                yield
        else:
            with _reading(chat) if trial.racing else nullcontext(), lines.watched():
                yield

    def _judged(
        self, trial: Trial, chat: Conversation, seen: Seen, phase: str, place: str
    ) -> Outcome:
        if "signal" not in trial.how:
            phase = phase or (trial.phase if place else "")
        whole, exact = self.whole(trial.scenario).seen, is_exact(chat)
        reading = phase in {"", moments.PREFILL, moments.READING_AHEAD}
        dropped = trial.scenario.model == COMPILED and not chat._prefix.ids and not reading
        wrong = (
            ("" if dropped else fault_of_ids(chat, seen, whole, reading=reading))
            or fault_of_cache(chat)
            or fault_of_messages(chat, seen, whole)
            or (fault_of_reading_ahead(chat) if trial.ahead else "")
            or fault_of_next(chat, self._stage.fresh(trial.scenario))
        )
        return Outcome(wrong, phase, place, exact, dropped)


@contextmanager
def _reading(chat: Conversation) -> Iterator[None]:
    """Another thread is reading ahead, or has."""
    reader = Thread(target=chat.read_ahead, daemon=True)
    reader.start()
    try:
        yield
    finally:
        reader.join()


def _deeds(trial: Trial, chat: Conversation, lines: Lines) -> dict[int, Deed]:
    """What is done at which line."""
    if "signal" in trial.how:
        return {}
    line = lines.drawn(trial.phase, trial.share, rare=trial.rare)
    if trial.how == "twice":
        return {line: chat.stop, line + trial.later: interrupt}
    return {line: interrupt if trial.how == "interrupt" else chat.stop}


def available() -> list[str]:
    """The models that this machine can run."""
    return [name for name in MODELS if name != COMPILED or shutil.which("g++")]


def attack(count: int, seed: int) -> Tally:
    """So many interrupts."""
    tally, how, inexact = Tally(), Counter[str](), 0
    with tempfile.TemporaryDirectory() as folder:
        attacked = Attack(Path(folder) / "cache")
        for number in range(count):
            trial = drawn(number, seed, available())
            outcome = attacked.run(trial)
            phase = outcome.phase or "after the turn, or a stop by a signal"
            if outcome.wrong:
                tally.fell(f"{phase}: {outcome.wrong}", f"trial {number}: {trial} {outcome.place}")
            else:
                tally.held(f"{phase}: nothing held, all read anew" if outcome.dropped else phase)
            inexact += not outcome.exact
            how[trial.how] += 1
    tally.figures = {f"by {name}": f"{times:,}" for name, times in how.most_common()}
    tally.figures["with more in the cache than noted, until the next turn"] = f"{inexact:,}"
    return tally


if __name__ == "__main__":
    main(attack, MOMENTS)
