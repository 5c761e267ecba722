"""`hwconv demo`: a photograph through a filter bank, from layer to routed Verilog."""

from hwconv.cli.options import Json


def demo(json: Json = False) -> None:
    """Generate, simulate, compare and route a filter bank on a photograph; write the picture the hardware computed."""
    raise NotImplementedError(json)
