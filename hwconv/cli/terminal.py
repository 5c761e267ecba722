"""What the commands share about a terminal: results on standard output, progress and errors on standard error."""

import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

PATIENCE = 2.0
"""Seconds after which work says what it is doing."""
LOG_WIDTH = 120
"""Columns of what goes to a file or a pipe."""


def print_json(result: Mapping[str, Any]) -> None:
    """Writes a result as JSON with sorted keys: all that a command with `--json` writes to standard output."""
    sys.stdout.write(json.dumps(result, indent=2, sort_keys=True) + "\n")


def print_text(*renderables: Any) -> None:
    """Writes text, tables or panels for people to standard output."""
    terminal = sys.stdout.isatty()
    console = Console(soft_wrap=not terminal, width=None if terminal else LOG_WIDTH)
    for renderable in renderables:
        console.print(renderable, highlight=False, markup=False)


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Callable[[], None]]:
    """Shows on standard error that long work is going on; yields a function to call after each of `total` steps.

    A terminal gets a bar. Anything else (a log) gets one line, and only from work that takes more than two seconds,
    so that a quick failure stays a single line.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        timer = threading.Timer(PATIENCE, lambda: console.print(f"hwconv: {what} ...", highlight=False, markup=False))
        timer.daemon = True
        timer.start()
        try:
            yield lambda: None
        finally:
            timer.cancel()
        return
    counted = (BarColumn(), MofNCompleteColumn()) if total else (BarColumn(),)
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), *counted, TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)


def print_error(message: str) -> None:
    """Writes an error as one line to standard error, whatever line breaks or control characters it holds."""
    line = " ".join(message.split())
    sys.stderr.write("hwconv: error: " + "".join(each if each.isprintable() else "?" for each in line) + "\n")
