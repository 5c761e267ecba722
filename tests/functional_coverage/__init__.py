"""Which combinations of attributes, foldings and pauses the random runs have really simulated.

Tests record every run that passed; `python -m functional_coverage` (``make coverage``) prints the crosses of what they
ran, and fails where a cell that could be filled is empty. The random generator is steered by the same bins.
"""
