"""Who is at the other end of a link: one P-256 key a relay, mutual TLS 1.3, no authority.

A relay issues its certificate itself, under an anchor authority whose private key is public. The authority proves
nothing; it is there because TLS libraries accept a stranger's client certificate in no other way. A relay is known by
its *relay id*, the SHA-256 of its public key (SubjectPublicKeyInfo), which TLS proves it holds.

A relay shows another key on every network, so that whoever sees it on two of them cannot tell that it is the same one,
and the same again when it comes back (:class:`NetworkIdentities`).

Not here: which relay id is expected where (addressbook), HTTP (server, client). The link key never signs bulletins,
and a relay id earns nothing by itself: making one is free.

The law: no byte of HTTP goes to a relay other than the pinned one (docs/spec/http.md, "Links").
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import hashlib
import ipaddress
import logging
import os
import secrets
import ssl
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from weakref import WeakSet

import aiohttp
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from meshrelay import networks
from meshrelay.errors import PeerFault, Refusal
from meshrelay.networks import LOOPBACK, Network

# The anchor authority's key: anybody can compute it, on purpose.
_ANCHOR_SCALAR = int.from_bytes(
    hashlib.sha256(b"meshrelay/1 link anchor: this key is public and proves nothing").digest()
)
_ANCHOR_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "meshrelay link anchor")])
_RELAY_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "meshrelay relay")])
# Relays whose clocks are wrong must still speak, so certificates are valid for all time and nobody looks at the time.
_NOT_BEFORE = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_NOT_AFTER = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)
_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which the ssl module does not name


log = logging.getLogger(__name__)

LINK_FILE: Final = "link.pem"

_KEPT = 64  # link keys of networks, the last used ones
_CALLS, _CALL_WAIT = 10, 0.03  # times, and seconds between, to look whether a router has answered
_FRESH = 1.0  # seconds for which a look at the networks is good


class Identities(Protocol):
    """Who this relay is on its links, which may depend on the network."""

    @property
    def relay_ids(self) -> Collection[bytes]:
        """Every relay id that may be met as one's own."""
        ...

    @property
    def main(self) -> LinkIdentity:
        """Who this relay is on the network that leads out, or else on the first there is."""
        ...

    async def settle(self, *, patient: bool = False) -> None:
        """Take note of the networks there are: to be called at the start, and now and then."""
        ...

    def at(self, address: str) -> LinkIdentity:
        """Return who this relay is to one who reached it at `address`."""
        ...

    def id_toward(self, hosts: Sequence[str]) -> bytes:
        """Return the relay id that a relay at these hosts sees."""
        ...

    def toward(self, hosts: Sequence[str]) -> tuple[LinkIdentity, tuple[str, ...]]:
        """Return who this relay is to a relay at these hosts, and which of them lie on that same network."""
        ...


@dataclass(frozen=True, slots=True)
class LinkIdentity:
    """This relay's side of a link, the same on every network: its relay id and the TLS contexts that prove it."""

    relay_id: bytes
    server: ssl.SSLContext
    client: ssl.SSLContext

    @property
    def relay_ids(self) -> Collection[bytes]:
        """The only relay id there is."""
        return (self.relay_id,)

    @property
    def main(self) -> LinkIdentity:
        """Itself."""
        return self

    async def settle(self, *, patient: bool = False) -> None:
        """Do nothing: no network makes a difference."""

    def at(self, address: str) -> LinkIdentity:
        """Return itself."""
        return self

    def id_toward(self, hosts: Sequence[str]) -> bytes:
        """Return the only relay id there is."""
        return self.relay_id

    def toward(self, hosts: Sequence[str]) -> tuple[LinkIdentity, tuple[str, ...]]:
        """Return itself, and all hosts."""
        return self, tuple(hosts)


class NetworkIdentities:
    """One identity a network, made when it is first met and used again there; keys lie in ``folder/link-*.pem``.

    A network keeps its mark while its addresses stay, so that nobody's relay id changes while a relay runs there only
    because the router answered late. The last 64 networks are remembered.
    """

    def __init__(self, folder: Path, *, look: Callable[[], tuple[Network, ...]] = networks.look) -> None:
        self._folder = folder
        self._look_now = look
        self._opened: dict[str, LinkIdentity] = {}
        self._marks: dict[tuple[object, ...], str] = {}
        self._networks: tuple[Network, ...] = ()
        self._looked = float("-inf")

    @property
    def relay_ids(self) -> Collection[bytes]:
        """The relay ids of the networks met since the start."""
        return [one.relay_id for one in self._opened.values()]

    @property
    def main(self) -> LinkIdentity:
        """Who this relay is on the network that leads out, or else on the first there is."""
        self._look()
        return self._open(self._mark(self._networks[0]) if self._networks else LOOPBACK)

    async def settle(self, *, patient: bool = False) -> None:
        """Take note of the networks there are, giving the routers of new ones a third of a second to answer.

        To be called at the start, and now and then, so that a change is seen before somebody dials. If `patient`, those
        that have no router yet are given the same time to get one, for an address comes before the way out.
        """
        for _ in range(_CALLS):
            new = [one for one in self._look_now() if not one.is_loopback and not self._is_sure(one)]
            if not networks.call_routers(new) and not (patient and any(one.router is None for one in new)):
                break
            await asyncio.sleep(_CALL_WAIT)
        self._look(at_once=True)
        for one in self._networks:
            self._mark(one)

    def at(self, address: str) -> LinkIdentity:
        """Return who this relay is to one who reached it at `address`."""
        self._look()
        here = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(here, ipaddress.IPv6Address) and here.ipv4_mapped is not None:
            here = here.ipv4_mapped
        if here.is_loopback:
            return self._open(LOOPBACK)
        for network in self._networks:
            if any(one.ip == here for one in network.addresses):
                return self._open(self._mark(network))
        return self.main

    def toward(self, hosts: Sequence[str]) -> tuple[LinkIdentity, tuple[str, ...]]:
        """Return who this relay is to a relay at these hosts, and which of them lie on that same network.

        A host that cannot be reached now, or is a name, is dialled as whoever this relay is on its main network.
        """
        found: dict[bytes, list[str]] = {}
        known: dict[bytes, LinkIdentity] = {}
        for host in hosts:
            here = networks.local_address(host)
            identity = self.at(str(here)) if here is not None else None
            if identity is not None:
                found.setdefault(identity.relay_id, []).append(host)
                known[identity.relay_id] = identity
        for relay_id, those in found.items():
            return known[relay_id], tuple(those)
        return self.main, tuple(hosts)

    def id_toward(self, hosts: Sequence[str]) -> bytes:
        """Return the relay id that a relay at these hosts sees."""
        return self.toward(hosts)[0].relay_id

    def _look(self, *, at_once: bool = False) -> None:
        moment = asyncio.get_running_loop().time()
        if at_once or moment - self._looked > _FRESH:
            self._networks, self._looked = self._look_now(), moment
            here = {self._key(one) for one in self._networks}
            self._marks = {key: mark for key, mark in self._marks.items() if key in here}

    def _key(self, network: Network) -> tuple[object, ...]:
        router = network.router
        return network.index, network.subnets or network.mark, router.address if router is not None else None

    def _is_sure(self, network: Network) -> bool:
        """Tell whether a network is known, and by its router where it was told by one: a cable may lead elsewhere."""
        known = self._marks.get(self._key(network))
        return known is not None and (network.has_known_router or not known.startswith("router "))

    def _mark(self, network: Network) -> str:
        known = self._marks.get(key := self._key(network))
        # A router that answered late changes nothing; another one at the same address is another network.
        if known is None or (network.has_known_router and known.startswith("router ") and known != network.mark):
            known = self._marks[key] = network.mark
        return known

    def _open(self, mark: str) -> LinkIdentity:
        identity = self._opened.get(mark)
        if identity is None:
            name = hashlib.sha256(b"meshrelay/1 network\0" + mark.encode()).hexdigest()[:16]
            identity = self._opened[mark] = self._open_or_make_do(self._folder / f"link-{name}.pem")
        return identity

    def _open_or_make_do(self, path: Path) -> LinkIdentity:
        """Open or make a key; one that cannot be kept, on a full disk, holds until the relay stops."""
        try:
            found = open_identity(path)
            self._forget()
        except (OSError, Refusal) as error:
            log.warning("a link key cannot be kept: %s; another is used until the relay stops", error)
            with _in_memory(_new_pem()) as elsewhere:
                return _identity_in(elsewhere)
        return found

    def _forget(self) -> None:
        """Let the keys of networks go that were not visited for longest."""
        kept = sorted(self._folder.glob("link-*.pem"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in kept[_KEPT:]:
            path.unlink(missing_ok=True)


class SpkiPin(aiohttp.Fingerprint):
    """The relay id that must answer, checked after the TLS handshake and before any HTTP.

    With no id expected, the first one seen is pinned for the further connections of this object.
    """

    def __init__(self, expected: bytes | None) -> None:
        super().__init__(expected if expected is not None else bytes(32))
        self.relay_id = expected
        self.host = ""
        """The address that answered."""
        self._checked: WeakSet[asyncio.Transport] = WeakSet()

    async def cut(self) -> None:
        """End every connection that was checked, at once.

        One that is closed and not cut waits for the other end to say farewell, half a minute for one that never does.
        """
        for transport in self._checked:
            transport.abort()
        await asyncio.sleep(0)  # in which they end

    def check(self, transport: asyncio.Transport) -> None:
        """Raise ServerFingerprintMismatch unless the expected relay is at the other end."""
        self._checked.add(transport)
        host, port, *_ = transport.get_extra_info("peername")
        self.host = str(host)
        try:
            found = relay_id_of(transport)
        except PeerFault as error:
            raise aiohttp.ServerFingerprintMismatch(self.relay_id or b"", b"", host, port) from error
        if self.relay_id is not None and found != self.relay_id:
            raise aiohttp.ServerFingerprintMismatch(self.relay_id, found, host, port)
        self.relay_id = found


async def open_identities(folder: Path, *, stable: bool) -> Identities:
    """Return who the relay in `folder` is on its links: one everywhere if `stable`, else one a network."""
    found: Identities = open_identity(folder / LINK_FILE) if stable else NetworkIdentities(folder)
    await found.settle()
    return found


def open_identity(path: Path) -> LinkIdentity:
    """Load the link key and certificate in `path`, making them first where there are none.

    The file is readable by its owner alone and appears whole or not at all. Raises Refusal for a damaged one.
    """
    if not path.exists():
        _write_private(path, _new_pem())
    with contextlib.suppress(OSError):  # on a disk that cannot be written to, nothing is forgotten either
        path.touch()
    try:
        return _identity_in(path)
    except (ValueError, ssl.SSLError) as error:
        raise Refusal(
            f"the link key in {path} is damaged",
            hint="remove that file: a new one is made, and relays that were given this one's id need the new id",
        ) from error


def _identity_in(path: Path) -> LinkIdentity:
    """Load a link key and its certificate; raises ValueError or SSLError for a file that holds none."""
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    server = _context(ssl.PROTOCOL_TLS_SERVER, path)
    client = _context(ssl.PROTOCOL_TLS_CLIENT, path)
    server.num_tickets = 0  # nothing is resumed: one connection an exchange
    return LinkIdentity(_relay_id(certificate), server, client)


def relay_id_of(transport: asyncio.BaseTransport) -> bytes:
    """Return the relay id that the other end of a TLS connection has proved; PeerFault where there is none."""
    tls = transport.get_extra_info("ssl_object")
    der = tls.getpeercert(binary_form=True) if tls is not None else None
    if der is None:
        raise PeerFault("the peer showed no certificate")
    try:
        return _relay_id(x509.load_der_x509_certificate(der))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PeerFault("the peer's certificate cannot be read") from error


def _relay_id(certificate: x509.Certificate) -> bytes:
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("a link key is a P-256 key")
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).digest()


def _context(protocol: ssl._SSLMethod, path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= _NO_CHECK_TIME
    context.load_verify_locations(cadata=_anchor().public_bytes(serialization.Encoding.PEM).decode())
    context.load_cert_chain(path)
    return context


def _anchor() -> x509.Certificate:
    key = ec.derive_private_key(_ANCHOR_SCALAR, ec.SECP256R1())
    return _certificate(_ANCHOR_NAME, key.public_key(), 1, authority=True)


def _certificate(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, serial: int, *, authority: bool
) -> x509.Certificate:
    anchor = ec.derive_private_key(_ANCHOR_SCALAR, ec.SECP256R1())
    # Newer Pythons check strictly: both key identifiers, and the critical extensions of an authority, must be there.
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(_ANCHOR_NAME)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(_NOT_BEFORE)
        .not_valid_after(_NOT_AFTER)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True)
        .add_extension(_key_usage(authority=authority), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(anchor.public_key()), critical=False)
        .sign(anchor, hashes.SHA256())
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _new_pem() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(_RELAY_NAME, key.public_key(), x509.random_serial_number(), authority=False)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


@contextlib.contextmanager
def _in_memory(data: bytes) -> Iterator[Path]:
    """Give data a path, for a library that reads from paths alone; where the system can, without a disk."""
    if not hasattr(os, "memfd_create"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / LINK_FILE
            path.write_bytes(data)
            yield path
        return
    with os.fdopen(os.memfd_create(LINK_FILE), "wb") as file:
        file.write(data)
        file.flush()
        yield Path(f"/proc/self/fd/{file.fileno()}")


def _write_private(path: Path, data: bytes) -> None:
    """Write `data` whole and synced, or not at all, readable by the owner alone; a file that is there stays."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
