"""What draws the charts: Vega, as one script for the page, and as images for files."""

from __future__ import annotations

from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

from dataedge.files import write_whole
from dataedge.models.cache import cache_dir

if TYPE_CHECKING:
    from collections.abc import Mapping

WIDTH = 720
"""Of an image, in points."""
SCALE = 2.0
"""Pixels to a point."""


def script() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, made once per version and kept in the user's cache.

    It is wrapped so that it leaves nothing behind but `vegaEmbed`.
    """
    kept = cache_dir() / "vega" / f"vega-{version('vl-convert-python')}.js"
    with suppress(OSError):
        return kept.read_text(encoding="utf-8")
    import vl_convert

    made: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    with suppress(OSError):  # a cache that cannot be written costs time, nothing else
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, made)
    return made


def image(spec: Mapping[str, Any], theme: Mapping[str, Any], form: Literal["png", "svg"]) -> bytes:
    """A chart as the content of a file, on white.

    Args:
        spec: in Vega-Lite, `width` not yet known.
        theme: a Vega configuration.
        form: of the file.
    """
    sized = {**spec, "width": WIDTH, "config": {**theme, "background": "white"}}
    if form == "svg":
        return svg(sized).encode()
    import vl_convert

    return bytes(vl_convert.vegalite_to_png(sized, scale=SCALE))


def svg(spec: Mapping[str, Any]) -> str:
    """A chart of a known width as SVG."""
    import vl_convert

    return str(vl_convert.vegalite_to_svg(dict(spec)))
