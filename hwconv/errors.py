"""Every error a user can cause, as one exception family.

The command line turns any :class:`HwconvError` into one line on standard error and a non-zero exit code, so
a message must stand alone: what was wrong, where, and what would be accepted.
"""

from collections.abc import Iterable


class HwconvError(Exception):
    """Base of all errors that hwconv raises on purpose."""


class UnsupportedError(HwconvError):
    """A value that is well formed but not supported: names layer, field, value and what is supported."""

    def __init__(self, layer: str, field: str, value: object, supported: str) -> None:
        self.layer = layer
        self.field = field
        self.value = value
        self.supported = supported
        super().__init__(f"{layer}: {field} = {value!r} is not supported (supported: {supported})")


class SpecError(HwconvError):
    """A field of a specification that is out of range or contradicts another."""

    def __init__(self, layer: str, field: str, value: object, expected: str) -> None:
        self.layer = layer
        self.field = field
        self.value = value
        self.expected = expected
        super().__init__(f"{layer}: expected {field} to be {expected}, not {value!r}")


class FormatError(HwconvError):
    """A file that cannot be read: truncated, foreign, or with a member of the wrong shape or type."""

    def __init__(self, path: object, problem: str) -> None:
        self.path = str(path)
        super().__init__(f"{path}: {problem}")


class FitError(HwconvError):
    """A design that does not fit its target: says by how much and what to change."""


class TimingError(HwconvError):
    """A routed design that misses the clock asked for: says by how much and what to change."""


class ToolError(HwconvError):
    """An external tool that is missing, too old, or failed: names the tool and its log."""


class MismatchError(HwconvError):
    """Hardware that differs from the golden model: names the first frame, pixel and channel."""


def one_of(values: Iterable[object]) -> str:
    """Formats a set of accepted values for an error message."""
    return ", ".join(str(value) for value in values)
