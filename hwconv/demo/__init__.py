"""The demo: a photograph through a bank of filters, from the layer to a bitstream; then digits through whole networks.

The photograph is matplotlib's sample of Grace Hopper. The networks were trained by the scripts of
hwconv/demo/training/, which nothing here needs. Everything that is shown comes from the simulated Verilog.
"""

from hwconv.demo.digits_run import DigitsResult, run_digits
from hwconv.demo.run import DemoResult, run_demo

__all__ = ["DemoResult", "DigitsResult", "run_demo", "run_digits"]
