"""Fixtures of all tests: the shared test material, and the seed of random tests.

A test that takes ``material_file`` and is marked ``@pytest.mark.material("folder/pattern*.npz", ...)`` runs once for
every file that a pattern finds. The material lies beside the checkout, or where ``HWCONV_MATERIAL`` says; where it is
absent, such a test is skipped and says so. ``seed`` is fixed; ``HWCONV_SEED`` sets another one.

Of a test that is marked ``sampled``, and of each in the files of `SAMPLED`, a case makes an engine of its own, and
simulates or synthesises it: one case in `SHARE` runs by default, each test beginning at another one so that all kinds
of engines occur, and the others run with ``-m slow``.
"""

import os
from collections import Counter
from pathlib import Path
from zlib import crc32

import pytest

MATERIAL = Path(os.environ.get("HWCONV_MATERIAL") or Path(__file__).resolve().parents[2] / "shared" / "material")
ABSENT = "test material is absent (set HWCONV_MATERIAL to its folder)"

SAMPLED = frozenset(
    f"test_{name}.py"
    for name in (
        *("blocks", "engine_faults", "engine_formats", "engine_lut_multipliers", "engine_program", "engine_vectors"),
        *("loop", "power_up"),
    )
)
SHARE = 3


def pytest_configure(config: pytest.Config) -> None:
    for marker in (
        "material(*patterns): runs once for every file of the test material that matches",
        f"sampled: one case in {SHARE} runs by default, the others with -m slow",
    ):
        config.addinivalue_line("markers", marker)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "material_file" not in metafunc.fixturenames:
        return
    patterns = [pattern for marker in metafunc.definition.iter_markers("material") for pattern in marker.args]
    files = sorted({file for pattern in patterns for file in MATERIAL.glob(pattern)})
    cases = [pytest.param(file, id=file.stem) for file in files]
    absent = pytest.param(None, id="absent", marks=pytest.mark.skip(reason=ABSENT))
    metafunc.parametrize("material_file", cases or [absent])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    seen: Counter[str] = Counter()
    for item in items:
        sampled = item.path.name in SAMPLED or item.get_closest_marker("sampled")
        if sampled and hasattr(item, "callspec"):
            test = f"{item.path.name}::{getattr(item, 'originalname', item.name)}"
            # One further in each round, so that of cases in SHARE types not all have the same one.
            if (crc32(test.encode()) + seen[test] + seen[test] // SHARE) % SHARE:
                item.add_marker(pytest.mark.slow)
            seen[test] += 1


@pytest.fixture
def material() -> Path:
    """The folder of the test material."""
    if not MATERIAL.is_dir():
        pytest.skip(ABSENT)
    return MATERIAL


@pytest.fixture
def seed() -> int:
    """The seed of a random test, printed so that a failure shows it."""
    value = int(os.environ.get("HWCONV_SEED", "20250614"))
    print(f"HWCONV_SEED={value}")
    return value
