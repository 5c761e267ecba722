"""`hwconv bench`: the table of benchmarks/, measured."""

from hwconv.cli.options import Json


def bench(json: Json = False) -> None:
    """Measure the fixed table of layers: utilisation, cycles, multipliers."""
    raise NotImplementedError(json)
