"""The demo: a photograph through a bank of filters, from the layer to a bitstream.

The photograph is matplotlib's sample of Grace Hopper. Everything that is shown comes from the simulated Verilog.
"""

from hwconv.demo.run import DemoResult, run_demo

__all__ = ["DemoResult", "run_demo"]
