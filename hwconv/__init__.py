"""hwconv: from a quantised convolution to a systolic engine in Verilog that equals numpy bit for bit."""

__version__ = "0.1.0"
