"""The schedule of an engine of any kind, and of a block that enlarges frames."""

from .config import EngineConfig
from .loop_config import LoopConfig
from .loop_schedule import LoopSchedule
from .program_schedule import ProgramSchedule
from .residual_config import ResidualConfig
from .residual_schedule import ResidualSchedule
from .schedule import EngineSchedule
from .upscale import UpscaleConfig
from .upscale_schedule import UpscaleSchedule
from .winograd_config import WinogradConfig
from .winograd_schedule import WinogradSchedule


def schedule_of(
    config: EngineConfig | WinogradConfig | UpscaleConfig | LoopConfig | ResidualConfig, frames: int
) -> EngineSchedule | ProgramSchedule | UpscaleSchedule | LoopSchedule | ResidualSchedule:
    """When an engine, or such a block, takes and gives the beats of some frames."""
    if isinstance(config, UpscaleConfig):
        return UpscaleSchedule(config, frames)
    if isinstance(config, LoopConfig):
        return LoopSchedule(config, frames)
    if isinstance(config, ResidualConfig):
        return ResidualSchedule(config, frames)
    if isinstance(config, WinogradConfig):
        return WinogradSchedule(config, frames)
    return EngineSchedule(config, frames) if config.ring else ProgramSchedule(config, frames)
