"""How the demo's networks were trained: `python -m hwconv.demo.training`, with the extra `training` installed.

Everything that hwconv computes with lies in hwconv/demo/networks/; nothing here runs unless it is made anew.
"""
