"""A QR code as inline SVG: drawn here, so that the page loads nothing from elsewhere, and sharp on every screen."""

from __future__ import annotations

import segno
from django.utils.safestring import SafeString, mark_safe


def qr_svg(payload: str) -> SafeString:
    """Black on white whatever the page's colours, because cameras expect that; four modules of quiet zone, as ISO 18004 asks."""
    code = segno.make_qr(payload, error="m", boost_error=False)
    drawn = code.svg_inline(scale=1, border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr", lineclass=None)
    return mark_safe(drawn)  # noqa: S308 -- paths and numbers; the payload is only in the modules


def image_of(action: dict[str, object]) -> str:
    """The provider's own picture, if it came with the payment: a data URI of a raster image, else "" (we draw it)."""
    image = action.get("image")
    return (
        image
        if isinstance(image, str) and image.startswith(("data:image/png;base64,", "data:image/jpeg;base64,"))
        else ""
    )
