"""What the figures are held against: for each an aim, and a floor below which a result is not acceptable."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Goal:
    """An aim and a floor.

    Attributes:
        what: the figure, for people; with its unit.
        aim, floor: values of it.
        lower: whether less is better.
    """

    what: str
    aim: float
    floor: float
    lower: bool = False

    def verdict(self, value: float) -> str:
        """`aim`, `floor` or `below`: the best of the two goals that a value reaches."""
        sign = -1 if self.lower else 1
        if sign * value >= sign * self.aim:
            return "aim"
        return "floor" if sign * value >= sign * self.floor else "below"


UTILISATION = Goal(what="MACs / (interval x multipliers of the array)", aim=0.98, floor=0.95)
UTILISATION_ASKED = Goal(what="MACs / (interval x multipliers asked for)", aim=0.88, floor=0.60)
MACS_PER_MULTIPLIER = Goal(
    what="MACs / (interval x all multipliers), 3x3 at stride 1, 144 multipliers, those of requantisers counted",
    aim=3.6,
    floor=3.0,
)
SIMULATION_SPEED = Goal(what="simulated cycles a second, Verilator, 64 multipliers", aim=300e3, floor=150e3)
GENERATION_SECONDS = Goal(what="seconds from a layer to its Verilog, after start", aim=2, floor=5, lower=True)
PREDICTION_MS = Goal(what="milliseconds to predict latency and interval", aim=10, floor=10, lower=True)
CLOCK_MHZ = {
    6: Goal(what="MHz on LFE5U-85F-6, median", aim=180, floor=150),
    8: Goal(what="MHz on LFE5U-85F-8, median", aim=230, floor=190),
}
LUTS_PER_MAC = Goal(what="LUTs per MAC, everything included", aim=80, floor=105, lower=True)
