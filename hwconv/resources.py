"""Where the files beside the Python code are: hand-written Verilog, cocotb benches and templates.

In a checkout `rtl/`, `sim/` and `templates/` lie beside the package; in an installed wheel the same three folders lie
inside it, as `hwconv/_resources/`. Nothing else in hwconv needs to know which of the two it runs from.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_FOLDERS = ("rtl", "sim", "templates")


def resource_path(relative: str) -> Path:
    """Returns the path of a shipped file or folder.

    Parameters:
        relative: a path with forward slashes below `rtl`, `sim` or `templates`, as `rtl/generic/hwconv_mult.v`.

    Raises:
        ValueError: `relative` does not start with one of the three folders.
        FileNotFoundError: no such file or folder is shipped.
    """
    if relative.split("/", 1)[0] not in _FOLDERS or ".." in relative.split("/"):
        raise ValueError(f"Expected a path below {', '.join(_FOLDERS)}, not {relative!r}")
    for root in (_PACKAGE / "_resources", _PACKAGE.parent):
        path = root / relative
        if path.exists():
            return path
    raise FileNotFoundError(f"{relative}: hwconv was installed without this file; reinstall it")
