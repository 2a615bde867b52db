"""Codes to scan: an address, or a Wi-Fi to join, as an inline drawing that needs no style and no image."""

from __future__ import annotations

from typing import Final

import segno
from markupsafe import Markup
from segno.helpers import make_wifi_data

QUIET: Final = 4
"""Modules of white around a code, without which some phones do not find it (ISO/IEC 18004)."""


def code(text: str, label: str) -> Markup:
    """Return a code that says `text`, always black on white; `label` is what it is for those who do not see it."""
    # segno escapes what it is given; the drawing has no text of anybody else's.
    drawing = segno.make(text, error="m", micro=False).svg_inline(
        omitsize=True, border=QUIET, light="#fff", svgclass="qr", lineclass=None
    )
    return Markup('<span class="code" role="img" aria-label="{}">{}</span>').format(label, Markup(drawing))  # noqa: S704


def wifi_text(name: str, password: str) -> str:
    """Return what a phone's camera joins a Wi-Fi by; an empty password is that of an open one."""
    return make_wifi_data(ssid=name, password=password or None, security="WPA" if password else "nopass")
