"""The vectors must notice when a check is gone: every mutant of the gate and of trust is caught by one.

Each mutant is a copy of the package in which one check is left out or one bound is off by one. A mutant whose text
is not found any more fails too: the table has to follow the code.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import meshrelay
from tests.vectors import make, make_verdicts

PACKAGE = Path(meshrelay.__file__).parent
JUDGE = Path(__file__).with_name("judging.py")

MUTANTS = [
    ("admission", "    if not verify(", "    if False and not verify("),
    ("admission", "if version is True or version != ", "if version != "),
    ("admission", "version is True or version != envelope.VERSION", "version is True or version is None"),
    ("bulletin", "MAX_AREAS = 256", "MAX_AREAS = 257"),
    ("bulletin", "MAX_CODES = 256", "MAX_CODES = 257"),
    ("bulletin", "MAX_LANGUAGES = 64", "MAX_LANGUAGES = 65"),
    ("bulletin", "MAX_LIFE = 90 * 86400", "MAX_LIFE = 90 * 86400 + 1"),
    ("bulletin", "MAX_LIVE = 64", "MAX_LIVE = 65"),
    ("bulletin", "MAX_NUMBER = 2**53 - 1", "MAX_NUMBER = 2**53"),
    ("bulletin", "MAX_REFERENCES = 64", "MAX_REFERENCES = 65"),
    ("bulletin", "MAX_RESOURCES = 32", "MAX_RESOURCES = 33"),
    ("bulletin", "MAX_SHAPES = 256", "MAX_SHAPES = 257"),
    ("bulletin", "20_040_000", "20_040_001"),
    ("bulletin", "-180_000_000", "-180_000_001"),
    ("bulletin", "90_000_000, Reason", "90_000_001, Reason"),
    ("bulletin", "fields.raw(8)", "fields.raw(9)"),
    ("bulletin", "if not b.sent < b.expires <=", "if not b.sent <= b.expires <="),
    ("bulletin", "if b.chain.seq == 1 and b.chain.prev is not None:", "if False:"),
    ("bulletin", "b.chain.live[-1] >= b.chain.seq", "b.chain.live[-1] > b.chain.seq"),
    ("bulletin", "if not b.texts and b.msg_type is not MsgType.CANCEL:", "if False:"),
    ("bulletin", "if b.msg_type is not MsgType.ALERT and not b.references and not b.origin.references:", "if False:"),
    ("bulletin", "if len(set(values)) != len(values):", "if False:"),
    ("bulletin", "if not all(map(lt, numbers, numbers[1:])):", "if False:"),
    ("bulletin", "if len({tag.lower() for tag in value}) != len(value):", "if False:"),
    ("bulletin", "points[0] != points[-1]", "False"),
    ("bulletin", "if origin == Origin():", "if False:"),
    ("bulletin", "(origin.kind is OriginKind.CAP) != (origin.identity is not None)", "False"),
    ("encoding", "    _scan(data)\n    try:", "    try:"),
    ("encoding", "MAX_DEPTH = 8", "MAX_DEPTH = 9"),
    ("encoding", "MAX_INT_KEY = 255", "MAX_INT_KEY = 256"),
    ("encoding", "MAX_TEXT_KEY = 35", "MAX_TEXT_KEY = 36"),
    ("encoding", "[\\x00-\\x09\\x0b-", "[\\x00-\\x08\\x0b-"),
    ("encoding", "\\x7f-\\x9f", "\\x80-\\x9f"),
    ("encoding", "\\u202a-\\u202e", "\\u202a-\\u202d"),
    ("encoding", "\\u2066-\\u2069", "\\u2066-\\u2068"),
    ("envelope", "    if len(data) > MAX_ITEM:", "    if len(data) > MAX_ITEM + 1:"),
    ("envelope", '!= b"\\xa0":', '== b"":'),
    ("envelope", "data[end : end + 2] != _SIGNATURE_HEAD or ", ""),
    ("envelope", "if not payload or encode(payload) != content:", "if not payload:"),
    ("envelope", "if not payload or encode(payload) != content:", "if encode(payload) != content:"),
    ("fields", "MAX_TIME = 253_402_300_799", "MAX_TIME = 253_402_300_800"),
    ("fields", "MIN_TIME = 1", "MIN_TIME = 0"),
    ("fields", '                wrong(name, f"unknown key {key!r}")', "                continue"),
    ("fields", "if not self._required.keys() <= entries.keys():", "if False:"),
    ("fields", "if not value and not empty:", "if False:"),
    ("fields", "if len(value) > most:", "if len(value) > most + 1:"),
    ("fields", "if len(value) != size:", "if len(value) > size:"),
    ("keys", "BadSignatureError:\n        return False", "BadSignatureError:\n        return public[0] > 250"),
    ("statements", "MAX_GOOD = 256", "MAX_GOOD = 257"),
    ("statements", "if revocation.subject != author:", "if False:"),
    # What several sign together
    ("admission", "    for key, signature in parts.signatures:", "    for key, signature in parts.signatures[:1]:"),
    ("admission", "if parts.many and tuple(signer.key for signer in signers_of(body)) != keys:", "if False:"),
    (
        "admission",
        "    if many:\n        raise InvalidItem(Reason.KIND",
        "    if False:\n        raise InvalidItem(Reason.KIND",
    ),
    ("envelope", "if signatures and signatures[-1][0] >= key:", "if signatures and signatures[-1][0] > key:"),
    ("envelope", "if one != _SIGNER_PREFIX + key + _UNPROTECTED + _SIGNATURE_HEAD + signature:", "if False:"),
    ("envelope", "or encode(payload) != data[at : start + size]", ""),
    ("envelope", "if not count or not rest.startswith(_list_head(count)):", "if not count:"),
    ("envelope", "return (together_signed if self.many else to_be_signed)", "return (to_be_signed)"),
    ("envelope", "head = _MANY_HASHED if self.many else", "head = _HASHED + self.signatures[0][0] if self.many else"),
    (
        "envelope",
        "for role in (Role.PREDECESSOR, Role.ROOT, Role.RECOVERY):",
        "for role in (Role.RECOVERY, Role.ROOT):",
    ),
    ("statements", "MAX_ROOT_KEYS = 16", "MAX_ROOT_KEYS = 17"),
    ("statements", "MAX_RECOVERY_KEYS = 8", "MAX_RECOVERY_KEYS = 9"),
    ("statements", "MAX_LENT = 180 * 86400", "MAX_LENT = 180 * 86400 + 1"),
    ("statements", "MAX_SCOPE_SHAPES = 8", "MAX_SCOPE_SHAPES = 9"),
    ("statements", "MAX_SCOPE_POINTS = 64", "MAX_SCOPE_POINTS = 65"),
    ("statements", "MAX_RIVALS = 16", "MAX_RIVALS = 17"),
    ("statements", "if any(a >= z for a, z in pairwise(values)):\n        wrong", "if False:\n        wrong"),
    ("statements", "        if any(a >= z for a, z in pairwise(values)):", "        if False:"),
    ("statements", "if (value is None) != first:", "if False:"),
    ("statements", "if root.threshold > len(root.keys):", "if False:"),
    ("statements", "    _signed_by(root.signers, Role.ROOT, root.threshold)\n", ""),
    ("statements", "if not holding(root.signers, Role.ROOT) <= set(root.keys):", "if False:"),
    ("statements", "if first and not holding(root.signers, Role.RECOVERY) <= set(root.recovery):", "if False:"),
    ("statements", "        if holding(root.signers, Role.PREDECESSOR):", "        if False:"),
    ("statements", "        _signed_by(root.signers, Role.PREDECESSOR, root.prev_threshold)", "        pass"),
    ("statements", "    _signed_by(delegation.signers, Role.ROOT, delegation.threshold)\n", ""),
    ("statements", "    _only(delegation.signers, Role.ROOT)\n", ""),
    (
        "statements",
        "if not delegation.not_before < delegation.not_after <=",
        "if not delegation.not_before <= delegation.not_after <=",
    ),
    ("statements", "if branch.chosen in branch.rivals:", "if False:"),
    ("statements", "if (attestation.says is Says.DISPUTE) != (attestation.fault is not None):", "if False:"),
    ("statements", "if attestation.seq == 1 and attestation.prev is not None:", "if False:"),
    ("statements", "    _only(statement.signers, Role.ROOT | Role.RECOVERY)\n", ""),
    ("statements", "        _signed_by(statement.signers, Role.ROOT, statement.threshold)", "        pass"),
    ("statements", "    elif holding(statement.signers, Role.ROOT):", "    elif False:"),
    ("statements", "if successor.subject == author:", "if False:"),
    ("statements", "if scope == Scope():", "if False:"),
    ("statements", "if points[0] != points[-1]:", "if False:"),
    (
        "statements",
        "if kind not in (MANY_SIGNERS if many else ONE_SIGNER):",
        "if kind not in MANY_SIGNERS | ONE_SIGNER:",
    ),
    # Organisations
    ("organisation", "root.org == org\n        and root.prev", "root.prev"),
    ("organisation", "        and root.prev == before\n", ""),
    ("organisation", "root.prev == before\n        and root.number == last.number + 1", "root.prev == before"),
    ("organisation", "        and root.prev_threshold == last.threshold\n", ""),
    ("organisation", "len(holding(root.signers, Role.PREDECESSOR) & set(last.keys)) >= last.threshold", "True"),
    (
        "organisation",
        "holding(root.signers, Role.PREDECESSOR) & set(last.keys)",
        "holding(root.signers, Role.PREDECESSOR)",
    ),
    ("organisation", "(root.recovery == last.recovery or bool(by_recovery))", "True"),
    (
        "organisation",
        "by_recovery = holding(root.signers, Role.RECOVERY) & set(last.recovery)",
        "by_recovery = holding(root.signers, Role.RECOVERY)",
    ),
    ("organisation", "if holding(one[1].signers, Role.RECOVERY) & recovery]", "if False]"),
    ("organisation", "and holding(branch.signers, Role.RECOVERY) & recovery", "and branch.signers"),
    ("organisation", "return chain[:-1], frozenset(item.id for item, _ in following)", "return chain, frozenset()"),
    ("organisation", "        if len(following) > 1:", "        if False:"),
    ("organisation", "(set(followed) & among if not settled else set())", "set()"),
    ("organisation", "        delegation.threshold == root.threshold\n        and len", "        len"),
    (
        "organisation",
        "len(signers & set(root.keys)) >= root.threshold\n        and len(signers & set(current",
        "len(signers & set(current",
    ),
    ("organisation", "        and len(signers & set(current.keys)) >= current.threshold\n", ""),
    ("organisation", "if statement.threshold == root.threshold and len(", "if len("),
    (
        "organisation",
        "len(holding(signers, Role.ROOT) & set(root.keys)) >= root.threshold:",
        "holding(signers, Role.ROOT):",
    ),
    (
        "organisation",
        "if holding(signers, Role.RECOVERY) & set(root.recovery) else None",
        "if holding(signers, Role.RECOVERY) else None",
    ),
    (
        "organisation",
        "    return _NO_IDS, frozenset({first, min(others)})",
        "    return revocations[first], frozenset({first, min(others)})",
    ),
    ("organisation", "if one.number >= lent.number]", "if one.number > lent.number]"),
    ("organisation", "if one.number >= lent.number]", "]"),
    ("organisation", "return not self.covers(header) and not all(", "return not all("),
    (
        "organisation",
        "one.delegation.not_before <= header.sent <= one.delegation.not_after",
        "header.sent <= one.delegation.not_after",
    ),
    (
        "organisation",
        "one.delegation.not_before <= header.sent <= one.delegation.not_after",
        "one.delegation.not_before <= header.sent",
    ),
    ("organisation", "        over = now is not None and now > until", "        over = False"),
    (
        "organisation",
        "if fault is None and delegation.scope.daily is not None and place_in_day > delegation.scope.daily:",
        "if False:",
    ),
    ("organisation", "fault = beyond(delegation.scope, bulletin) if bulletin is not None else None", "fault = None"),
    (
        "organisation",
        "not self._is_ended(act.author, one, act.id) and beyond(one.delegation.scope, said) is None",
        "beyond(one.delegation.scope, said) is None",
    ),
    (
        "organisation",
        "not self._is_ended(act.author, one, act.id) and beyond(one.delegation.scope, said) is None",
        "not self._is_ended(act.author, one, act.id)",
    ),
    ("organisation", '(not one.delegation.scope.kinds or "attestation" in one.delegation.scope.kinds)', "True"),
    # Remits
    ("scope", 'if scope.kinds and "bulletin" not in scope.kinds:', "if False:"),
    ("scope", "_SEVERITY[bulletin.severity] < _SEVERITY[scope.severity]", "False"),
    (
        "scope",
        "_SEVERITY[bulletin.severity] < _SEVERITY[scope.severity]",
        "_SEVERITY[bulletin.severity] <= _SEVERITY[scope.severity]",
    ),
    (
        "scope",
        "not set(bulletin.categories) <= set(scope.categories)",
        "not set(bulletin.categories) & set(scope.categories)",
    ),
    ("scope", "within = bool(bulletin.areas) and all(", "within = all("),
    (
        "scope",
        "all(_within(scope, area) for area in bulletin.areas)",
        "any(_within(scope, area) for area in bulletin.areas)",
    ),
    ("scope", "return bool(area.geocodes) and all(", "return all("),
    ("scope", "value.startswith(lent)", "True"),
    ("scope", "* _METRES <= circle.radius", "* _METRES <= 1e9"),
    ("scope", "    if not all(_is_inside(spot, polygon) for spot in shape):\n        return False\n", ""),
    # Verdicts
    ("trust", "if good is not None and header.id not in good:", "if False:"),
    ("trust", "return named.id if named is not None and named.strikes(header) else None", "return None"),
    ("trust", "for one in (header.author, header.org) if", "for one in (header.org,) if"),
    ("trust", "for one in (header.author, header.org) if", "for one in (header.author,) if"),
    (
        "trust",
        "if named is not None and named.id in self.anchors\n            else None",
        "if named is not None\n            else None",
    ),
    ("trust", "        if forked:", "        if False:"),
    ("trust", "if act.author == target.author:\n            return True", "if True:\n            return True"),
    ("trust", "return named is not None and named.may_act(act, target, said)", "return False"),
    (
        "trust",
        "and (clock.doubtful or act.sent + ACTS_FOR > clock.now)",
        "and (clock.doubtful or act.expires > clock.now)",
    ),
    ("trust", "        and not trust.is_struck(act)\n", ""),
    ("trust", "            if len(chosen) == 1:", "            if chosen:"),
    ("trust", "        if named is not None:\n            says = [", "        if False:\n            says = ["),
    ("trust", "        elif all(trust.chosen_over(one, ids) is None for one in sharing):", "        elif False:"),
    ("trust", "and not trust.is_struck(item.header):", ":"),
    (
        "trust",
        "if item.author in trust.blocked or item.author in own_voices:",
        "if item.author in own_voices:",
    ),
    (
        "trust",
        "if item.author in trust.blocked or item.author in own_voices:",
        "if item.author in trust.blocked:",
    ),
    ("trust", "            if voice not in words or words[voice][0] < order:", "            if voice not in words:"),
    ("trust", "if not clock.doubtful and item.header.sent > clock.now + AGREEMENT:", "if False:"),
    (
        "trust",
        "if named is not None and named.id in trust.anchors and named.attests(header, now=now):",
        "if named is not None and named.id in trust.anchors:",
    ),
]


def status(folder: Path) -> int:
    """Judge the vectors by the package in `folder`: 0 when all end as they say, 9 when one does not."""
    command = [sys.executable, "-P", str(JUDGE), str(make.FOLDER), str(make_verdicts.FOLDER)]
    return subprocess.run(command, cwd=folder, env={"PYTHONPATH": str(folder)}, check=False, timeout=50).returncode


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    target = tmp_path / "meshrelay"
    target.mkdir()
    for name in ("__init__.py", "errors.py"):
        shutil.copy(PACKAGE / name, target)
    shutil.copytree(PACKAGE / "core", target / "core", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.full
def test_the_copy_itself_is_right(copy: Path) -> None:
    assert status(copy) == 0


@pytest.mark.full
@pytest.mark.parametrize(("module", "old", "new"), MUTANTS)
def test_a_mutant_is_caught(copy: Path, module: str, old: str, new: str) -> None:
    path = copy / "meshrelay" / "core" / f"{module}.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    assert status(copy) == 9
