"""Keys and organisations as people name them: digits, words, hexadecimal, a scanned code, a file, or a name here.

Everything a person can be given to know somebody by is read here, whatever command takes it. A fingerprint does not
say whether it is a key's or an organisation's; what is held here, or the code itself, does.

Law: what is typed means one key or none; where it may mean several the person is asked to be more exact.
"""

from __future__ import annotations

import difflib
import io
import json
import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from meshrelay import belief
from meshrelay.core import keys as core_keys
from meshrelay.core.admission import admit, reopen
from meshrelay.core.envelope import Header, SignedItem
from meshrelay.core.keys import DIGIT_GROUPS, PUBLIC_KEY_SIZE, WORD_COUNT, digits, is_public_key, words
from meshrelay.core.organisation import Organisation
from meshrelay.core.statements import MAX_RIVALS, Root
from meshrelay.core.wordlist import WORDS
from meshrelay.errors import InvalidDocument, InvalidItem, NotFound, Refusal, WrongUsage
from meshrelay.interop import carry, proposal
from meshrelay.relay import Relay

KEY: Final = "key"
ORGANISATION: Final = "org"

_HEX = re.compile(rf"[0-9a-f]{{{2 * PUBLIC_KEY_SIZE}}}")
_SCANNED = re.compile(rf"meshrelay:({KEY}|{ORGANISATION}):({_HEX.pattern})", re.IGNORECASE)
_DIGITS = DIGIT_GROUPS * 3
_SHORTEST_PREFIX = 8
_BETWEEN = re.compile(r"[\s.,:;_/\u2010-\u2015-]+")


@dataclass(frozen=True, slots=True)
class Code:
    """What was given: a key or an organisation's id in full (`id`), or a fingerprint (`code`, as core.keys writes it).

    `sort` says which of the two it is, if the code does; `name` is what a file calls it.
    """

    id: bytes | None = None
    code: str = ""
    sort: str = ""
    name: str = ""

    @property
    def codes(self) -> tuple[str, ...]:
        """The fingerprints that it stands for."""
        return core_keys.codes(self.id) if self.id is not None else (self.code,)


def payload(sort: str, id_: bytes) -> str:
    """Return the text that a code to scan carries (docs/spec/item.md, "Fingerprint")."""
    return f"meshrelay:{sort}:{id_.hex()}"


def named(id_: bytes) -> dict[str, Any]:
    """Return a key in all its forms, for documents."""
    return {"key": id_.hex(), "digits": digits(id_), "words": words(id_)}


def read(text: str) -> Code:
    """Return what `text` stands for, or what the file of that path holds; raises Refusal."""
    found = as_code(text)
    if found is None:
        path = Path(text)
        if not is_file(text):
            raise WrongUsage(
                f"{text[:60]!r} is neither 27 digits, nor eight words, nor a key, nor a file",
                hint=_misheard(text) or "type the digits that `meshrelay key show` or `org show` prints at the other's",
            )
        with path.open("rb") as file:
            found = _in_file(file.read(proposal.MAX_FILE))
        if found is None:
            raise Refusal(
                f"{text} holds neither digits or words of a key nor a key, nor one organisation",
                hint="give a file made by `key show --public` or `org show --json`, or the carry file of its root",
            )
    return found


def is_file(text: str) -> bool:
    """Tell whether a text is the path of a file; one that is too long for a path is none."""
    try:
        return Path(text).is_file()
    except OSError:
        return False


def as_code(text: str) -> Code | None:
    """Return what a text that is no path stands for, or None."""
    if scanned := _SCANNED.fullmatch("".join(text.split())):
        return Code(bytes.fromhex(scanned[2]), sort=scanned[1].lower())
    squeezed = _BETWEEN.sub("", text).lower()
    if _HEX.fullmatch(squeezed):
        return Code(bytes.fromhex(squeezed))
    code = _as_digits(text) or _as_words(text)
    return Code(code=code) if code else None


def find(relay: Relay, text: str, *, among: Iterable[bytes]) -> bytes:
    """Return the key or organisation meant by a petname, a code in any form or a unique beginning; raises Refusal."""
    keys = frozenset(among)
    found = [key for key in keys if relay.trust.petname(key) == text]
    if not found and (code := as_code(text)) is not None:
        if code.id is not None:
            return code.id
        found = [key for key in keys if code.code in core_keys.codes(key)]
    if not found:
        squeezed = _BETWEEN.sub("", text).lower()
        if len(squeezed) >= _SHORTEST_PREFIX:
            found = [key for key in keys if key.hex().startswith(squeezed)]
    if len(found) == 1:
        return found[0]
    if found:
        raise Refusal(f"{text[:60]!r} may mean {len(found)} keys", hint="give the 27 digits: `meshrelay trust list`")
    raise NotFound(f"nobody here is {text[:60]!r}", hint="see `meshrelay trust list`, or give the key in full")


def heard_of(relay: Relay) -> frozenset[bytes]:
    """Return every key and organisation that this relay has heard of."""
    trust = relay.trust
    return relay.store.authors().union(
        trust.own, trust.anchors, trust.blocked, trust.speakers, trust.known, relay.store.first_roots()
    )


def one_of(code: str, among: Iterable[bytes]) -> bytes | None:
    """Return which of these has this fingerprint."""
    return next((key for key in among if code in core_keys.codes(key)), None)


def public_key(relay: Relay, text: str, *, among: Collection[bytes] = ()) -> tuple[bytes, str]:
    """Return the public key meant by the name of one here, a file, or any other form, and what it is called.

    Digits and beginnings are looked for among these keys and those heard of here. Raises Refusal.
    """
    own = {name: key for key, name in relay.trust.own.items()}
    if text in own:
        return own[text], text
    if as_code(text) is None and is_file(text):
        code = read(text)
        key = code.id if code.id is not None else find(relay, code.code, among={*heard_of(relay), *among})
        name = code.name
    else:
        key = find(relay, text, among={*heard_of(relay), *among})
        name = ""
    if key in relay.store.first_roots() or not is_public_key(key):
        raise WrongUsage(f"{text[:60]!r} is not a key", hint="give a file made by `meshrelay key show --public FILE`")
    return key, relay.trust.petname(key) or name


def forked(relay: Relay, text: str) -> tuple[bytes, tuple[bytes, ...]]:
    """Return the item that an id, or its beginning, means, and those that share its number in its stream."""
    id_ = relay.find(text)
    header = relay.store.headers([id_])[id_].header
    twins = dict[int, list[Header]]()
    if header.stream is not None:
        twins = relay.store.twins([(header.author, header.stream)]).get((header.author, header.stream), {})
    rivals = sorted(one.id for one in twins.get(header.seq or 0, []) if one.id != id_)
    if not rivals:
        raise Refusal(f"{id_.hex()[:10]} shares its number with nothing held here", hint="there is nothing to choose")
    return id_, tuple(rivals[:MAX_RIVALS])


def organisation(relay: Relay, text: str = "") -> Organisation:
    """Return the organisation meant by petname, code, file, or what it calls itself; without any, the only one.

    Raises Refusal.
    """
    held = relay.store.first_roots()
    if not text:
        here = [one for one in held if one in relay.trust.anchors] or list(held)
        if len(here) != 1:
            what = "no organisation is held here" if not here else f"{len(here)} organisations are held here"
            raise NotFound(what, hint="say which one: by its digits, the name you gave it, or the beginning of its id")
        return organisation_of(relay, here[0])
    if as_code(text) is None and is_file(text):
        id_ = read(text).id or b""
    else:
        try:
            id_ = find(relay, text, among=held)
        except NotFound:
            # What it calls itself is anybody's choice, so it comes last: a name may look like another's digits.
            named = _by_name(relay, text, held)
            if named is None:
                raise
            id_ = named
    if id_ not in held:
        raise NotFound("that organisation has not arrived here", hint="import the carry file of its root first")
    return organisation_of(relay, id_)


def _by_name(relay: Relay, text: str, held: Collection[bytes]) -> bytes | None:
    """Return the only organisation that calls itself so, or None where none does; raises Refusal."""
    names = {item.id: item.body.name for item in _opened(relay, held) if isinstance(item.body, Root)}
    names |= {one.id: one.name for one in relay.trust.organisations.values() if one.id in relay.trust.anchors}
    found = [one for one, name in names.items() if name == text]
    if len(found) > 1:
        raise Refusal(f"{len(found)} organisations call themselves {text[:60]!r}", hint="give the digits of one")
    return found[0] if found else None


def _opened(relay: Relay, ids: Collection[bytes]) -> list[SignedItem]:
    return [reopen(data) for data in relay.store.get_many(ids).values()]


def organisation_of(relay: Relay, org: bytes) -> Organisation:
    """Return what is held of an organisation."""
    return belief.organisation(relay.store, org, relay.local.followed()) or Organisation(org)


def _in_file(data: bytes) -> Code | None:
    if carry.looks_like(data):
        return _in_carry(data)
    if proposal.looks_like(data):
        try:
            found = proposal.read(data)
        except InvalidDocument:
            return None
        return Code(found.org, sort=ORGANISATION)
    text = data.decode("utf-8", "replace")
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        return as_code(text)
    if not isinstance(entry, dict):
        return as_code(entry) if isinstance(entry, str) else None
    name = entry.get("name", "")
    for sort, field in ((ORGANISATION, "organisation"), (KEY, "key")):
        value = entry.get(field)
        if isinstance(value, str) and (code := as_code(value)) is not None:
            return Code(code.id, code.code, code.sort or sort, name if isinstance(name, str) else "")
    return None


def _in_carry(data: bytes) -> Code | None:
    """Return the organisation whose first root a carry file holds, where there is but one."""
    found = set[bytes]()
    for part in carry.read(io.BytesIO(data)):
        if isinstance(part, carry.Record):
            try:
                item = admit(part.data)
            except InvalidItem:
                continue
            if isinstance(item.body, Root) and item.body.number == 1:
                found.add(item.id)
    return Code(found.pop(), sort=ORGANISATION) if len(found) == 1 else None


def _as_words(text: str) -> str | None:
    """Return eight words of the list, however written, in the form of core.keys.words."""
    found = _BETWEEN.sub(" ", text).casefold().split()
    return " ".join(found) if len(found) == WORD_COUNT and set(found) <= set(WORDS) else None


def _misheard(text: str) -> str:
    """Return a hint on words that are not in the list, if `text` seems to be meant as words."""
    found = _BETWEEN.sub(" ", text).casefold().split()
    strange = [word for word in found if word not in WORDS]
    if len(found) != WORD_COUNT or not strange or len(strange) > WORD_COUNT // 2:
        return ""
    near = difflib.get_close_matches(strange[0], WORDS, n=3)
    return f"{strange[0]!r} is none of the words" + (f"; perhaps it is {' or '.join(near)}" if near else "")


def _as_digits(text: str) -> str | None:
    """Return 27 digits of any script, however grouped, in the form of core.keys.digits."""
    squeezed = _BETWEEN.sub("", text)
    if len(squeezed) != _DIGITS or not squeezed.isdecimal():
        return None
    plain = "".join(str(unicodedata.decimal(one)) for one in squeezed)
    return " ".join(plain[at : at + 3] for at in range(0, _DIGITS, 3))
