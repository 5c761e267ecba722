"""Bus models for AXI4-Stream in cocotb: source, sink, monitor.

A package that hwconv generates must run its bench with nothing but cocotb and a simulator. cocotbext-axi 0.1.28 works
with cocotb 2.1, but brings cocotb-bus and scapy with it; it also sends whole frames only, while these benches say TLAST
and TKEEP of every single beat, put noise on the payload while VALID is low, and note the cycle of every handshake.

All three sample at the rising edge of the clock, before the design's registers change.
"""

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import cocotb
from cocotb.handle import SimHandleBase
from cocotb.triggers import RisingEdge


@dataclass(frozen=True)
class Beat:
    """One transfer: lane 0 is in bits 7..0 of `data` and in bit 0 of `keep`. `sideband` is TUSER on its way in, where
    it may be wide; `user` is TUSER on its way out. A stream of weights has no `keep`.
    """

    data: int
    keep: int
    last: bool
    user: bool = False
    sideband: int = 0


@dataclass
class Handshake:
    """A beat that was taken, and the cycle in which it was."""

    beat: Beat
    cycle: int


class BusError(AssertionError):
    """A breach of AXI4-Stream."""


def random_pauses(rate: float, seed: int, longest: int = 1) -> Iterator[bool]:
    """Yields for each cycle whether to pause: a share `rate` of the choices, each kept for 1 to `longest` cycles."""
    generator = random.Random(seed)
    while True:
        choice = generator.random() < rate
        for _ in range(generator.randint(1, longest)):
            yield choice


class _Bus:
    """The signals of one stream, by their prefix."""

    def __init__(self, dut: SimHandleBase, prefix: str) -> None:
        self.data = getattr(dut, f"{prefix}_tdata")
        self.name = prefix
        self.keep = getattr(dut, f"{prefix}_tkeep", None)
        self.last = getattr(dut, f"{prefix}_tlast")
        self.user = getattr(dut, f"{prefix}_tuser", None)
        self.valid = getattr(dut, f"{prefix}_tvalid")
        self.ready = getattr(dut, f"{prefix}_tready")

    def beat(self) -> Beat:
        """Samples the payload.

        Raises:
            BusError: it has unknown bits.
        """
        try:
            user = bool(int(self.user.value)) if self.user is not None else False
            keep = int(self.keep.value) if self.keep is not None else 0
            return Beat(int(self.data.value), keep, bool(int(self.last.value)), user)
        except ValueError as problem:
            raise BusError("unknown bits in the payload of a valid beat") from problem


def _bit(signal: SimHandleBase, name: str) -> bool:
    try:
        return bool(int(signal.value))
    except ValueError as problem:
        raise BusError(f"{name} is unknown") from problem


class AxiStreamSource:
    """Offers beats in order; a beat that is offered stays until it is taken.

    Members:
        queue: beats not yet offered; append to it at any time.
        pauses: yields for each cycle whether to offer nothing.
        taken: every handshake, with its cycle.
    """

    def __init__(self, dut: SimHandleBase, prefix: str, cycles: "CycleCounter") -> None:
        self.queue: deque[Beat] = deque()
        self.pauses: Iterator[bool] | None = None
        self.taken: list[Handshake] = []
        self._bus = _Bus(dut, prefix)
        self._dut = dut
        self._cycles = cycles
        self._offered: Beat | None = None
        self._noise = random.Random(1)
        self._bus.valid.value = 0
        self._rest()
        cocotb.start_soon(self._run())

    @property
    def idle(self) -> bool:
        """Whether everything was taken."""
        return not self.queue and self._offered is None

    def clear(self) -> None:
        """Forgets what was not taken; for use in reset."""
        self.queue.clear()
        self._offered = None
        self._bus.valid.value = 0

    def _rest(self) -> None:
        """What stands beside a low VALID must not matter."""
        self._bus.data.value = self._noise.getrandbits(len(self._bus.data))
        if self._bus.keep is not None:
            self._bus.keep.value = self._noise.getrandbits(len(self._bus.keep))
        self._bus.last.value = self._noise.getrandbits(1)
        if self._bus.user is not None:
            self._bus.user.value = self._noise.getrandbits(len(self._bus.user))

    async def _run(self) -> None:
        edge = RisingEdge(self._dut.aclk)
        while True:
            await edge
            if not self._dut.aresetn.value:
                self._offered = None
                self._bus.valid.value = 0
                continue
            if self._offered is not None and _bit(self._bus.ready, f"{self._bus.name}_tready"):
                self.taken.append(Handshake(self._offered, self._cycles.now))
                self._offered = None
            if self._offered is None:
                paused = self.pauses is not None and next(self.pauses)
                if self.queue and not paused:
                    self._offered = self.queue.popleft()
                    self._bus.data.value = self._offered.data
                    if self._bus.keep is not None:
                        self._bus.keep.value = self._offered.keep
                    self._bus.last.value = int(self._offered.last)
                    if self._bus.user is not None:
                        self._bus.user.value = self._offered.sideband
                    self._bus.valid.value = 1
                else:
                    self._rest()
                    self._bus.valid.value = 0


class AxiStreamSink:
    """Takes beats, checks that they are held until taken, and keeps them.

    Members:
        pauses: yields for each cycle whether to take nothing.
        taken: every handshake, with its cycle.
    """

    def __init__(self, dut: SimHandleBase, prefix: str, cycles: "CycleCounter") -> None:
        self.pauses: Iterator[bool] | None = None
        self.taken: list[Handshake] = []
        self._bus = _Bus(dut, prefix)
        self._dut = dut
        self._cycles = cycles
        self._bus.ready.value = 0
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        edge = RisingEdge(self._dut.aclk)
        ready, waiting = False, None
        while True:
            await edge
            if not self._dut.aresetn.value:
                ready, waiting = False, None
                self._bus.ready.value = 0
                continue
            if _bit(self._bus.valid, "m_axis_tvalid"):
                beat = self._bus.beat()
                if waiting is not None and beat != waiting:
                    raise BusError(
                        f"cycle {self._cycles.now}: the payload changed from {waiting} to {beat} before READY"
                    )
                if ready:
                    self.taken.append(Handshake(beat, self._cycles.now))
                waiting = None if ready else beat
            elif waiting is not None:
                raise BusError(f"cycle {self._cycles.now}: VALID fell before READY")
            ready = not (self.pauses is not None and next(self.pauses))
            self._bus.ready.value = int(ready)


@dataclass
class CycleCounter:
    """Counts rising edges of the clock, and the cycles in which `frame_error` was high out of reset."""

    dut: SimHandleBase
    now: int = 0
    frame_errors: list[int] = field(default_factory=list)

    def start(self) -> None:
        """Starts to count."""
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        edge = RisingEdge(self.dut.aclk)
        while True:
            await edge
            self.now += 1
            if self.dut.aresetn.value and _bit(self.dut.frame_error, "frame_error"):
                self.frame_errors.append(self.now)
