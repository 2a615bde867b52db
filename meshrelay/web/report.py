"""A visitor's report: the form, and what becomes of it once it is sent.

A report is text for the people of this relay and for nobody else until they pass it on (cli/inbox.py). No address is
kept with it: who wrote within the last hour is counted in memory alone, so that a flood does not fill the inbox.

Law: other sites cannot write here. Besides the rules of security.py, what is sent carries a token that this process
gave to this address within the last two hours. Source: docs/spec/http.md, "Reports".
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import logging
import secrets
import unicodedata
from collections import deque
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from meshrelay.core.bulletin import is_language
from meshrelay.core.encoding import is_clean_text
from meshrelay.local import Report
from meshrelay.web.pages import SERVICES, answer, page_for, render
from meshrelay.web.security import Refused, read_body
from meshrelay.words import visible

MAX_FORM: Final = 8 * 1024
LIMITS: Final = {"what": 500, "where": 100, "when": 60, "contact": 100}
"""Characters; in any writing all of them together fit into a form, percent signs and all."""
TOKEN_SECONDS: Final = 2 * 3600
MOST_AN_HOUR: Final = 20
MOST_AN_HOUR_OF_ONE: Final = 3
_HOUR: Final = 3600.0
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Desk:
    """What this process remembers of those who write: a secret for tokens, and who wrote within the last hour."""

    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    _written: deque[tuple[float, str]] = field(default_factory=deque)

    def token(self, source: str, *, now: float) -> str:
        """Return a token for one address that holds for two hours from `now` (seconds of the loop's clock)."""
        end = int(now) + TOKEN_SECONDS
        return f"{end:x}.{self._seal(source, end)}"

    def gave(self, token: str, source: str, *, now: float) -> bool:
        """Tell whether this is a token of ours, for this address, that still holds."""
        end, _, seal = token.partition(".")
        if not (0 < len(end) <= 12 and end.isascii() and end.isalnum() and seal.isascii()):
            return False
        try:
            until = int(end, 16)
        except ValueError:
            return False
        return now <= until and hmac.compare_digest(seal, self._seal(source, until))

    def may_write(self, source: str, *, now: float) -> bool:
        """Tell whether one more report may come, and from this address."""
        while self._written and self._written[0][0] < now - _HOUR:
            self._written.popleft()
        of_one = sum(written == source for _, written in self._written)
        return len(self._written) < MOST_AN_HOUR and of_one < MOST_AN_HOUR_OF_ONE

    def wrote(self, source: str, *, now: float) -> None:
        """Count a report."""
        self._written.append((now, source))

    def _seal(self, source: str, end: int) -> str:
        return hmac.new(self.secret, f"{end} {source}".encode(), hashlib.sha256).hexdigest()


DESK: Final = web.AppKey("report-desk", Desk)


async def form(request: web.Request) -> web.Response:
    """Show the form, or that a report was sent."""
    if "sent" in request.query:
        return answer(request, render(request, "sent.html", page_for(request), {}), seconds=0)
    return _form(request, {}, trouble=None, status=200)


async def send(request: web.Request) -> web.Response:
    """Take a report into the inbox; what cannot be taken is shown again, so that nobody has to write it twice."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise Refused(415, "a report is sent as a form")
    body = await read_body(request, most=MAX_FORM)
    try:
        pairs = parse_qsl(body.decode("ascii"), max_num_fields=16, errors="replace")
    except ValueError as error:
        raise Refused(400, "this is no form") from error
    given = {name: _tidy(value, lines=name == "what") for name, value in pairs}
    texts = {name: given.get(name, "") for name in LIMITS}
    services, desk, source, now = request.config_dict[SERVICES], request.app[DESK], source_of(request), moment()
    if not desk.gave(given.get("token", ""), source, now=now):
        return _form(request, texts, trouble="report-old", status=403)
    if not (visible(texts["what"]) and visible(texts["where"])):
        return _form(request, texts, trouble="report-bare", status=400)
    if any(len(text) > LIMITS[name] for name, text in texts.items()):
        return _form(request, texts, trouble="report-long", status=400)
    if not desk.may_write(source, now=now):
        return _form(request, texts, trouble="report-often", status=429)
    # Counted before it is stored: what comes meanwhile must not slip through.
    desk.wrote(source, now=now)
    page = page_for(request)
    wish = page.words.texts[0]
    report = Report(
        services.clock().now,
        wish if is_language(wish) else page.words.language,
        texts["what"],
        texts["where"],
        texts["when"],
        texts["contact"],
    )
    if not await services.write(services.relay.local.add_report, report):
        return _form(request, texts, trouble="report-full", status=507)
    _log.warning("a visitor wrote a report; `meshrelay inbox list` shows it")
    # The answer to a page that is loaded anew must not be a second report.
    where = f"/report{page.query}{'&' if page.query else '?'}sent="
    return web.Response(status=303, headers={"Location": where})


def _form(request: web.Request, texts: dict[str, str], *, trouble: str | None, status: int) -> web.Response:
    values = {
        "token": request.app[DESK].token(source_of(request), now=moment()),
        "limits": LIMITS,
        "texts": {name: texts.get(name, "") for name in LIMITS},
        "trouble": trouble,
    }
    return answer(request, render(request, "report.html", page_for(request), values), status=status, seconds=0)


def _tidy(text: str, *, lines: bool) -> str:
    """Return text without what no bulletin may hold, its spaces counted once."""
    text = unicodedata.normalize("NFC", text)
    rows = [" ".join(row.split()) for row in text.splitlines()] if lines else [" ".join(text.split())]
    clean = ("".join(sign for sign in row if is_clean_text(sign)) for row in rows)
    return "\n".join(row for row in clean if row)


def source_of(request: web.Request) -> str:
    """Return whom reports are counted by: an IPv4 address, or an IPv6 /64."""
    remote = (request.remote or "").partition("%")[0]
    try:
        address = ipaddress.ip_address(remote)
    except ValueError:
        return remote
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((address, 64), strict=False))
    return str(address)


def moment() -> float:
    """Return the loop's clock, by which tokens end."""
    return asyncio.get_running_loop().time()
