"""What an organisation's statement says, line by line, for whoever is asked to sign it or looks at it.

Everything here is made from what is signed, so a line cannot say something else than the statement does. What a key is
called comes from this folder, or, in quotes, from whoever made a file.

Not here: whether it counts, and what follows from it (cli/org.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from meshrelay.core.keys import digits, words
from meshrelay.core.organisation import Organisation
from meshrelay.core.statements import Branch, Delegation, Revocation, Role, Root, Scope, Signer, Statement
from meshrelay.words import Words

DAY = 86_400
_INDENT = "  "


def quoted(text: str) -> str:
    """Return somebody's own words in quotes, on one line: nothing in them looks like a line or a quote of ours."""
    return f'"{on_one_line(text)}"'


def on_one_line(text: str) -> str:
    """Return a text without lines, signs that cannot be seen, and quotes."""
    shown = "".join(one for one in " ".join(text.split()) if one.isprintable())
    return shown.replace('"', "'")


@dataclass(frozen=True, slots=True)
class Teller:
    """What it takes to say a statement: what keys are called here and in a file, and the voice for times.

    `titles` gives the headline of a bulletin that is held, by id, or an empty text.
    """

    voice: Words
    petname: Callable[[bytes], str]
    claimed: Mapping[bytes, str] = field(default_factory=dict)
    titles: Callable[[bytes], str] = lambda _: ""

    def key(self, key: bytes) -> str:
        """Return what a key is called, and its digits."""
        name = self.petname(key)
        if not name and (claimed := self.claimed.get(key, "")):
            name = quoted(claimed)
        return f"{name + ', ' if name else ''}{digits(key)}"

    def organisation(self, org: bytes, held: Organisation | None) -> str:
        """Return the name of an organisation: as the operator calls it, else as it calls itself."""
        name = self.petname(org) or (quoted(held.name) if held is not None and held.name else "an organisation")
        return f"{name}, {digits(org)}"

    def time(self, moment: int) -> str:
        """Return a time in the voice's words."""
        return str(self.voice.moment(moment))

    def item(self, item: bytes) -> str:
        """Return the beginning of an id, and the headline of the bulletin if it is held."""
        title = on_one_line(self.titles(item))
        return item.hex()[:10] + (f"  {title}" if title else "")

    def statement(self, body: Statement, *, item: bytes, held: Organisation | None) -> list[str]:
        """Return what a statement says; `held` is what is known of its organisation."""
        match body:
            case Root(org=None):
                return self._first(body, item)
            case Root():
                return self._root(body, held)
            case Delegation():
                return self._delegation(body, held)
            case Revocation():
                return self._revocation(body, held)
            case Branch():
                return self._branch(body, held)
            case _:
                raise ValueError("not signed together")

    def scope(self, scope: Scope) -> list[str]:
        """Return what a key may speak about."""
        if scope == Scope():
            return ["it may speak about anything, anywhere"]
        said = []
        if scope.kinds:
            said.append(f"only: {', '.join(f'{kind}s' for kind in scope.kinds)}")
        if scope.categories:
            said.append(f"about: {', '.join(scope.categories)}")
        if scope.severity is not None:
            said.append(f"no graver than {scope.severity}")
        said += [
            f"within {one.radius / 1000:g} km around {one.center.lat / 1e6:g}, {one.center.lon / 1e6:g}"
            for one in scope.circles
        ]
        for polygon in scope.polygons:
            corners = ", ".join(f"{point.lat / 1e6:g} {point.lon / 1e6:g}" for point in polygon[:-1])
            said.append(f"within the corners {corners}")
        said += [f"where {quoted(name)} begins with {quoted(value)}" for name, value in scope.geocodes]
        if scope.daily is not None:
            said.append(f"at most {scope.daily} bulletins a day")
        return said

    def signers(self, signers: Iterable[Signer], signed: Iterable[bytes]) -> list[str]:
        """Return who signs, in which role, and whether they have."""
        have = set(signed)
        return [
            f"{'signed ' if one.key in have else 'MISSING'}  {self.key(one.key)}{_role(one.roles)}" for one in signers
        ]

    def _keys(self, keys: Iterable[bytes]) -> list[str]:
        return [_INDENT + self.key(key) for key in keys]

    def _first(self, root: Root, item: bytes) -> list[str]:
        named = f"that calls itself {quoted(root.name)}" if root.name else "without a name"
        return [
            f"A new organisation {named}.",
            f"Its digits: {digits(item)}",
            f"In words: {words(item)}",
            *self._rule(root),
            *self._recovery(root.recovery),
        ]

    def _root(self, root: Root, held: Organisation | None) -> list[str]:
        org = self.organisation(root.org or b"", held)
        lines = [f"Version {root.number} of {org}; it calls itself {quoted(root.name)}.", *self._rule(root)]
        before = held.root if held is not None else None
        if before is not None and before.number == root.number - 1:
            for what, keys in (
                ("New among them:", set(root.keys) - set(before.keys)),
                ("No longer among them:", set(before.keys) - set(root.keys)),
            ):
                lines += [what, *self._keys(sorted(keys))] if keys else []
            if root.recovery == before.recovery:
                same = f"The recovery {_keys_are(len(root.recovery))} as before."
                return [*lines, same] if root.recovery else lines
        return lines + self._recovery(root.recovery)

    def _rule(self, root: Root) -> list[str]:
        return [f"Any {root.threshold} of these {len(root.keys)} keys speak for it:", *self._keys(root.keys)]

    def _recovery(self, recovery: tuple[bytes, ...]) -> list[str]:
        if not recovery:
            return ["No recovery key: should its keys leak or be lost, nothing can settle who is who."]
        return ["Recovery, to settle conflicts and to end keys:", *self._keys(recovery)]

    def _delegation(self, body: Delegation, held: Organisation | None) -> list[str]:
        days = round((body.not_after - body.not_before) / DAY)
        titled = f" as {quoted(body.title)}" if body.title else ""
        return [
            f"{self.organisation(body.org, held)}",
            f"lends its name to the key {self.key(body.subject)}{titled}",
            f"for {days} days, until {self.time(body.not_after)}:",
            *[_INDENT + line for line in self.scope(body.scope)],
        ]

    def _revocation(self, body: Revocation, held: Organisation | None) -> list[str]:
        lines = [
            f"{self.organisation(body.org or b'', held)}",
            f"ends the key {self.key(body.subject)}, for ever.",
            "What that key signed in its name counts no longer, whenever it was signed"
            + (f", but for {len(body.good)}:" if body.good else "."),
        ]
        return lines + [_INDENT + self.item(item) for item in body.good]

    def _branch(self, body: Branch, held: Organisation | None) -> list[str]:
        return [
            f"{self.organisation(body.org or b'', held)}",
            "says that, of items that exclude each other, this one counts:",
            _INDENT + self.item(body.chosen),
            "and not:",
            *[_INDENT + self.item(item) for item in body.rivals],
        ]


def _role(roles: Role) -> str:
    said = [
        name
        for role, name in ((Role.PREDECESSOR, "as a key so far"), (Role.RECOVERY, "as recovery key"))
        if role in roles
    ]
    if said and Role.ROOT in roles:
        said.insert(0, "as a key from now on")
    return f" ({', '.join(said)})" if said else ""


def _keys_are(count: int) -> str:
    return "key is" if count == 1 else "keys are"
