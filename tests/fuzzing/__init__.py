"""Hostile input for everything that hwconv reads: made from a seed, tried in a process of bounded memory and time.

A kind of input is a function `(random, folder, seeds) -> attempt`: it writes one hostile file (or chooses arguments)
and returns what tries it. An attempt returns a word for a proper result, or raises; `trial.py` judges what it did,
`__main__.py` runs many and says what came of them. Case `kind:number` of a seed is the same input every time:

    PYTHONPATH=.:tests python -m fuzzing --seed 1 --case npz:1234 --keep /some/folder
"""
