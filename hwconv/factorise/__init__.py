"""Splits a layer with a K x L kernel into a row and a column: :func:`factorise` says how, docs/factorise.md why."""

from .factorisation import Factorisation
from .split import factorise, quantise_filters

__all__ = ["Factorisation", "factorise", "quantise_filters"]
