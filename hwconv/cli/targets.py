"""`hwconv targets`: the FPGAs that hwconv knows."""

from dataclasses import asdict

from hwconv.cli.options import Json
from hwconv.cli.terminal import print_json, print_text


def targets(json: Json = False) -> None:
    """List the FPGAs that --target accepts, with what they have."""
    from hwconv import flow

    known = [asdict(target) for target in flow.list_targets()]
    if json:
        print_json({"targets": known})
        return
    from rich.table import Table

    table = Table()
    for key in known[0]:
        table.add_column(key.replace("_", "\n"), no_wrap=key == "name")
    for row in known:
        table.add_row(*(str(value) for value in row.values()))
    print_text(table)
