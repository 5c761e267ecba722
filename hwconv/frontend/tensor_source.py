"""Tensors as a description of a layer gives them: written out, in a file beside it, or drawn from a seed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, SpecError
from .archive import MAX_ARCHIVE_BYTES, read_archive, read_array
from .seeded import seeded_integers
from .source_file import read_start

MAX_SEEDED = 1 << 26
"""Values of a tensor that is drawn from a seed: the description costs nothing, so this is what bounds the work."""
_ZIP = b"PK\x03\x04"
_MAX_SEED = (1 << 63) - 1
_MAX_RANK = 4


class Seeded(NamedTuple):
    """A tensor to be drawn: see :mod:`~hwconv.frontend.seeded`. Bounds that are ``None`` are the field's own."""

    seed: int
    low: int | None
    high: int | None
    frames: int


class TensorSource:
    """Reads the tensors that one description names.

    Parameters
    ----------
    path:
        The description; names of files are relative to its folder.
    name:
        The layer's, for messages.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path, name
        self._arrays: dict[str, NDArray[np.generic]] = {}
        self._archives: dict[str, dict[str, NDArray[np.generic]]] = {}
        self._held = 0

    def read(self, field: str, value: object) -> NDArray[Any] | Seeded:
        """What a field's value stands for.

        Parameters
        ----------
        field:
            Its name, for messages.
        value:
            A number; a list of numbers, or of lists of equal length, up to four deep; the name of an ``.npy`` file; a
            table with ``file`` and, of an ``.npz`` archive, ``member``; a table with ``seed`` and, if wanted, ``low``,
            ``high`` and ``frames``.

        Returns
        -------
        An array of integers or floats, or :class:`Seeded`.

        Raises
        ------
        FormatError
            A file that cannot be read; files that hold more than 256 MiB together.
        SpecError
            A value of another form.
        """
        if isinstance(value, str):
            return self._file(field, value, None)
        if not isinstance(value, dict):
            return self._written(field, value)
        if "seed" in value:
            return self._seeded(field, value)
        self._check_keys(field, value, ("file", "member"))
        file, member = value.get("file"), value.get("member")
        if not isinstance(file, str) or not (member is None or isinstance(member, str)):
            raise SpecError(self._name, field, value, "a table with the texts file and, for an archive, member")
        return self._file(field, file, member)

    def array(self, field: str, value: object) -> NDArray[Any]:
        """As :meth:`read`, for a field that cannot be drawn from a seed."""
        found = self.read(field, value)
        if isinstance(found, Seeded):
            raise SpecError(self._name, field, value, "numbers or a file")
        return found

    def draw(
        self, field: str, seeded: Seeded, shape: tuple[int, ...], limits: tuple[int, int], dtype: str
    ) -> NDArray[np.integer]:
        """The tensor of a seed, in C order, within limits that its own bounds must keep."""
        count = int(np.prod(shape, dtype=object))
        if count > MAX_SEEDED:
            raise SpecError(self._name, field, f"{count} values from a seed", f"at most {MAX_SEEDED}")
        low = limits[0] if seeded.low is None else seeded.low
        high = limits[1] if seeded.high is None else seeded.high
        if not limits[0] <= low <= high <= limits[1]:
            raise SpecError(self._name, f"low and high of {field}", (low, high), f"from {limits[0]} to {limits[1]}")
        return seeded_integers(seeded.seed, shape, low, high, dtype)

    def _check_keys(self, field: str, value: dict[str, object], known: tuple[str, ...]) -> None:
        for key in value:
            if key not in known:
                raise SpecError(self._name, f"a key of {field}", key, f"one of {', '.join(known)}, or of seed with it")

    def _seeded(self, field: str, value: dict[str, object]) -> Seeded:
        self._check_keys(field, value, ("seed", "low", "high", "frames"))
        seed, frames = value["seed"], value.get("frames", 1)
        if not _is_integer(seed) or not 0 <= seed <= _MAX_SEED:
            raise SpecError(self._name, f"seed of {field}", seed, f"an integer from 0 to {_MAX_SEED}")
        if not _is_integer(frames) or not 1 <= frames <= MAX_SEEDED or ("frames" in value and field != "input"):
            raise SpecError(self._name, f"frames of {field}", frames, f"of input only, from 1 to {MAX_SEEDED}")
        low, high = (self._bound(field, value, key) for key in ("low", "high"))
        return Seeded(seed, low, high, frames)

    def _bound(self, field: str, value: dict[str, object], key: str) -> int | None:
        bound = value.get(key)
        if bound is not None and not _is_integer(bound):
            raise SpecError(self._name, f"{key} of {field}", bound, "an integer")
        return bound

    def _file(self, field: str, file: str, member: str | None) -> NDArray[Any]:
        path = self._path.parent / file
        key = str(path)
        if key not in self._arrays and key not in self._archives:
            if read_start(path, 4) == _ZIP:
                self._archives[key] = read_archive(path)
                self._hold(path, self._archives[key].values())
            else:
                self._arrays[key] = read_array(path)
                self._hold(path, [self._arrays[key]])
        if key in self._arrays:
            if member is not None:
                raise SpecError(self._name, f"member of {field}", member, f"absent, as {file} holds one array")
            return self._numbers(field, self._arrays[key])
        members = self._archives[key]
        if member is None and len(members) == 1:
            (member,) = members
        if member not in members:
            known = ", ".join(sorted(members))[:200]
            raise SpecError(self._name, f"member of {field}", member, f"one of those in {file}: {known}")
        return self._numbers(field, members[member])

    def _hold(self, path: Path, arrays: Any) -> None:
        self._held += sum(array.nbytes for array in arrays)
        if self._held > MAX_ARCHIVE_BYTES:
            raise FormatError(path, f"with the other files more than {MAX_ARCHIVE_BYTES} bytes of arrays")

    def _numbers(self, field: str, array: NDArray[np.generic]) -> NDArray[Any]:
        if array.dtype.kind not in "iuf":
            raise SpecError(self._name, field, f"an array of {array.dtype}", "of integers or floats")
        return array

    def _written(self, field: str, value: object) -> NDArray[Any]:
        shape: list[int] = []
        numbers = value
        while isinstance(numbers, list) and len(shape) < _MAX_RANK:
            shape.append(len(numbers))
            numbers = numbers[0] if numbers else None
        flat: list[int | float] = []
        self._flatten(field, value, shape, flat)
        return np.array(flat, np.int64 if all(_is_integer(number) for number in flat) else np.float64).reshape(shape)

    def _flatten(self, field: str, value: Any, shape: Sequence[int], flat: list[int | float]) -> None:
        if not shape and isinstance(value, int | float) and not isinstance(value, bool):
            flat.append(value)
        elif shape and isinstance(value, list) and len(value) == shape[0] > 0:
            for item in value:
                self._flatten(field, item, shape[1:], flat)
        else:
            raise SpecError(self._name, field, type(value).__name__, "numbers, in lists of equal length, or a file")


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
