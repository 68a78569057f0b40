"""Attack: chat templates that never end, or that grow, through `load`.

Each is stopped within two seconds of CPU time and 256 MB, and the error says which file it is.
`python -m tests.trust.templates`.
"""

from __future__ import annotations

import random
import re
import subprocess

from tests.trust.faults.edits import TEMPLATE, text
from tests.trust.folders import copy
from tests.trust.tally import Tally, main
from tests.trust.weighing import Weight, weigh

MOST_SECONDS, MOST_BYTES = 2.0, 256_000_000
STOPPED = (
    rf"the chat template in \S*{re.escape(TEMPLATE)} "
    r"(does not end within|takes too much memory or text|fails: (Overflow|Recursion|Value))"
)
LATE = "stopped too late"
FILLER = "{{ messages[0].content }}"


def loop(rounds: int, depth: int, body: str = "") -> str:
    return f"{{% for i in range({rounds}) %}}" * depth + body + "{% endfor %}" * depth


ENDLESS = {
    "loops in loops": loop(100_000, 3),
    "a loop over what it makes": "{% for i in range(99999) | list * 1000 %}{% endfor %}",
    "a power": "{{ 10 ** (10 ** 9) }}",
    "a power of powers": "{{ 7 ** (7 ** (7 ** 7)) }}",
    "digits of a power": "{{ (10 ** (10 ** 6)) ~ '' }}",
    "a product of large numbers": loop(99_999, 2, "{% set x = 10 ** 4000 * 10 ** 4000 %}"),
    "sorting for ever": loop(99_999, 1, "{% set x = range(99999) | sort | list %}"),
    "replacing for ever": loop(
        99_999, 2, "{% set x = (messages[0].content * 9999).replace('a', 'b') %}"
    ),
    "a macro that calls itself twice": (
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}"
    ),
    "a macro that calls itself for ever": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "a loop that is recursive": (
        "{% for x in [[[[[1] * 99] * 99] * 99] * 99] * 99 recursive %}"
        "{% if x is iterable %}{{ loop(x) }}{% endif %}{% endfor %}"
    ),
    "groups of groups": loop(99_999, 1, "{% set x = range(99999) | groupby('real') | list %}"),
    "joining for ever": loop(99_999, 1, "{% set x = range(99999) | join %}"),
    "wrapping for ever": loop(
        99_999, 1, "{% set x = ((messages[0].content ~ ' ') * 9999) | wordwrap(i + 1) %}"
    ),
    "many statements": "{% set x = range(99999) | sum %}" * 20_000,
    "brackets in brackets": "{{ " + "(" * 100_000 + "1" + ")" * 100_000 + " }}",
    "a pattern of time": loop(99_999, 1, "{{ strftime_now('%Y' * 9999)[:1] }}"),
}

BLOATING = {
    "ten billion letters": "{{ 'x' * 10 ** 10 }}",
    "a hundred million letters": "{{ 'x' * 10 ** 8 }}",
    "a hundred million letters, a thousand at a time": loop(99_999, 1, "{{ 'x' * 1000 }}"),
    "wide letters": loop(99_999, 1, "{{ '😀' * 1000 }}"),
    "padding": "{{ messages[0].content.ljust(10 ** 10) }}",
    "centring": "{{ messages[0].content | center(10 ** 9) }}",
    "indenting": "{{ ('x\\n' * 99999) | indent(99999) }}",
    "doubling": "{% set a = namespace(b='x') %}" + loop(99, 1, "{% set a.b = a.b ~ a.b %}"),
    "lists of lists": "{% set a = namespace(b=[1]) %}" + loop(99, 1, "{% set a.b = a.b + a.b %}"),
    "a list that is repeated": "{{ ([1] * 10 ** 9) | length }}",
    "a dictionary of ranges": "{{ dict(a=range(99999) | list * 999) | tojson }}",
    "a format with a width": "{{ '%999999999d' % 1 }}",
    "a format with a width of its own": "{{ '{:>999999999}'.format('x') }}",
    "a number of a billion digits": "{{ '%.999999999f' % 1.5 }}",
    "a number with many zeros": "{{ 1 | round(9) * 10 ** 300000000 }}",
    "escapes": "{{ ('<' * 9999999) | escape | escape | escape }}",
    "batches": "{{ range(99999) | batch(10 ** 9, 'x') | list | length }}",
    "one letter at a time": "{{ ('x' * 99999999) | list | length }}",
    "JSON": "{{ (['x' * 999999] * 999) | tojson }}",
    "a long refusal": "{{ raise_exception('x' * 10 ** 9) }}",
    "a long name": "{{ messages['x' * 10 ** 9].y }}",
    "a megabyte of template": "{{ 1 }}" * 149_000,
}

ALL = {name: FILLER + source for name, source in (ENDLESS | BLOATING).items()}


def attack(count: int, seed: int) -> Tally:
    """So many templates, chosen by the seed."""
    tally, weights = Tally(), dict[str, Weight]()
    for name in random.Random(seed).sample(sorted(ALL), min(count, len(ALL))):
        try:
            weights[name] = weigh_template(ALL[name])
        except subprocess.TimeoutExpired:
            tally.fell("hang", name)
        else:
            judge(tally, name, weights[name])
    tally.figures |= worst(weights)
    return tally


def weigh_template(source: str) -> Weight:
    with copy(manifest=False) as folder:
        text(TEMPLATE, source)(folder)
        return weigh(folder)


def judge(tally: Tally, name: str, weight: Weight) -> None:
    trial = f"{name}: {weight.cpu_seconds:.2f} s, {weight.worker_nbytes:,} bytes: {weight.message}"
    if not re.search(STOPPED, weight.message):
        tally.fell("not stopped, or without its file", trial[:300])
    elif max(weight.nbytes, weight.worker_nbytes) > MOST_BYTES:
        tally.fell("stopped with too much memory", trial[:300])
    elif weight.cpu_seconds > MOST_SECONDS:
        tally.fell(LATE, trial[:300])
    else:
        tally.held("stopped")


def worst(weights: dict[str, Weight]) -> dict[str, str]:
    if not weights:
        return {}
    return {
        "the most CPU time": f"{max(w.cpu_seconds for w in weights.values()):.2f} s",
        "the longest by the clock": f"{max(w.seconds for w in weights.values()):.2f} s",
        "the largest worker": f"{max(w.worker_nbytes for w in weights.values()) / 1e6:.0f} MB",
        "the most beside it": f"{max(w.nbytes for w in weights.values()) / 1e6:.0f} MB",
    }


if __name__ == "__main__":
    main(attack, len(ALL))
