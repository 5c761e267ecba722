"""The names in the Verilog are the same on every version of Python, so that a layer gives the same bytes on all."""

import ast
from pathlib import Path

import pytest

GATEWARE = sorted((Path(__file__).parent.parent / "hwconv" / "gateware").glob("*.py"))


def nameless(node: ast.AST) -> bool:
    """Whether a node makes a signal, or a memory's port, that Amaranth has to find a name for."""
    return (
        isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith(("Signal", "Signal.like", ".write_port", ".read_port"))
        and "name" not in [each.arg for each in node.keywords]
    )


@pytest.mark.parametrize("path", GATEWARE, ids=lambda path: path.stem)
def test_no_name_is_taken_from_how_python_compiles_an_assignment_of_several(path: Path) -> None:
    # Of `a, b = Signal(), Signal()`, Amaranth finds the last name up to Python 3.12 only, and the others never.
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
            nameless_ones = [ast.unparse(each) for each in node.value.elts if nameless(each)]
            assert not nameless_ones, f"{path.name}:{node.lineno}: one assignment each"
