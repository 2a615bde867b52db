"""The words for CAP's words (severity with a plain gloss, urgency, certainty, category, response), and for trust's.

CAP's word stays where it is a word of everyday language; the gloss says what it asks of the reader, unless the sender
says otherwise.
"""

from __future__ import annotations

from typing import Final

from meshrelay.core.bulletin import Category, Certainty, Response, Severity, Urgency
from meshrelay.core.lint import Flaw
from meshrelay.core.scope import Beyond
from meshrelay.core.statements import Fault
from meshrelay.core.trust import Author, How, Standing
from meshrelay.words.catalogue import mark

SEVERITY: Final = {
    Severity.EXTREME: mark("Extreme"),
    Severity.SEVERE: mark("Severe"),
    Severity.MODERATE: mark("Moderate"),
    Severity.MINOR: mark("Minor"),
    Severity.UNKNOWN: mark("Severity not stated"),
}
SEVERITY_WITH_GLOSS: Final = {
    Severity.EXTREME: mark("Extreme: act now"),
    Severity.SEVERE: mark("Severe: act soon"),
    Severity.MODERATE: mark("Moderate: plan for it"),
    Severity.MINOR: mark("Minor: good to know"),
    Severity.UNKNOWN: mark("Severity not stated"),
}
GLOSS_FITS: Final = {
    Severity.EXTREME: frozenset({Urgency.UNKNOWN, Urgency.IMMEDIATE}),
    Severity.SEVERE: frozenset({Urgency.UNKNOWN, Urgency.EXPECTED}),
    Severity.MODERATE: frozenset({Urgency.UNKNOWN, Urgency.FUTURE}),
    Severity.MINOR: frozenset(Urgency),
    Severity.UNKNOWN: frozenset(Urgency),
}
"""With which urgencies the gloss of a severity says the same; with others the sender's word alone says when to act."""
URGENCY: Final = {
    Urgency.IMMEDIATE: mark("At once"),
    Urgency.EXPECTED: mark("Within the hour"),
    Urgency.FUTURE: mark("In the near future"),
    Urgency.PAST: mark("No longer needed"),
}
CERTAINTY: Final = {
    Certainty.OBSERVED: mark("Observed: it has happened or is happening"),
    Certainty.LIKELY: mark("Likely: more probable than not"),
    Certainty.POSSIBLE: mark("Possible: less probable than not"),
    Certainty.UNLIKELY: mark("Unlikely"),
}
CATEGORY: Final = {
    Category.GEO: mark("Earthquakes and landslides"),
    Category.MET: mark("Weather and floods"),
    Category.SAFETY: mark("Public safety"),
    Category.SECURITY: mark("Security"),
    Category.RESCUE: mark("Rescue"),
    Category.FIRE: mark("Fire"),
    Category.HEALTH: mark("Health"),
    Category.ENV: mark("Environment"),
    Category.TRANSPORT: mark("Transport"),
    Category.INFRA: mark("Infrastructure"),
    Category.CBRNE: mark("Dangerous substances"),
    Category.OTHER: mark("Other"),
}
RESPONSE: Final = {
    Response.SHELTER: mark("Take shelter"),
    Response.EVACUATE: mark("Leave the area"),
    Response.PREPARE: mark("Prepare"),
    Response.EXECUTE: mark("Do what was planned for this"),
    Response.AVOID: mark("Stay away"),
    Response.MONITOR: mark("Keep following the news"),
    Response.ASSESS: mark("Judge for yourself"),
    Response.ALL_CLEAR: mark("All clear: the danger is over"),
    Response.NONE: mark("Nothing to do"),
}
FLAWS: Final = {
    Flaw.LEAVES_LIVE: mark("Another bulletin about the same still holds, and this one does not name it: {items}."),
    Flaw.OTHER_CATEGORY: mark("Another bulletin about the same has another category: {items}."),
    Flaw.NO_HEADLINE: mark("It has no headline: {languages}."),
    Flaw.LONG_HEADLINE: mark("Its headline has more than 140 signs, and phones cut it off: {languages}."),
    Flaw.NO_INSTRUCTION: mark("It does not say what people should do: {languages}."),
    Flaw.NO_AREA: mark("It names no place."),
    Flaw.NOT_LOCATED: mark("Its place has words only: without an outline, a circle or a code no map can show it."),
    Flaw.NO_EXPIRY: mark("Nobody chose until when it holds."),
    Flaw.NO_SEVERITY: mark("It does not say how bad it is."),
    Flaw.NO_URGENCY: mark("It does not say when to act."),
    Flaw.NO_CERTAINTY: mark("It does not say how sure you are."),
    Flaw.OTHER_EVENT: mark("Another bulletin about the same calls it something else: {items}."),
    Flaw.OTHER_EVENT_CODE: mark("Another bulletin about the same has other event codes: {items}."),
    Flaw.NO_DESCRIPTION: mark("It does not say what has happened or will: {languages}."),
    Flaw.SAME_HEADLINE: mark("Its description only repeats the headline: {languages}."),
    Flaw.SAME_INSTRUCTION: mark("What has happened and what to do are the same words: {languages}."),
    Flaw.SAME_TEXT: mark("The same words stand in several languages: {languages}."),
    Flaw.MARKUP: mark("Its text has HTML in it, which people will see as it is: {languages}."),
    Flaw.ONLY_CODES: mark("Only codes say where it is: an outline or a circle would show it to everybody."),
    Flaw.NO_RADIUS: mark("A circle has no radius: give one that takes in everybody who should know."),
    Flaw.CROSSING: mark("An outline crosses itself, so that nobody can tell what is inside."),
    Flaw.EMPTY_CODE: mark("A code of the place is empty."),
    Flaw.HEIGHT: mark("A ceiling needs an altitude below it."),
    Flaw.ENDS_FIRST: mark("It ends before it begins."),
    Flaw.UTC_TIMES: mark("All its times are in UTC, which may not be that of the place."),
    Flaw.REFERS_AHEAD: mark("It refers to an alert that was sent after it."),
    Flaw.NO_RESPONSE: mark("It does not say in one word what to do."),
    Flaw.NO_SENDER_NAME: mark("It does not say who speaks: {languages}."),
    Flaw.NO_CONTACT: mark("It does not say how to reach whoever speaks: {languages}."),
    Flaw.NO_WEB: mark("It does not say where more stands: {languages}."),
    Flaw.BAD_WEB: mark("Where more stands is no full address: {languages}."),
    Flaw.BAD_FILE: mark("A file that it names has no full address, or no media type."),
    Flaw.IS_TEST: mark("It is marked as a test: most programs show it to nobody."),
    Flaw.LACKS_LANGUAGE: mark("It is not written in every language of this place: {languages}."),
}
STANDING: Final = {
    Standing.NOT_YET: mark("Not valid yet."),
    Standing.ANNOUNCED: mark("Not valid yet."),
    Standing.SUPERSEDED: mark("Superseded."),
    Standing.CANCELLED: mark("Cancelled."),
    Standing.EXPIRED: mark("Ended."),
    Standing.PERHAPS_EXPIRED: mark("Perhaps ended."),
}
KNOWN_BY: Final = {
    How.DIGITS: mark("Believed because people of this relay compared the digits of their key with them on {date}."),
    How.KEY: mark("Believed because people of this relay were given their key and took it on as known on {date}."),
}
ORGANISATION_KNOWN_BY: Final = {
    How.DIGITS: mark(
        "Believed because people of this relay compared the digits of this organisation with it on {date}."
    ),
    How.KEY: mark("Believed because people of this relay took this organisation on as known on {date}."),
}
NOT_KNOWN: Final = {
    Author.BLOCKED: mark("Blocked sender"),
    Author.REVOKED: mark("Key withdrawn"),
    Author.FORKED: mark("Sender contradicts itself"),
    Author.DISPUTED_ORGANISATION: mark("Organisation in dispute"),
    Author.OUTSIDE_REMIT: mark("Outside its remit"),
    Author.DELEGATION_ENDED: mark("Key no longer lent"),
    Author.UNKNOWN: mark("Unknown sender"),
}
BEYOND: Final = {
    Beyond.TIME: mark("{name} lent this key its name, but not for the time when this was signed."),
    Beyond.KIND: mark("{name} lent this key its name, but not for bulletins."),
    Beyond.SEVERITY: mark("{name} lent this key its name, but not for anything as severe as this."),
    Beyond.CATEGORY: mark("{name} lent this key its name, but not for this subject."),
    Beyond.PLACE: mark("{name} lent this key its name, but not for this place."),
    Beyond.DAILY: mark("{name} lent this key its name, but not for so many bulletins in one day."),
}
DISPUTED_BY: Final = {
    Fault.FALSE: mark("Disputed by {name}: they say that it is false ({when})."),
    Fault.OUTDATED: mark("Disputed by {name}: they say that it is out of date ({when})."),
    Fault.MOVED: mark("Disputed by {name}: they say that it is somewhere else now ({when})."),
    Fault.STAGED: mark("Disputed by {name}: they say that it was staged ({when})."),
}
