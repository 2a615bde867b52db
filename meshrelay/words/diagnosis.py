"""What the doctor found, in words: a sentence for every finding and, where something can be done, what to do.

Not here: what is looked at and what follows from it (doctor.py, whose codes these tables are keyed by).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from meshrelay.words.catalogue import catalogue, mark
from meshrelay.words.said import Part, Said, Sort, fill
from meshrelay.words.verdicts import Words

CHECKS: Final = {
    "relay": mark("Relay"),
    "disk": mark("Disk"),
    "port": mark("Ports"),
    "clock": mark("Clock"),
    "network": mark("Network"),
    "vpn": mark("VPN"),
    "mdns": mark("Calling out (multicast DNS)"),
    "given": mark("Addresses given by you"),
    "book": mark("Relays met before"),
    "told": mark("Relays named by others"),
    "isolation": mark("Wi-Fi"),
    "sweep": mark("Sweep"),
    "visits": mark("Firewall"),
    "relays": mark("In all"),
}

FOUND: Final = {
    "running": mark("a relay runs here."),
    "not-running": mark("no relay runs here now."),
    "relay-silent": mark("a relay runs here and does not answer: {why}."),
    "network": mark("on {interfaces}, at {addresses}."),
    "no-network": mark("this computer is on no network."),
    "link-only": mark("on {interfaces}, where nobody has given this computer an address."),
    "vpn": mark("one is on: {interfaces}."),
    "vpn-takes-all": mark("{interfaces} takes even what is meant for this network."),
    "port-taken": mark("port {port}, which is set for {listener}, is taken by another program."),
    "disk": mark("room: {megabytes} MB."),
    "disk-low": mark("only {megabytes} MB of room."),
    "disk-full": mark("full. Reading goes on, nothing new can be taken in."),
    "disk-shut": mark("nothing can be written into {path}."),
    "store-unusable": mark("the store cannot be used: {why}."),
    "notes-lost": mark("this relay’s own notes were damaged; what could be read is kept. What they were: {path}."),
    "clock": mark("nothing speaks against it. Relays in reach that show the same time: {relays}."),
    "clock-behind": mark("behind: senders known here have reached a later time."),
    "clock-doubtful": mark("perhaps far ahead of the truth: nothing that is known here is so late."),
    "clock-differs": ("differs by {minutes} min from that of {count} of {relays} relays in reach. Likely it is wrong."),
    "clocks-differ": mark("{count} of {relays} relays in reach show another time than this computer."),
    "mdns-off": mark("not tried, for looking for relays is switched off."),
    "mdns-shut": mark("this computer does not even hear its own call. Likely a firewall on it stops multicast."),
    "mdns-found": mark("works. Relays that answered: {count}."),
    "mdns-nobody": mark("works. No relay answered; other devices heard: {count}."),
    "mdns-dropped": mark(
        "relays are on this network and were reached, but none was heard. Likely the network, or a firewall on those "
        "computers, drops multicast."
    ),
    "mdns-silent": mark(
        "the call went out and nobody answered, no other device either. Either nobody else is here, or the network "
        "drops multicast."
    ),
    "reached": mark("reached {count} of {all}."),
    "none-known": mark("none."),
    "refused": mark("{place}: a computer is there, and no relay listens at that port."),
    "firewall": mark("{place}: a computer is there and lets the call vanish. Likely a firewall on it."),
    "no-answer": mark("{place}: no answer."),
    "nobody": mark("{place}: nobody has that address now, or nothing reaches it."),
    "other-subnet": mark("{place}: on another network than this computer, and no answer comes from there."),
    "not-a-relay": mark("{place}: something answers there, and it is not a relay."),
    "wrong-relay": mark("{place}: another relay answers there than the one that was met or named."),
    "no-such-name": mark("{place}: nobody here knows that name."),
    "isolated": mark(
        "only the router can be reached, no other device. Likely the Wi-Fi keeps its devices apart (“client "
        "isolation”, “guest network”)."
    ),
    "told": mark("reached {count} of {all}."),
    "sweep-offered": mark("not made."),
    "sweep-found": mark("relays at {places}."),
    "sweep-nobody": mark("no relay. Devices that answered: {count}."),
    "nobody-comes": mark(
        "this relay reaches others and none has come here. Perhaps a firewall on this computer keeps them out."
    ),
    "in-touch": mark("other relays in reach: {count}."),
    "alone": mark("no other relay is in reach."),
}

TO_DO: Final = {
    "not-running": mark("Start it with: {command}"),
    "relay-silent": mark("Wait a minute; if it stays silent, stop that process and start the relay anew."),
    "no-network": mark(
        "Join a Wi-Fi, plug in a cable, or open a hotspot on a phone or laptop: it needs no internet. The relay goes "
        "on by itself from there."
    ),
    "link-only": mark(
        "Other relays can still be found. Phones will not reach the pages: let the router give out addresses (DHCP)."
    ),
    "vpn": mark("If other relays are not found, switch it off for a try."),
    "vpn-takes-all": mark("Switch the VPN off, or let it leave the local network alone."),
    "port-taken": mark("Stop that program, or choose another port with: {command}"),
    "disk-low": mark("Make room on the disk."),
    "disk-full": mark("Make room on the disk. The relay goes on by itself."),
    "disk-shut": mark("See that the folder is yours, and that the disk is not worn out or write-protected."),
    "store-unusable": mark("Start the relay: it makes a damaged store anew and gets what is missing from others."),
    "notes-lost": mark("See whom it knows and blocks: {command}; then remove that file. Or restore a backup."),
    "clock-behind": mark("Set the clock of this computer."),
    "clock-doubtful": mark("Compare it with a phone. If it is right, say so with: {command}"),
    "clock-differs": mark("Compare it with a phone, and set it."),
    "clocks-differ": mark("If a phone agrees with this computer, theirs are wrong."),
    "mdns-off": mark("Switch it on with: {command}"),
    "mdns-shut": mark("Let UDP port 5353 in and out, for 224.0.0.251 and ff02::fb."),
    "mdns-nobody": mark("Start a relay on another computer of this network."),
    "mdns-dropped": mark(
        "One known address is enough: {command} on either side. On those computers let UDP port 5353 through."
    ),
    "mdns-silent": mark("If there is another relay, give its address with: {command}"),
    "refused": mark("See that the relay runs there, and at which port."),
    "firewall": mark("Let TCP port {port} in on that computer."),
    "no-answer": mark("See that the relay runs there, and that TCP port {port} is let in."),
    "nobody": mark("See that it is switched on and joined to this network, and which address it has today."),
    "other-subnet": mark("Bring both computers into one network, or carry bulletins by file: {command}"),
    "not-a-relay": mark("See which program has that port there."),
    "wrong-relay": mark("If it was set up anew, strike the old entry with {command} and add it again."),
    "no-such-name": mark("Give the address in numbers."),
    "isolated": mark(
        "Switch that off in the router, use the main network instead of the guest one, or open a hotspot on a laptop "
        "or phone."
    ),
    "sweep-offered": mark(
        "{command} knocks at every address of this network. To whoever watches it that looks like an attack."
    ),
    "sweep-found": mark("Keep one with: {command}"),
    "nobody-comes": mark("Let TCP port {port} in on this computer."),
    "alone": mark("Bulletins can still be carried by file: {command}"),
}

COMMANDS: Final = {
    "not-running": "meshrelay run",
    "port-taken": "meshrelay config set {listener} *:PORT",
    "clock-doubtful": "meshrelay setup",
    "notes-lost": "meshrelay trust list",
    "mdns-off": "meshrelay config set discovery true",
    "mdns-dropped": "meshrelay peers add URL",
    "mdns-silent": "meshrelay peers add URL",
    "other-subnet": "meshrelay export FILE.carry",
    "wrong-relay": "meshrelay peers remove URL",
    "sweep-offered": "meshrelay doctor --sweep",
    "sweep-found": "meshrelay peers add URL",
    "alone": "meshrelay export FILE.carry",
}


def check_name(words: Words, check: str) -> str:
    """Return the name of a check."""
    return catalogue(words.language).gettext(CHECKS[check])


def found(words: Words, code: str, values: Mapping[str, str | int]) -> Said:
    """Return what was found, a sentence that follows the name of its check and a colon."""
    return fill(catalogue(words.language).gettext(FOUND[code]), **_fillings(words, values))


def to_do(words: Words, code: str, values: Mapping[str, str | int]) -> Said | None:
    """Return what to do about it, or None where there is nothing to do."""
    if code not in TO_DO:
        return None
    command = COMMANDS.get(code, "").replace("{listener}", str(values.get("listener", "")))
    message = catalogue(words.language).gettext(TO_DO[code])
    return fill(message, **_fillings(words, values), command=Part(command, Sort.CODE))


def _fillings(words: Words, values: Mapping[str, str | int]) -> dict[str, Part | str]:
    # A port is written as it is typed, whatever digits a language has.
    return {
        name: words.number(value) if isinstance(value, int) and name != "port" else Part(str(value), Sort.CODE)
        for name, value in values.items()
    }
