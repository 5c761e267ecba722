"""Fills in the Jinja2 templates of `templates/`; a name that a template asks for and nobody gives is an error."""

from functools import cache

import jinja2

from hwconv.resources import resource_path


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource_path("templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def render(template: str, **values: object) -> str:
    """Returns the text of a template below `templates/` with its values filled in."""
    return _environment().get_template(template).render(**values)
