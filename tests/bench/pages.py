"""What pages cost: ``python -m tests.bench.pages [BULLETINS] [READERS] [SECONDS]``; 10,000, 200 and 10 by default.

A relay in a process of its own, as `meshrelay run` starts it, holds bulletins of about 1 kB in two languages by five
keys, two of them known. Readers of all eight languages come at random moments, each again after a second on average.
Then one asks alone: for a page of 50 cards that nobody asked for before, for one bulletin, and for a list as JSON.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import aiohttp

from meshrelay.core.bulletin import Category, Severity
from meshrelay.words import PAGE_LANGUAGES
from tests.bench.serving import served
from tests.web.sample import PLACE, Author, Place, text

ASKED = 40


def main(bulletins: int, readers: int, seconds: float) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        newest = fill(Path(folder), bulletins)
        with served(Path(folder)) as url:
            asyncio.run(_measure(url, newest, readers=readers, seconds=seconds))


def fill(folder: Path, count: int) -> str:
    """Put bulletins into a store; return the id of the last one."""
    place = Place.open(folder)
    authors = [Author(number) for number in range(1, 6)]
    for author in authors[:2]:
        place.anchor(author, f"Sender {author.number}")
    dice = random.Random(1)
    items = [
        dice.choice(authors).sign(
            text(
                f"Notice {number} about water and bread", description="What is known. " * 30, instruction="Stay. " * 9
            ),
            text(f"خبر {number}", "fa", instruction="بمانید"),
            severity=dice.choice(list(Severity)),
            categories=(dice.choice(list(Category)),),
            areas=(PLACE,),
        )
        for number in range(count)
    ]
    place.put(*items)
    place.relay.close()
    return items[-1].id.hex()


async def _measure(url: str, newest: str, *, readers: int, seconds: float) -> None:
    # Let go of before the relay does, which closes idle connections after five seconds.
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=3)) as session:

        async def ask(path: str, language: str = "en") -> tuple[float, int]:
            begun = perf_counter()
            async with session.get(url + path, headers={"Accept-Language": language}) as answer:
                await answer.read()
                assert answer.status == 200, path
                return (perf_counter() - begun) * 1e3, int(answer.headers["Content-Length"])

        async def reader(language: str) -> list[float]:
            found = []
            end = perf_counter() + seconds
            await asyncio.sleep(random.random())
            while perf_counter() < end:
                found.append((await ask("", language))[0])
                await asyncio.sleep(2 * random.random())
            return found

        _, size = await ask("")
        languages = [PAGE_LANGUAGES[number % len(PAGE_LANGUAGES)] for number in range(readers)]
        all_times = await asyncio.gather(*[reader(language) for language in languages])
        times = [one for found in all_times for one in found]
        rate = len(times) / seconds
        print(f"{readers} readers, {rate:,.0f} pages/s  {_figures(times)}; {size / 1000:.1f} kB compressed")
        for what, path in (
            ("50 cards, nothing kept", "?lane=known&{}"),
            ("one bulletin", f"b/{newest}?{{}}"),
            ("50 bulletins as JSON", "api/v1/bulletins?lang=fa&{}"),
        ):
            print(f"{what:<26}{_figures([(await ask(path.format(number)))[0] for number in range(ASKED)])}")


def _figures(times: list[float]) -> str:
    ranked = sorted(times)
    return f"median {ranked[len(ranked) // 2]:.1f} ms, p99 {ranked[int(len(ranked) * 0.99)]:.1f} ms"


if __name__ == "__main__":
    given = [json.loads(word) for word in sys.argv[1:4]]
    main(*[*given, *(10_000, 200, 10)[len(given) :]])
