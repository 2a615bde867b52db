"""What this relay believes: the operator's decisions and the statements held, put together for core.trust.

Reads the store and private facts and makes values of them; the rules are in core. A relay holds statements about many
keys that nobody here asked about, so only those are read that say something about whom this relay knows, and, when
bulletins are shown, about who is behind those.

Law: what is read depends on what is held, never on when it came. Source: docs/spec/statements.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from meshrelay.core.admission import reopen
from meshrelay.core.bulletin import Bulletin
from meshrelay.core.envelope import Header, SignedItem
from meshrelay.core.organisation import Organisation
from meshrelay.core.statements import Root
from meshrelay.core.trust import Acts, Surroundings, TrustView
from meshrelay.keyring import Keyring
from meshrelay.local import Local
from meshrelay.rows import Held
from meshrelay.store import Store

MOST_UNKNOWN_WORDS: Final = 1000
"""Further attestations of unknown keys about one bulletin are not counted."""


@dataclass(frozen=True, slots=True)
class Row:
    """A bulletin as the store has it: header and time of arrival, and what it says."""

    held: Held
    bulletin: Bulletin


def view(
    store: Store, local: Local, keyring: Keyring, *, now: int | None, coming: Sequence[SignedItem] = ()
) -> TrustView:
    """Return the trust view in force; `coming` are statements that are about to be stored."""
    anchors, own = local.anchors(), keyring.own()
    known = {*own, *(anchor.key for anchor in anchors)}
    followed = local.followed()
    organisations = [
        one for key in sorted(known) if (one := organisation(store, key, followed, coming=coming)) is not None
    ]
    speakers = known.union(*(one.speakers | one.lent.keys() for one in organisations))
    return TrustView.of(
        anchors=anchors,
        own=own,
        blocked=local.blocked(),
        statements=_said_by(store, speakers, coming=coming),
        organisations=organisations,
        now=now,
    )


def widened(trust: TrustView, store: Store, headers: Iterable[Header], *, followed: Collection[bytes]) -> TrustView:
    """Return the view with what the authors of these items, and the organisations that they name, have said."""
    held = list(headers)
    strangers = {one.author for one in held} - trust.speakers
    named = {one.org for one in held if one.org is not None} - trust.organisations.keys()
    organisations = [one for org in sorted(named) if (one := organisation(store, org, followed)) is not None]
    if not strangers and not organisations:
        return trust
    return trust.including(_said_by(store, strangers), organisations)


def organisation(
    store: Store, org: bytes, followed: Collection[bytes], *, coming: Sequence[SignedItem] = ()
) -> Organisation | None:
    """Return what the held statements of an organisation add up to, or None where its first root is not held.

    Only what keys signed that its roots name is read, alone or with others: a stranger's statements in its name cost
    nothing.
    """
    held = {item.id: item for item in coming}
    if org not in held:
        first = store.get_many([org]).get(org)
        if first is None:
            return None
        held[org] = reopen(first)
    if not isinstance(held[org].body, Root):
        return None
    asked = frozenset[bytes]()
    while True:
        found = Organisation.of(org, held.values(), followed=followed)
        more = found.speakers - asked
        if not more:
            return found
        held.update((item.id, item) for item in map(reopen, store.statements(more)))
        asked |= more


def colleagues(trust: TrustView, headers: Iterable[Header]) -> frozenset[bytes]:
    """Return the keys that the organisations which these items name have ever lent their name to."""
    named = {one.org for one in headers if one.org is not None}
    return frozenset(key for org in named if org in trust.organisations for key in trust.organisations[org].lent)


def attestations(store: Store, trust: TrustView, ids: Iterable[bytes]) -> Mapping[bytes, tuple[SignedItem, ...]]:
    """Return what those who may be known attest about these bulletins, by the bulletin's id."""
    about = store.attestations(ids, authors=trust.speakers)
    return {target: tuple([reopen(data) for data in datas]) for target, datas in about.items()}


def surroundings(
    store: Store, trust: TrustView, rows: Sequence[Row], acts: Acts, attested: Mapping[bytes, tuple[SignedItem, ...]]
) -> Mapping[bytes, Surroundings]:
    """Return what is held around each of these bulletins, by id.

    `acts` is what acts on any of them, `attested` as in :func:`attestations`; the view is that of all who said any of
    it.
    """
    headers = [row.held.header for row in rows]
    acts_said = {
        item: body
        for item, data in store.get_many(_acted_on_by_colleagues(acts, trust)).items()
        if isinstance(body := reopen(data).body, Bulletin)
    }
    streams = {(header.author, header.stream) for header in headers if header.stream is not None}
    twins = store.twins(streams)
    voices = trust.speakers
    return {
        row.held.header.id: Surroundings(
            said=row.bulletin,
            acts_said=acts_said,
            twins={
                seq: tuple(sharing)
                for seq, sharing in twins.get((row.held.header.author, row.held.header.stream or b""), {}).items()
            },
            place_in_day=store.place_in_day(row.held.header) if _is_counted(row.held.header, trust) else 1,
            attestations=attested.get(row.held.header.id, ()),
            unknown_words=store.attesting(row.held.header.id, but=voices | trust.blocked, most=MOST_UNKNOWN_WORDS),
        )
        for row in rows
    }


@dataclass(frozen=True, slots=True)
class News:
    """How far what is held of a known sender reaches.

    `heard` is when the newest of it was signed, by whichever key of an organisation; `missing` are numbers of the key's
    bulletins that held when it signed its newest, and that never came here.
    """

    heard: int
    missing: frozenset[int] = frozenset()


def news(store: Store, trust: TrustView, header: Header) -> News | None:
    """Return how far the news of the sender of a bulletin reaches; None where nothing of it is held."""
    newest = store.newest(header.author)
    if newest is None or newest.header.stream is None:
        return None
    last = store.highest_seq(header.author, newest.header.stream)
    signed = store.headers([last[1]] if last else [])
    heard = max([newest.header.sent, *(one.header.sent for one in signed.values())])
    org = trust.organisations.get(header.org) if header.org is not None and header.org in trust.anchors else None
    if org is not None and header.author in org.lent and header.author not in trust.anchors:
        heard = max([heard, *store.newest_sent(org.lent.keys()).values()])
    data = store.get_many([newest.header.id]).get(newest.header.id)
    body = reopen(data).body if data is not None else None
    live = body.chain.live if isinstance(body, Bulletin) else ()
    return News(heard, store.lacking(header.author, newest.header.stream, live))


def _acted_on_by_colleagues(acts: Acts, trust: TrustView) -> list[bytes]:
    """Return the ids of acts that a colleague's act names: its remit has to cover what they say."""
    return [
        act.id
        for act in acts.all
        if act.org in trust.organisations and any(other.author != act.author for other in acts.naming(act))
    ]


def _is_counted(header: Header, trust: TrustView) -> bool:
    """Tell whether an organisation lets the author say so much a day."""
    named = trust.organisations.get(header.org) if header.org is not None else None
    lent = named.lent.get(header.author, ()) if named is not None else ()
    return any(one.delegation.scope.daily is not None for one in lent)


def _said_by(store: Store, keys: Collection[bytes], *, coming: Sequence[SignedItem] = ()) -> list[SignedItem]:
    """Return what these keys said about keys and about their own streams, each statement once."""
    held = {item.id: item for item in coming if item.author in keys}
    held.update((item.id, item) for item in map(reopen, store.statements(keys)))
    return list(held.values())
