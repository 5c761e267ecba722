"""What all specifications check alike: a name, integers within bounds, and the keys of their JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from .errors import SpecError, one_of

LONGEST_NAME = 200


def check_name(kind: str, name: object) -> None:
    """Raises :class:`SpecError` for what is no name: one printable line of 1 to 200 characters."""
    if not isinstance(name, str) or not name or not name.isprintable() or len(name) > LONGEST_NAME:
        shown = name[:LONGEST_NAME] if isinstance(name, str) else name
        raise SpecError(kind, "name", shown, f"one printable line of 1 to {LONGEST_NAME} characters")


def integer(label: str, field: str, value: object, low: int, high: int) -> int:
    """Takes Python's and numpy's integers (not booleans, not floats) between two bounds, both included."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise SpecError(label, field, value, f"an integer from {low} to {high}")
    number = int(value.__index__())
    if not low <= number <= high:
        raise SpecError(label, field, number, f"from {low} to {high}")
    return number


def integers(label: str, field: str, value: object, count: int, low: int, high: int) -> tuple[int, ...]:
    """Takes a sequence of so many integers between two bounds."""
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != count:
        raise SpecError(label, field, value, f"{count} integers")
    return tuple(integer(label, field, item, low, high) for item in value)


def to_json_values(spec: Any) -> dict[str, object]:
    """All fields of a specification as values that JSON has."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(spec).items()}


def field_names(kind: type) -> tuple[str, ...]:
    """The names of a specification's fields."""
    return tuple(field.name for field in fields(kind))


def check_keys(label: str, values: Mapping[str, Any], known: Sequence[str], required: Sequence[str]) -> None:
    """Raises :class:`SpecError` for a key that is not known, and for one that is required and missing."""
    for key in values:
        if key not in known:
            raise SpecError(label, "field", key, f"one of {one_of(known)}")
    for key in required:
        if key not in values:
            raise SpecError(label, key, None, "given")
