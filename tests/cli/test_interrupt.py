"""Ctrl-C during a turn, as the signal that it is."""

from __future__ import annotations

import signal
from threading import Event, Lock

import pytest

from qwen3_mlx.cli.interrupt import stop_on_interrupt


def test_the_first_press_stops_and_the_second_interrupts() -> None:
    stopped = Event()
    with stop_on_interrupt(stopped.set) as presses:
        signal.raise_signal(signal.SIGINT)
        assert stopped.wait(10)
        assert presses.count == 1
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_afterwards_ctrl_c_means_what_it_meant_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stop_on_interrupt(lambda: None) as presses:
        assert signal.getsignal(signal.SIGINT) == presses.handle
    assert signal.getsignal(signal.SIGINT) is before


def test_a_stop_that_needs_a_lock_of_the_main_thread_waits_for_it() -> None:
    lock, stopped = Lock(), Event()

    def stop() -> None:
        with lock:
            stopped.set()

    with stop_on_interrupt(stop), lock:
        signal.raise_signal(signal.SIGINT)
        assert not stopped.is_set()
    assert stopped.wait(10)


def test_a_press_ends_the_events_between_two_of_them() -> None:
    with stop_on_interrupt(lambda: None) as presses:
        events = presses.raised_between(iter((1, 2, 3)))
        assert [next(events), next(events)] == [1, 2]
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            next(events)
