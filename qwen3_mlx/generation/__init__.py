"""From a prompt to a stream of events: sampling, the thinking budget, the loop, the turn.

Knows the model as a function of ids, and text only through the tokenizer it is given. Does not
know messages, files or screens.
"""
