"""A page from a template of the folder `page`, with its style inside: no page asks another host for anything."""

from pathlib import Path

import jinja2

PAGE = Path(__file__).with_name("page")


def render(template: str, **values) -> bytes:
    """A page of the folder `page`, everything in it escaped that is not marked as HTML."""
    loader = jinja2.FileSystemLoader(PAGE)
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, undefined=jinja2.ChainableUndefined)
    style = (PAGE / "style.css").read_text(encoding="utf-8")
    return environment.get_template(f"{template}.html.j2").render(style=style, **values).encode()
