"""Attacks on the whole of it, by machines: short in `make test`, long in `make fuzz`."""
