"""demo: two real relays on this computer, one bulletin, and what a reader of the second one sees.

They are processes of `meshrelay run` in temporary folders, on loopback, with mDNS names that nobody else answers to.
Everything that happens goes through the same doors as always; only the folders are thrown away.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import webbrowser
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

import click

from meshrelay import folder
from meshrelay.cli.frame import Command
from meshrelay.cli.running import ask
from meshrelay.cli.scan import print_code
from meshrelay.cli.screen import first_screen
from meshrelay.cli.session import FIRST_KEY, Session, locale_language
from meshrelay.core.bulletin import (
    UNSIGNED,
    Area,
    Bulletin,
    Category,
    Certainty,
    Response,
    Severity,
    Status,
    Text,
    Urgency,
)
from meshrelay.core.keys import digits
from meshrelay.core.trust import Anchor, How
from meshrelay.errors import PeerUnreachable, Refusal
from meshrelay.folder import Running
from meshrelay.settings import ENVIRONMENT_PREFIX
from meshrelay.words import PAGE_LANGUAGES, own_name

T = TypeVar("T")
_PATIENCE: Final = 18.0
_SCREEN: Final = 26
_LOOK_EVERY: Final = 0.02


@click.command(cls=Command)
@click.option("--keep", is_flag=True, help="Stay up until Ctrl-C, and open the second relay's page in the browser.")
@click.option("--lan", is_flag=True, help="With --keep: show the page to this Wi-Fi too, with a code to scan.")
def demo(keep: bool, lan: bool) -> None:
    """See two relays pass on an exercise.

    They find each other on this computer, carry one bulletin in eight languages from one to the other, and print what a
    reader sees. Both live in temporary folders, see no other relay, and are gone at the end.
    """
    if lan and not keep:
        raise click.UsageError("--lan goes with --keep")
    # Whoever ends this process ends the two relays too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    clock = _Clock()
    with ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="meshrelay-demo-")))
        service = f"_mr{secrets.token_hex(4)}._tcp.local."
        clock.say("Starting two relays, each in a folder of its own.")
        starting: list[_Starting] = []
        stack.callback(_stop, starting)
        starting.append(_start(base / "first", "Library on Abay Street", service, lan=False))
        starting.append(_start(base / "second", "School 12", service, lan=lan))
        first, second = (relay.ready(clock) for relay in starting)
        clock.say(f"Both are ready: {first.name} at {first.url}, {second.name} at {second.url}.")
        clock.until(
            lambda: _met(first) and _met(second),
            "the two relays did not find each other: something here seems to block multicast DNS",
        )
        clock.say("They have found each other by multicast DNS, and speak over TLS.")
        item, code = _publish(first)
        clock.say(f"{first.name} signs an exercise in {len(EXERCISE)} languages: bulletin {item[:8]}.")
        found = clock.until(lambda: _get(second, f"/api/v1/bulletins/{item}.json"), "the bulletin did not arrive")
        clock.say(f"It is on the page of {second.name}, from a sender that is not known there.")
        _trust(second, code, first.name)
        clock.say(f"People of {second.name} compare the digits {code} and know the sender from now on.")
        page = clock.until(lambda: _known(second, item, first.name), "the sender did not become known")
        clock.say("This is the first screen that a phone on the same Wi-Fi shows:")
        click.echo("\n" + "\n".join(f"    {line}" for line in first_screen(page, lines=_SCREEN)) + "\n")
        for tag, text in json.loads(found)["texts"].items():
            click.echo(f"    {own_name(tag):<10} {text['headline']}")
        clock.say("Done. `meshrelay setup` and `meshrelay run` make this computer a relay.")
        if keep:
            _stay(second, lan=lan)


@dataclass(frozen=True, slots=True)
class _Relay:
    """A relay of the demonstration, once it is ready."""

    name: str
    data: Path
    url: str


@dataclass(frozen=True, slots=True)
class _Starting:
    name: str
    data: Path
    process: subprocess.Popen[bytes]

    def ready(self, clock: _Clock) -> _Relay:
        def look() -> Running | None:
            if self.process.poll() is not None:
                said = (self.data / "log").read_text(encoding="utf-8", errors="replace")[-500:]
                raise Refusal(f"{self.name} did not start: {said.strip()}", hint="`meshrelay run` may say more")
            return folder.running(self.data)

        return _Relay(self.name, self.data, clock.until(look, f"{self.name} did not start in time").readers[0])


class _Clock:
    """Says what happens and when, and when it has taken too long."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    def say(self, text: str) -> None:
        click.echo(f"{time.monotonic() - self._begun:5.2f} s  {text}")

    def until(self, look: Callable[[], T | None], otherwise: str) -> T:
        """Return the first answer that is not None, False or empty."""
        while not (found := look()):
            if time.monotonic() - self._begun > _PATIENCE:
                raise PeerUnreachable(otherwise)
            time.sleep(_LOOK_EVERY)
        return found


def _start(data: Path, name: str, service: str, *, lan: bool) -> _Starting:
    data.mkdir(mode=0o700)
    local, readers = "127.0.0.1:0", "*:0" if lan else "127.0.0.1:0"
    command = [sys.executable, "-m", "meshrelay", "--data", str(data), "run", "--name", name, "--reader", readers]
    command += ["--peers", local, "--desk", local, "--interface", "127.0.0.1", "--service-type", service]
    # What is set for the relay of this computer is not meant for these two.
    environment = {name: word for name, word in os.environ.items() if not name.startswith(ENVIRONMENT_PREFIX)}
    with (data / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
        )
    return _Starting(name, data, process)


def _stop(relays: Sequence[_Starting]) -> None:
    for relay in relays:
        relay.process.terminate()
    for process in [relay.process for relay in relays]:
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _met(relay: _Relay) -> bool:
    found = ask(relay.data, "peers")
    return found is not None and any(peer["connected"] for peer in found["peers"])


def _publish(relay: _Relay) -> tuple[str, str]:
    """Sign the exercise beside the running relay, as `publish` does; return its id and the digits of the key."""
    session = Session(relay.data)
    now = session.now
    with session.relay() as here:
        key = here.keyring.new(FIRST_KEY, now=now)
        return here.publish(exercise(now=now), key.name, now=now).id.hex(), digits(key.public)


def _trust(relay: _Relay, code: str, petname: str) -> None:
    """Take the sender on as known, as `trust add` does."""
    session = Session(relay.data)
    with session.relay() as here:
        key = next(author for author in here.store.authors() if digits(author) == code)
        here.local.add_anchor(Anchor(key, petname, session.now, How.DIGITS))


def _known(relay: _Relay, item: str, petname: str) -> str | None:
    """Return the second relay's page once its sender is known there."""
    found = _get(relay, f"/api/v1/bulletins/{item}.json")
    if not found or json.loads(found)["verdict"]["name"] != petname:
        return None
    tag = locale_language()
    return _get(relay, f"/?lang={tag if tag in PAGE_LANGUAGES else 'en'}")


def _get(relay: _Relay, path: str) -> str | None:
    """Return a page of a relay, or None where there is none yet."""
    place = urlsplit(relay.url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read().decode("utf-8")
        return body if answer.status == http.client.OK else None
    finally:
        connection.close()


def _stay(relay: _Relay, *, lan: bool) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        click.echo(f"\nBoth stay up until Ctrl-C. The page of {relay.name}: {relay.url}")
        if lan:
            print_code(relay.url)
        webbrowser.open(relay.url)
        while True:
            time.sleep(3600)


def exercise(*, now: int) -> Bulletin:
    """Return the bulletin of the demonstration, which says in every language that it is an exercise."""
    return Bulletin(
        sent=now,
        expires=now + 86400,
        chain=UNSIGNED,
        texts=tuple(
            Text(tag, event, headline, description, instruction)
            for tag, (event, headline, description, instruction, _) in EXERCISE.items()
        ),
        status=Status.EXERCISE,
        categories=(Category.INFRA, Category.HEALTH),
        responses=(Response.PREPARE,),
        urgency=Urgency.EXPECTED,
        severity=Severity.SEVERE,
        certainty=Certainty.LIKELY,
        areas=(Area(tuple((tag, words[-1]) for tag, words in EXERCISE.items())),),
    )


EXERCISE: Final[dict[str, tuple[str, str, str, str, str]]] = {
    "kk": (
        "Су беруді тоқтату",
        "Жаттығу: бүгін кештен бастап су болмайды",
        "Бұл — жаттығу. Құбыр жөнделіп жатыр; су ертең таңертең қайта беріледі.",
        "Таза ыдысқа екі күнге жететін су жинап қойыңыз. Ауыз су № 12 мектепте таратылады.",
        "Абай көшесі маңы",
    ),
    "ru": (
        "Отключение воды",
        "Учение: с сегодняшнего вечера не будет воды",
        "Это учение. Идёт ремонт водопровода; воду снова дадут завтра утром.",
        "Наберите в чистую посуду воды на два дня. Питьевую воду раздают в школе № 12.",
        "Район улицы Абая",
    ),
    "en": (
        "Water cut",
        "Exercise: no water from this evening",
        "This is an exercise. The main is being repaired; water will be back tomorrow morning.",
        "Fill clean containers with water for two days. Drinking water is handed out at School 12.",
        "Around Abay Street",
    ),
    "fa": (
        "قطع آب",
        "تمرین: از امشب آب قطع است",
        "این یک تمرین است. لوله‌ی اصلی در دست تعمیر است و آب فردا صبح دوباره وصل می‌شود.",
        "ظرف‌های تمیز را برای دو روز از آب پر کنید. آب آشامیدنی در مدرسه‌ی شماره‌ی ۱۲ پخش می‌شود.",
        "اطراف خیابان آبای",
    ),
    "ar": (
        "انقطاع المياه",
        "تمرين: لا مياه ابتداءً من مساء اليوم",
        "هذا تمرين. يجري إصلاح الأنبوب الرئيسي، وستعود المياه صباح الغد.",
        "املؤوا أوعية نظيفة بما يكفي من الماء ليومين. تُوزَّع مياه الشرب في المدرسة رقم 12.",
        "محيط شارع أباي",
    ),
    "my": (
        "ရေပြတ်တောက်မှု",
        "လေ့ကျင့်ခန်း- ယနေ့ ညနေမှစ၍ ရေမလာပါ",
        "ဤသည်မှာ လေ့ကျင့်ခန်းသာ ဖြစ်သည်။ ပင်မရေပိုက်ကို ပြုပြင်နေပြီး မနက်ဖြန် နံနက်တွင် ရေပြန်လာပါမည်။",
        "သန့်ရှင်းသော အိုးခွက်များတွင် နှစ်ရက်စာ ရေဖြည့်ထားပါ။ သောက်ရေကို အမှတ် ၁၂ ကျောင်းတွင် ဝေပေးနေသည်။",
        "အဘိုင်လမ်း တစ်ဝိုက်",
    ),
    "fr": (
        "Coupure d'eau",
        "Exercice : plus d'eau à partir de ce soir",
        "Ceci est un exercice. La conduite principale est en réparation ; l'eau reviendra demain matin.",
        "Remplissez des récipients propres d'eau pour deux jours. De l'eau potable est distribuée à l'école 12.",
        "Autour de la rue Abaï",
    ),
    "es": (
        "Corte de agua",
        "Simulacro: no habrá agua a partir de esta tarde",
        "Esto es un simulacro. Se está reparando la tubería principal; el agua volverá mañana por la mañana.",
        "Llene recipientes limpios con agua para dos días. Se reparte agua potable en la escuela 12.",
        "Alrededores de la calle Abái",
    ),
}
"""By language: event, headline, description, instruction, place."""
