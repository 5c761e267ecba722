"""The schedule of an engine of any kind."""

from .config import EngineConfig
from .program_schedule import ProgramSchedule
from .schedule import EngineSchedule
from .winograd_config import WinogradConfig
from .winograd_schedule import WinogradSchedule


def schedule_of(config: EngineConfig | WinogradConfig, frames: int) -> EngineSchedule | ProgramSchedule:
    """When an engine takes and gives the beats of some frames."""
    if isinstance(config, WinogradConfig):
        return WinogradSchedule(config, frames)
    return EngineSchedule(config, frames) if config.ring else ProgramSchedule(config, frames)
