"""Who is at the other end of a link: one P-256 key a relay, mutual TLS 1.3, no authority.

A relay issues its certificate itself, under an anchor authority whose private key is public. The authority proves
nothing; it is there because TLS libraries accept a stranger's client certificate in no other way. A relay is known by
its *relay id*, the SHA-256 of its public key (SubjectPublicKeyInfo), which TLS proves it holds.

Not here: which relay id is expected where (addressbook), HTTP (server, client). The link key never signs bulletins,
and a relay id earns nothing by itself: making one is free.

The law: no byte of HTTP goes to a relay other than the pinned one (docs/spec/http.md, "Links").
"""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import os
import secrets
import ssl
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from meshrelay.errors import PeerFault, Refusal

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


@dataclass(frozen=True, slots=True)
class LinkIdentity:
    """This relay's side of every link: its relay id and the TLS contexts that prove it."""

    relay_id: bytes
    server: ssl.SSLContext
    client: ssl.SSLContext


class SpkiPin(aiohttp.Fingerprint):
    """The relay id that must answer, checked after the TLS handshake and before any HTTP.

    With no id expected, the first one seen is pinned for the further connections of this object.
    """

    def __init__(self, expected: bytes | None) -> None:
        super().__init__(expected if expected is not None else bytes(32))
        self.relay_id = expected

    def check(self, transport: asyncio.Transport) -> None:
        """Raise ServerFingerprintMismatch unless the expected relay is at the other end."""
        host, port, *_ = transport.get_extra_info("peername")
        try:
            found = relay_id_of(transport)
        except PeerFault as error:
            raise aiohttp.ServerFingerprintMismatch(self.relay_id or b"", b"", host, port) from error
        if self.relay_id is not None and found != self.relay_id:
            raise aiohttp.ServerFingerprintMismatch(self.relay_id, found, host, port)
        self.relay_id = found


def open_identity(path: Path) -> LinkIdentity:
    """Load the link key and certificate in `path`, making them first where there are none.

    The file is readable by its owner alone and appears whole or not at all. Raises Refusal for a damaged one.
    """
    if not path.exists():
        _write_private(path, _new_pem())
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        server = _context(ssl.PROTOCOL_TLS_SERVER, path)
        client = _context(ssl.PROTOCOL_TLS_CLIENT, path)
    except (ValueError, ssl.SSLError) as error:
        raise Refusal(
            f"the link key in {path} is damaged",
            hint="remove that file: a new one is made, and relays that were given this one's id need the new id",
        ) from error
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
