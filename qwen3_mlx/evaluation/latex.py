r"""Formulas in LaTeX: the one that an answer ends in, and whether two say the same.

Knows spellings: `\dfrac12` and `\frac{1}{2}`, `\left(` and `(`, `x=5` and `5`. Does not know
algebra: `x+1` and `1+x` are two formulas. What is the same here is so for everybody; the rules are
those of the data set's own evaluation (Hendrycks et al., arXiv 2103.03874), written anew.
"""

from __future__ import annotations

import re
from itertools import accumulate

from qwen3_mlx.evaluation.numbers import as_number

BOX = "\\boxed{"

_RULES = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        (r"\\(?:left|right|displaystyle)(?![a-zA-Z])", ""),
        (r"\\[!,;:> ]|~|\s", ""),
        (r"\\(?:text|textbf|textrm|mathrm|mbox)\{([^{}]*)\}", r"\1"),
        (r"\^\{?\\circ\}?|°|\\?%|\\?\$|\\[()\[\]]", ""),
        (r"\\[dt]frac", r"\\frac"),
        (r"\\frac([0-9])([0-9])", r"\\frac{\1}{\2}"),
        (r"\\frac([0-9])\{", r"\\frac{\1}{"),
        (r"\\frac\{([^{}]*)\}([0-9])", r"\\frac{\1}{\2}"),
        (r"\\sqrt([0-9a-zA-Z])", r"\\sqrt{\1}"),
        (r"^(-?[0-9]+)/([0-9]+)$", r"\\frac{\1}{\2}"),
        (r"^\\frac\{-([0-9]+)\}", r"-\\frac{\1}"),
        (r"\{,\}", ","),
        (r"\.$", ""),
        (r"^[a-zA-Z]{1,2}=(?!.*=)", ""),
    )
)
_INLINE = re.compile(r"\$([^$\n]+)\$")
# Where it could begin anywhere, a long line without it would take the square of its length.
_LEAD = re.compile(r"\A.*\bis\b:?\s", re.IGNORECASE)


def last_boxed(text: str) -> str | None:
    r"""What the last `\boxed{}` holds, braces in it included; None without one that is closed."""
    start = text.rfind(BOX)
    if start < 0:
        return None
    inside = text[start + len(BOX) :]
    depths = accumulate(((c == "{") - (c == "}") for c in inside), initial=1)
    end = next((place for place, depth in enumerate(depths) if depth == 0), None)
    return None if end is None else inside[: end - 1]


def final_formula(answer: str) -> str:
    """The formula an answer ends in: what is boxed, else the last one in dollars, else its end."""
    boxed = last_boxed(answer)
    if boxed is not None:
        return boxed
    inline = _INLINE.findall(answer)
    if inline:
        return str(inline[-1])
    lines = answer.strip().splitlines()
    return _LEAD.sub("", lines[-1]) if lines else ""


def same_formula(one: str, other: str) -> bool:
    """Whether two formulas differ in spelling alone, or are the same number."""
    first, second = plain(one), plain(other)
    if first == second:
        return first != ""
    number = as_number(first)
    return number is not None and number == as_number(second)


def plain(formula: str) -> str:
    """A formula in one of its spellings."""
    for pattern, instead in _RULES:
        formula = pattern.sub(instead, formula)
    return formula
