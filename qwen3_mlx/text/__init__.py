"""Strings to ids and back: tokenizer, chat template, and the parts of a reply.

Knows no arrays and no model. Control tokens are ids that only a template writes.
"""
