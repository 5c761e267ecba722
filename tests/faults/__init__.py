"""Seeded faults: single changes to generated engines, and whether the tests notice them.

`python -m faults` (``make faults``) makes every change, runs the checks of `engine_checks` on what comes of it until
one fails, and writes the shares to benchmarks/. Expected values are those of the golden model and of the plan: the
changed Verilog is never compared with the unchanged.
"""
