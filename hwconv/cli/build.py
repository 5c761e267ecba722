"""`hwconv build`: clock and area on an FPGA, from real place and route."""

from typing import Annotated

import typer

from hwconv.cli.options import (
    Algorithm,
    AlgorithmName,
    Json,
    LayerIndex,
    Loadable,
    LutMultipliers,
    Multipliers,
    Optimise,
    OptimiseName,
    Partition,
    PartitionName,
    WholeFile,
)
from hwconv.cli.terminal import print_json, print_text, progress


def build(
    file: WholeFile,
    target: Annotated[str, typer.Option("--target", metavar="NAME", help="An FPGA; `hwconv targets` lists them.")],
    layer: LayerIndex = None,
    multipliers: Multipliers = None,
    lut_multipliers: LutMultipliers = None,
    algorithm: Algorithm = AlgorithmName.direct,
    clock: Annotated[
        float | None,
        typer.Option("--clock", min=1, max=10_000, metavar="MHZ", help="The clock to reach.", show_default=False),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, max=1000, metavar="N", help="Placements tried.")] = 1,
    loadable: Loadable = False,
    optimise: Optimise = OptimiseName.interval,
    partition: Partition = PartitionName.auto,
    json: Json = False,
) -> None:
    """Synthesise, place and route a layer or a network; report clock, LUTs, flip-flops, multipliers and block RAMs."""
    from hwconv import api, networks

    whole = layer is None and (networks.is_whole_model(file) or api.is_graph(file))
    if whole and (loadable or lut_multipliers is not None or algorithm != AlgorithmName.direct):
        raise typer.BadParameter("--loadable, --lut-multipliers and --algorithm go with a layer, not a network")
    if not whole and (optimise != OptimiseName.interval or partition != PartitionName.auto):
        raise typer.BadParameter("--optimise and --partition go with a network, not a layer")
    with progress(f"building for {target}", total=seeds) as step:
        result = (
            networks.build_network(
                file,
                target=target,
                multipliers=multipliers,
                optimise=optimise.value,
                partition=partition.value,
                clock_mhz=clock,
                seeds=tuple(range(1, seeds + 1)),
                progress=step,
            )
            if whole
            else api.build(
                file,
                target=target,
                algorithm=algorithm.value,
                layer=layer,
                multipliers=multipliers,
                lut_multipliers=lut_multipliers,
                clock_mhz=clock,
                seeds=tuple(range(1, seeds + 1)),
                progress=step,
                loadable=loadable,
            )
        )
    if json:
        print_json(result.as_json())
        return
    best = result.best
    slowest, fastest = result.spread_mhz
    print_text(
        f"{result.target}: {best.fmax_mhz:.1f} MHz with seed {best.seed} "
        f"(median {result.median_mhz:.1f}, {slowest:.1f} to {fastest:.1f} over {len(result.results)} seeds)",
        f"  {best.luts} LUTs, {best.ffs} flip-flops, {best.multipliers} multipliers, {best.brams} block RAMs",
        f"  critical path: {best.critical_path}",
        f"  bitstream: {result.bitstream}",
    )
