"""Attacks on whole relays: what they cost, and who loses nothing to them."""
