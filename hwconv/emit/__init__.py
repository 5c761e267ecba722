"""From gateware to files: Verilog, memory images and the package around them."""
