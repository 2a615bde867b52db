"""In whose name a key speaks, and whether it may replace or withdraw what a colleague said.

A key may be lent the names of several organisations, and anybody can lend theirs to any key. So only organisations that
are known here are spoken for without being asked; another has to be named.

Not here: what the bulletin says (cli/publish.py), and what lending amounts to (core.organisation).
"""

from __future__ import annotations

from typing import Final

from meshrelay import belief
from meshrelay.cli import codes
from meshrelay.cli.clauses import DAY, quoted
from meshrelay.core.bulletin import Bulletin, MsgType
from meshrelay.core.envelope import Header, ItemClass, Kind
from meshrelay.core.keys import digits
from meshrelay.core.organisation import Organisation, Standing
from meshrelay.core.scope import Beyond, beyond
from meshrelay.errors import Refusal
from meshrelay.listing import Shown
from meshrelay.relay import Relay

NOBODY: Final = "none"
"""What is given for speaking in nobody's name but one's own."""
_WARNED_AHEAD: Final = 10 * DAY
_WHAT: Final = {
    Beyond.TIME: "it is not lent at this time",
    Beyond.KIND: "it is lent for attestations only",
    Beyond.SEVERITY: "it is graver than what the key may say",
    Beyond.CATEGORY: "it is about something else than the key may speak about",
    Beyond.PLACE: "its place is not, or not wholly, where the key may speak about; a place in words alone is nowhere",
    Beyond.DAILY: "it is one more than the key may say in a day",
}


def in_name_of(relay: Relay, key: bytes, wanted: str, *, now: int) -> Organisation | None:
    """Return the organisation that a key speaks for: the `wanted` one, else the only known one that lends it its name.

    Raises Refusal where the wanted one lends it nothing now, or several do and none was named.
    """
    if wanted == NOBODY:
        return None
    if wanted:
        named = codes.organisation(relay, wanted)
        if why := _lends_not(relay, named, key, now=now):
            raise Refusal(why, hint="ask its people to lend it: `meshrelay org delegate`; or leave out --org")
        return named
    known = [one for one in relay.trust.organisations.values() if one.id in relay.trust.anchors]
    lending = [one for one in known if not _lends_not(relay, one, key, now=now)]
    if len(lending) > 1:
        names = ", ".join(sorted(relay.trust.petname(one.id) for one in lending))
        raise Refusal(
            f"this key may speak for several: {names}", hint=f"say for which with --org, or --org {NOBODY} for none"
        )
    return lending[0] if lending else None


def warnings(relay: Relay, named: Organisation, key: bytes, draft: Bulletin, *, now: int) -> list[str]:
    """Return what whoever signs a bulletin in an organisation's name should know before."""
    act = _header(key, named.id, draft.msg_type, now=now)
    name = _name(relay, named)
    made = named.judge(act, draft, now=now, place_in_day=relay.store.place_in_day(act))
    said = []
    if made.standing is Standing.BEYOND and made.beyond is not None:
        said.append(
            f"Careful: this is outside of what {name} lent the key, and marked so everywhere: {_WHAT[made.beyond]}."
        )
    if made.until is not None and now <= made.until <= now + _WARNED_AHEAD:
        days = -(-(made.until - now) // DAY)
        left = f"{days} days" if days > 1 else "a day"
        said.append(f"What {name} lent the key ends within {left}: ask its people to lend it anew.")
    return said


def may_not_act(relay: Relay, key: bytes, target: Shown, msg_type: MsgType, *, now: int) -> str:
    """Return why an Update or Cancel by `key` would not act on a colleague's bulletin, or an empty text."""
    header = target.header
    if header.org is None:
        return "it is signed with a key that is not here, and only that key can end it"
    named = belief.organisation(relay.store, header.org, relay.local.followed())
    if named is None:
        return "it is in the name of an organisation that has not arrived here"
    act = _header(key, header.org, msg_type, now=now)
    if named.may_act(act, header, target.bulletin):
        return ""
    name = _name(relay, named)
    if not named.covers(header):
        return f"{name} does not stand by the key that signed it, so nobody but that key can end it"
    if why := _lends_not(relay, named, key, now=now):
        return why
    faults = [beyond(one.delegation.scope, target.bulletin) for one in named.lent[key]]
    what = next((_WHAT[one] for one in faults if one is not None), _WHAT[Beyond.TIME])
    return f"it is outside of what {name} lent your key: {what}"


def _lends_not(relay: Relay, named: Organisation, key: bytes, *, now: int) -> str:
    """Return why a key cannot speak for an organisation now, or an empty text."""
    name = _name(relay, named)
    if named.disputed:
        return f"{name} is disputed: its roots exclude each other, and nothing in its name counts"
    if key in named.ended and not named.covers(_header(key, named.id, MsgType.ALERT, now=now)):
        return f"{name} has ended your key {digits(key)}"
    lent = [one.delegation for one in named.lent.get(key, ())]
    if not lent:
        return f"{name} has not lent its name to your key {digits(key)}"
    if not any(one.not_before <= now <= one.not_after for one in lent):
        over = all(one.not_after < now for one in lent)
        return f"what {name} lent your key {'is over' if over else 'does not hold yet'}"
    return ""


def _name(relay: Relay, named: Organisation) -> str:
    return relay.trust.petname(named.id) or (quoted(named.name) if named.name else digits(named.id))


def _header(key: bytes, org: bytes, msg_type: MsgType, *, now: int) -> Header:
    """Return the header of an item that is about to be signed: later by its id than any that is held."""
    return Header(
        id=b"\xff" * 32,
        author=key,
        kind=Kind.BULLETIN,
        item_class=ItemClass.REST if msg_type is MsgType.ALERT else ItemClass.CORRECTION,
        sent=now,
        size=0,
        org=org,
        msg_type=msg_type,
    )
