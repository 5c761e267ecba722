"""Benchmarks: fixed layers, measured and recorded with the hash of the RTL they were measured on."""
