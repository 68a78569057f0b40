"""How many right answers a thinking budget buys: tasks, scoring, budget curves.

Knows files of tasks, how answers are compared, and what a budget did to them. Does not know
screens.
"""
