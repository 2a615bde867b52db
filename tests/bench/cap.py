"""What hostile and large CAP documents cost: ``python -m tests.bench.cap`` prints CPU seconds and memory.

Each document is read in a process of its own; memory is what its peak rose by above what the document itself takes.
"""

from __future__ import annotations

import base64
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from time import process_time
from typing import Final

from meshrelay.errors import InvalidDocument
from meshrelay.interop import cap
from meshrelay.interop.cap.schema import MAX_ELEMENTS, MAX_INFOS, MAX_PARTS

NOW: Final = 1_931_000_000
AREA: Final = "<area><areaDesc>River bank</areaDesc>{}</area>"
INFO: Final = (
    "<info><category>Met</category><event>Flood</event><urgency>Immediate</urgency><severity>Extreme</severity>"
    "<certainty>Observed</certainty><headline>Leave the river bank</headline>{}</info>"
)
HEAD: Final = (
    '<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>{}</identifier><sender>office@example.org</sender>'
    "<sent>2031-03-14T10:00:00+05:00</sent><status>Actual</status><msgType>Alert</msgType><scope>Public</scope>"
)
SQUARE: Final = "<polygon>43,76 44,76 44,77 43,76</polygon>"


def _alert(number: int = 0, *, infos: int = 1, inside: str = "") -> str:
    return HEAD.format(number) + INFO.format(AREA.format(inside)) * infos + "</alert>"


def _coast(points: int) -> str:
    places = (f"{47 + at / 100_000:.4f},{51 + at % 977 / 1_000:.3f}" for at in range(points))
    return f"<polygon>{' '.join(places)} 47,51</polygon>"


def _elements() -> str:
    return f"<a>{'<b/>' * (MAX_ELEMENTS - 1)}</a>"


def _packed() -> str:
    inner = base64.b64encode(_elements().encode()).decode()
    held = f"<contentObject><contentData>{inner}</contentData></contentObject>"
    return f"<EDXLDistribution xmlns='urn:oasis:names:tc:emergency:EDXL:DE:1.0'>{held}</EDXLDistribution>"


DOCUMENTS: Final[Mapping[str, Callable[[], str]]] = {
    "one alert": _alert,
    "a coast of 41,000 points": lambda: _alert(inside=_coast(41_000)),
    "400 alerts, 20 shapes each": lambda: f"<a>{''.join(_alert(n, inside=SQUARE * 20) for n in range(400))}</a>",
    f"{MAX_PARTS:,} alerts": lambda: f"<a>{''.join(map(_alert, range(MAX_PARTS)))}</a>",
    f"{MAX_INFOS:,} infos": lambda: _alert(infos=MAX_INFOS, inside=SQUARE * 10),
    f"{MAX_ELEMENTS:,} elements": _elements,
    f"{MAX_ELEMENTS:,} elements in base64": _packed,
    "22 coasts, a million points": lambda: f"<a>{''.join(_alert(n, inside=_coast(45_000)) for n in range(22))}</a>",
    "16 MB of text": lambda: _alert(inside="x y\n" * 4_000_000),
    "50 MB": lambda: _alert() + " " * 50_000_000,
}


def main(names: list[str] | None = None) -> None:
    """Measure and print."""
    print(f"{'document':<34}{'MB':>8}{'CPU s':>8}{'MiB':>6}  what comes of it")
    for name in names or DOCUMENTS:
        words = [sys.executable, "-m", "tests.bench.cap", name]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        print(done.stdout, end="")


def measure(name: str) -> None:
    """Read one document and print its line."""
    data = DOCUMENTS[name]().encode()
    before, began = _peak(), process_time()
    try:
        answers = cap.read_alerts(data[: cap.MAX_DOCUMENT + 1], now=NOW)
        drafts = sum(len(one.drafts) for one in answers if isinstance(one, cap.ImportedAlert))
        said = f"{drafts} bulletins" if drafts else str(answers[0])
    except InvalidDocument as refusal:
        said = str(refusal)
    spent, rose = process_time() - began, (_peak() - before) / 1024
    print(f"{name:<34}{len(data) / 1e6:>8.1f}{spent:>8.2f}{rose:>6.0f}  {said[:80]}")


def _peak() -> int:
    """Return the most memory that this process had, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    measure(sys.argv[1]) if len(sys.argv) > 1 else main()
