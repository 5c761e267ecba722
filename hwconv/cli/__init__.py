"""The command line. Each command is one module; what it needs is imported when it runs, so that `--help` is quick."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Annotated

import typer

from hwconv import __version__
from hwconv.cli import (
    bench,
    build,
    compare,
    compile,
    demo,
    dropout,
    factorise,
    generate,
    inspect,
    pack,
    plan,
    quantise,
    sim,
    targets,
)
from hwconv.cli.terminal import print_error
from hwconv.errors import HwconvError

INTERRUPTED = 130
"""The exit code after Ctrl-C: 128 and the number of the signal, as shells have it."""

app = typer.Typer(
    name="hwconv",
    help="From a quantised convolution to bit-exact, routed Verilog.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (plan.plan, generate.generate, pack.pack, sim.sim, compare.compare, build.build, bench.bench):
    app.command()(command)
app.command()(inspect.inspect)
app.command()(quantise.quantise)
app.command()(factorise.factorise)
app.command()(compile.compile)
app.command()(targets.targets)
app.command()(demo.demo)
app.command()(dropout.dropout)


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"hwconv {__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version  # its callback has answered


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and exits.

    Exit code 0: done, and exact where something was compared. 1: it failed, with one line on standard error. 2: the
    command line was wrong. 130 and 143: interrupted and terminated. With `HWCONV_TRACEBACK` set, errors come with their
    traceback.
    """
    with _removing_what_is_half_written():
        code = _run(arguments)
    sys.exit(code)


@contextlib.contextmanager
def _removing_what_is_half_written() -> Iterator[None]:
    """Makes termination an exception, so that it ends like any other way out."""
    if threading.current_thread() is not threading.main_thread():  # which alone may say what a signal does
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _run(arguments: list[str] | None) -> int:
    try:
        code = app(args=arguments, standalone_mode=False)
        sys.stdout.flush()
        if code == INTERRUPTED:  # typer has caught it
            raise KeyboardInterrupt
    except Exception as error:
        if os.environ.get("HWCONV_TRACEBACK"):
            raise
        return _report(error)
    except KeyboardInterrupt:
        print_error("interrupted")
        return INTERRUPTED
    return code if isinstance(code, int) else 0


def _report(error: Exception) -> int:
    """Turns any error into one line and an exit code."""
    if isinstance(error, typer.TyperException):  # exit code 2 where the command line is wrong
        context = getattr(error, "ctx", None)
        print_error(error.format_message() + (f" (see {context.command_path} --help)" if context else ""))
        return error.exit_code
    if isinstance(error, typer.Abort):
        print_error("interrupted")
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        # Whoever read standard output has seen enough; nothing more may be written to it, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    if isinstance(error, HwconvError):
        print_error(str(error))
    elif isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename is not None else ""
        print_error(f"{where}{error.strerror or error}")
    else:
        print_error(f"internal error: {type(error).__name__}: {error} (HWCONV_TRACEBACK=1 shows where)")
    return 1
