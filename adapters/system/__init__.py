"""The machine mailport runs on: clock, chance, keys at rest, and the way to other hosts."""
