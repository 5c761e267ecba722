"""The wheel in an empty environment of another Python: where the interpreters are, and how it is installed."""

import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ("3.11", "3.12", "3.13")
LOCKED = "3.11"
"""The version that requirements.lock was made for; the others take what the index has."""
_UNREACHABLE = re.compile(r"Failed to establish a new connection|Temporary failure in name resolution|ProxyError")


def interpreter(version: str) -> Path | None:
    """A Python of a version: on the path, or among those of pyenv."""
    found = shutil.which(f"python{version}")
    candidates = [Path(found)] if found else []
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    candidates += sorted(pyenv.glob(f"{version}.*/bin/python{version}"), reverse=True)
    for candidate in candidates:  # a shim of pyenv may stand for nothing
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        done = subprocess.run([candidate, "-c", code], capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip() == version:
            return candidate
    return None


def clean_environment() -> dict[str, str]:
    """This process's environment without what makes a Python find other packages than its own."""
    leading = ("PYTHON", "VIRTUAL_ENV", "PYTEST", "HWCONV", "PIP_")
    return {name: value for name, value in os.environ.items() if not name.startswith(leading)}


def install(python: Path, version: str, wheel: Path, folder: Path) -> str:
    """Installs a wheel with its dependencies; returns why that could not be tried, or nothing."""
    subprocess.run([python, "-m", "venv", folder], check=True, env=clean_environment())
    steps: list[list[object]] = [[wheel]]
    if version == LOCKED:
        wanted = folder / "wanted.txt"
        wanted.write_text(locked_dependencies(wheel))
        steps = [["--require-hashes", "--no-deps", "-r", wanted], ["--no-deps", wheel]]
    pip = [folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check"]
    for step in [["install", "--quiet", *step] for step in steps] + [["check"]]:
        done = subprocess.run([*pip, *step], env=clean_environment(), capture_output=True, text=True, check=False)
        if _UNREACHABLE.search(done.stderr):
            return "the package index cannot be reached"
        assert done.returncode == 0, done.stdout + done.stderr
    return ""


def locked_dependencies(wheel: Path) -> str:
    """The part of requirements.lock that the wheel needs, not the tests' part; it says who needs what."""
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        stated = archive.read(metadata).decode().splitlines()
    needed = {
        re.split(r"[^\w.-]", line.removeprefix("Requires-Dist: "))[0].lower()
        for line in stated
        if line.startswith("Requires-Dist: ") and "extra ==" not in line
    }
    blocks = re.split(r"\n(?=\w)", (ROOT / "requirements.lock").read_text())
    named = {block.partition("==")[0]: block for block in blocks if "==" in block.partition("\n")[0]}
    callers = {name: set(re.findall(r"^    #(?:   | via )(\S+)", block, re.MULTILINE)) for name, block in named.items()}
    assert needed <= named.keys()
    while more := {name for name in named.keys() - needed if callers[name] & needed}:
        needed |= more
    return "\n".join(named[name] for name in sorted(needed)) + "\n"


def run(folder: Path, arguments: list[str], place: Path) -> str:
    """Runs the installed command and returns what it prints."""
    # What is cached would show that another environment works.
    environment = {**clean_environment(), "HWCONV_CACHE": str(place / "cache")}
    done = subprocess.run(
        [folder / "bin" / "hwconv", *arguments], cwd=place, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def files_of(folder: Path) -> Iterator[Path]:
    """Every file below a folder, by relative name, in order."""
    return (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
