"""The wrapper that puts a design with wide streams on three pins; see `templates/build_wrapper.v.j2`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import jinja2

from hwconv.errors import ToolError
from hwconv.resources import resource_path

WRAPPER = "hwconv_build_wrapper"
_CLOCKS = ("aclk", "clk", "clock")


@dataclass(frozen=True)
class Port:
    """A port of the design: its direction (`input` or `output`), its name, its bits."""

    direction: str
    name: str
    width: int


def parse_ports(listing: str) -> list[Port]:
    """The ports in what yosys' `portlist` prints, as `input [7:0] s_axis_tdata`."""
    pattern = re.compile(r"^\s*(input|output|inout)\s+(?:\[(-?\d+):(-?\d+)\]\s+)?(\S+?),?$", re.MULTILINE)
    return [
        Port(direction, name, abs(int(high) - int(low)) + 1 if high else 1)
        for direction, high, low, name in pattern.findall(listing)
    ]


def clock_of(ports: Sequence[Port], top: str) -> str:
    """The clock among the ports: aclk, clk or clock.

    Raises:
        ToolError: there is none.
    """
    names = {port.name for port in ports if port.direction == "input"}
    for clock in _CLOCKS:
        if clock in names:
            return clock
    raise ToolError(f"module {top} has no clock among its inputs (looked for {', '.join(_CLOCKS)})")


def render_wrapper(top: str, ports: Sequence[Port]) -> str:
    """The Verilog of the wrapper.

    Raises:
        ToolError: the module has no clock, or a port that is not an input or an output.
    """
    clock = clock_of(ports, top)
    for port in ports:
        if port.direction not in ("input", "output"):
            raise ToolError(
                f"module {top}: port {port.name} is an {port.direction}; only inputs and outputs are routed"
            )
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    template = environment.from_string(resource_path("templates/build_wrapper.v.j2").read_text())
    return template.render(
        name=WRAPPER,
        top=top,
        clock=clock,
        inputs=[port for port in ports if port.direction == "input" and port.name != clock],
        outputs=[port for port in ports if port.direction == "output"],
    )
