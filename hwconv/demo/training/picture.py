"""How often each classifier is right when it is so sure, as a picture."""

from collections.abc import Mapping
from pathlib import Path

from hwconv.demo.digits import Reliability

_COLOURS = {"float": "#1f77b4", "int8": "#ff7f0e"}


def draw(found: Mapping[str, Mapping[str, Reliability]], path: Path) -> None:
    """Writes an SVG: a panel for each training, confidence against accuracy; the same values give the same bytes.

    Parameters:
        found: by training, then by `float` and `int8`.
        path: the file to write.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "hwconv", "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure = Figure(figsize=(12, 3.6))
        panels = figure.subplots(1, len(found), sharey=True)
        for panel, (name, kinds) in zip(panels, found.items(), strict=True):
            panel.plot([0, 1], [0, 1], color="#999999", linewidth=1, linestyle="dashed")
            for kind, each in kinds.items():
                sizes = [12 + count / 3 for count in each.count]
                panel.plot(each.confidence, each.accuracy, color=_COLOURS[kind], linewidth=1, alpha=0.6)
                panel.scatter(each.confidence, each.accuracy, sizes, color=_COLOURS[kind], alpha=0.6)
            errors = ", ".join(f"{each.expected_calibration_error:.3f} {kind}" for kind, each in kinds.items())
            panel.set_title(f"{name.replace('_', ' and ')}\nECE {errors}", fontsize=10)
            panel.set_xlabel("confidence")
            panel.set_xlim(0.2, 1.03)
            panel.set_ylim(-0.03, 1.05)
        panels[0].set_ylabel("accuracy")
        for kind, colour in _COLOURS.items():
            panels[-1].plot([], [], "o", color=colour, label=kind, alpha=0.6)
        panels[-1].legend(loc="lower right", fontsize=9, frameon=False)
        figure.tight_layout()
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None, "Creator": None})
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(line.rstrip() for line in lines) + "\n", encoding="utf-8")
