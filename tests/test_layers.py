"""Imports go one way, as docs/architecture.md says. Read from the source, so that lazy imports count as well."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "hwconv"

# What stream blocks compute.
BLOCKS = ("frame_spec", "dropout", "mc_statistics", "add", "pool", "upscale", "graph")
# What the modules of a room may import of hwconv, beside their own room.
ALLOWED: dict[str, tuple[str, ...]] = {
    "cache": (),
    "collector": (),
    "errors": (),
    "fields": ("errors",),
    "keywords": (),
    "resources": (),
    "spec": ("errors", "fields"),
    "attributes": ("spec", "pool", "add", "upscale"),
    "layer": ("errors", "spec"),
    "frame_spec": ("errors", "fields", "spec"),
    "dropout": ("errors", "fields", "frame_spec"),
    "mc_statistics": ("errors", "frame_spec", "spec"),
    "packing": ("errors", "spec"),
    "pool": ("errors", "fields", "spec", "layer"),
    "add": ("errors", "fields", "spec"),
    "upscale": ("errors", "fields", "spec"),
    "graph": ("errors", "fields", "spec", "layer", "pool", "add", "upscale"),
    "golden": (
        "errors",
        "spec",
        "layer",
        "dropout",
        "mc_statistics",
        "pool",
        "add",
        "upscale",
        "graph",
        "host",
        "model",
    ),
    "factorise": ("errors", "spec", "layer", "golden"),
    "host": ("errors",),
    "model": ("errors", "graph", "host"),
    "frontend": (
        "errors",
        "spec",
        "layer",
        "golden.requantise",
        "golden.add",
        "golden.pool",
        "graph",
        "pool",
        "add",
        "upscale",
        "host",
        "model",
    ),
    "plan": (
        "errors",
        "spec",
        "layer",
        "golden.requantise",
        "golden.pool",
        "golden.add",
        "keywords",
        "packing",
        "targets",
        *BLOCKS,
    ),
    "gateware": ("errors", "plan", *BLOCKS),
    "emit": ("collector", "errors", "spec", "plan", "gateware", "keywords", "resources", "__version__", *BLOCKS),
    "targets": ("errors", "resources"),
    "simulation": ("cache", "errors", "packing", "resources"),
    "flow": ("cache", "errors", "resources", "targets"),
}
# Rooms on top of all these, and of each other; nothing below may import them.
TOP = {
    "__init__",
    "__main__",
    "api",
    "bench",
    "blocks",
    "cli",
    "comparison",
    "demo",
    "designs",
    "gallery",
    "graphs",
    "inspection",
    "load_trials",
    "networks",
    "quantise",
    "results",
    "sources",
    "trials",
    "vectors",
}
WITHOUT_AMARANTH = set(ALLOWED) - {"gateware", "emit"}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path: Path) -> Iterator[str]:
    """Yields the absolute names of everything a file imports, names taken from a module included."""
    package = ["hwconv", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    room = room_of(path)
    if room in TOP:
        return
    assert room in ALLOWED, (
        f"{room} is a new room: say in tests/test_layers.py and docs/architecture.md what it imports"
    )
    for name in imports(path):
        if name.startswith("amaranth"):
            assert room not in WITHOUT_AMARANTH, f"{path.name} imports {name}"
        if not name.startswith("hwconv."):
            continue
        below = name.removeprefix("hwconv.")
        if below.split(".")[0] != room:
            allowed = ALLOWED[room]
            assert any(f"{below}.".startswith(f"{each}.") for each in allowed), f"{path.name} imports {name}"


def test_the_reader_sees_relative_and_lazy_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    (tmp_path / "golden").mkdir()
    path = tmp_path / "golden" / "module.py"
    path.write_text("from ..spec import ConvSpec\nfrom . import other\n\n\ndef late():\n    import amaranth.hdl\n")
    assert set(imports(path)) == {"hwconv.spec.ConvSpec", "hwconv.golden.other", "amaranth.hdl"}
