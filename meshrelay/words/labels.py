"""What stands on pages beside the sentences: headings, links, names of facts, by a short key each.

A template asks for a label by its key and never holds words of its own.
"""

from __future__ import annotations

from typing import Final

from meshrelay.words.catalogue import mark

LABELS: Final = {
    # Every page
    "skip": mark("Skip to the bulletins"),
    "language": mark("Language"),
    "without-internet": mark("bulletins without internet"),
    "all": mark("All bulletins"),
    "about": mark("About this relay"),
    "promise": mark("No app and no account. This relay keeps no record of who reads."),
    "find-label": mark("Find in all bulletins"),
    "find": mark("Find"),
    "bigger": mark("Larger letters"),
    "smaller": mark("Normal letters"),
    # What to see
    "sift": mark("Choose what to see"),
    "sift-language": mark("Written in"),
    "sift-since": mark("Came here"),
    "sift-show": mark("Show these"),
    "sifted": mark("Only some of the bulletins are shown."),
    "everything": mark("Everything"),
    "since-any": mark("At any time"),
    "since-1h": mark("Within an hour"),
    "since-6h": mark("Within 6 hours"),
    "since-1d": mark("Within a day"),
    "since-3d": mark("Within 3 days"),
    "since-note": mark("Keep this address: opened later, it shows what has come or changed."),
    "nothing-new": mark("Nothing has come or changed since then."),
    "nothing-fits": mark("Nothing here fits what you chose."),
    # Lanes
    "known": mark("From senders this relay knows"),
    "known-note": mark("Their keys are known here. Each card says how."),
    "known-empty": mark("Nothing from them is in force now."),
    "unknown": mark("From senders this relay does not know"),
    "unknown-note": mark("Anyone can write here. Do not act on these alone."),
    "nobody-known": mark(
        "This relay knows no sender yet. A sender becomes known when the people who run this relay "
        "have compared keys with them."
    ),
    "drill": mark("Drill, not real"),
    "drill-note": mark("Written to practise. Nobody needs to act, unless you were asked to take part."),
    "more": mark("Show more"),
    "written-in": mark("Only bulletins written in"),
    "every-language": mark("In every language"),
    # One bulletin
    "do": mark("What to do"),
    "do-drill": mark("What to do in the drill"),
    "where": mark("Where"),
    "valid": mark("Valid"),
    "issued": mark("Issued"),
    "received": mark("Received"),
    "urgency": mark("When to act"),
    "certainty": mark("How certain"),
    "response": mark("In short"),
    "category": mark("About"),
    "event": mark("Kind"),
    "audience": mark("For whom"),
    "sender-name": mark("Signed as"),
    "contact": mark("Contact"),
    "web": mark("Web address"),
    "source": mark("Source"),
    "note": mark("Note"),
    "attached": mark("Named, not attached"),
    "height": mark("Height"),
    "numbers-of-place": mark("Place codes"),
    "also-written-in": mark("Also written in"),
    "behind": mark("Who is behind it"),
    "not-right": mark("A signature shows who stands behind the words. It cannot show that they are right."),
    "others": mark("What others say"),
    "changed": mark("How it changed"),
    "this-text": mark("This text."),
    "take": mark("Take it with you"),
    "original": mark("Signed original"),
    "original-note": mark("The signed original can be checked again on any other relay."),
    "map": mark("Map of the area. North is up."),
    "map-beside": mark("Map of the area, and whereabouts it lies. North is up."),
    "map-source": mark("Coasts and borders: Natural Earth, simplified."),
    "hidden": mark("Hidden by this relay"),
    "cancels": mark("This withdraws an earlier bulletin."),
    "no-text": mark("(no text)"),
    # States
    "nothing": mark("Nothing here yet"),
    "nothing-note": mark("No bulletin has reached this relay. That does not mean that nothing has happened."),
    "tried": mark("What this relay has tried"),
    "can-do": mark("What you can do"),
    "come-back": mark("Come back later: this relay goes on looking for others by itself."),
    "all-over": mark("Nothing is in force now"),
    "all-over-note": mark(
        "Every bulletin here has ended or was withdrawn. That does not mean that nothing is happening: "
        "news may not have reached this relay."
    ),
    "alone": mark("This relay has met no other relay for days. What you read here may be old."),
    "doubtful": mark("The clock of this relay may be wrong. Compare it with yours before you trust a time."),
    "clock-behind": mark(
        "The clock of this relay is behind. It goes by the time that the senders it knows have reached."
    ),
    "full": mark("This relay has no more room. You can read everything; new bulletins wait until there is room."),
    "no-network": mark("This computer is on no network now: nobody else can read these pages."),
    "store-empty": mark("Its own store: empty."),
    "called-none": mark("Called out on this network: no relay answered."),
    "asked-book": mark("Called the relays that it met before: none answered."),
    "asked-others": mark("Asked other relays whom they know: nobody else answered."),
    "swept": mark("Tried every address of this network: no relay answered."),
    "called-off": mark("Looking for relays on this network is switched off."),
    "tried-peer": mark("no answer"),
    "met-peer": mark("in touch"),
    # Copies to carry
    "carry": mark("Take a copy with you"),
    "carry-why": mark(
        "Bulletins travel in pockets too: take a file here and give it to another relay, where no network reaches. "
        "Every bulletin in it is signed, so nobody can alter it on the way unnoticed."
    ),
    "carry-take": mark("Take a copy"),
    "carry-urgent": mark("The most urgent"),
    "carry-all": mark("As much as fits"),
    "carry-trace": mark(
        "The file stays on your phone until you delete it. Whoever looks through the phone can find it."
    ),
    "carry-give": mark("Give a copy"),
    "carry-note": mark("Choose a file from another relay. Every bulletin in it is checked before it is taken in."),
    "carry-bring": mark("Do you have a file from another relay?"),
    "carry-file": mark("The file"),
    "carry-send": mark("Give it to this relay"),
    "carry-nothing": mark("There is nothing here yet that you could take."),
    "carry-taken": mark("Thank you, it was looked through"),
    "carry-refused": mark("What is damaged, too old or not signed is never taken in."),
    "carry-empty": mark("There was nothing in it that is signed. Choose a file that another relay gave you."),
    "carry-large": mark("It is too large for this page. The people of this relay can take it in from a memory stick."),
    "carry-unsigned": mark("It is an alert without a signature. Only the people of this relay can take it in."),
    "carry-old": mark("This page was open for too long. Choose the file again."),
    # The wall display and the poster
    "screen": mark("Wall display"),
    "screen-urgent": mark("Urgent, from senders this relay knows"),
    "code-address": mark("Code for this address"),
    "code-wifi": mark("Code for this Wi-Fi"),
    "poster": mark("Poster"),
    "poster-title": mark("News without internet"),
    "poster-free": mark("Free to read on any phone. No app, no account. Nobody records who reads."),
    "poster-join": mark("Join this Wi-Fi. Stay on it, even if the phone says that there is no internet."),
    "poster-open": mark("There is no password."),
    "poster-password": mark("Password"),
    "poster-address": mark("Open this address in the browser."),
    "poster-digits": mark("Does the page “About this relay” show these digits? If not, it is another relay."),
    "poster-signs": mark("The phone says that there is no internet: stay connected. Switch mobile data off."),
    "poster-print": mark("Print this page on A4. It holds as long as the address in it is right."),
    # Search
    "results": mark("Found"),
    "no-results": mark("Nothing found. Try fewer or other words, or one word in another language."),
    # About
    "about-what": mark(
        "This computer passes on signed emergency bulletins when there is no internet. It takes them from other relays "
        "nearby and shows them to everyone on this network."
    ),
    "about-known": mark(
        "A known sender is one whose key the people who run this relay took on as known. No company and no office "
        "decides who is known: the people who run each relay do."
    ),
    "about-unknown": mark(
        "Anyone can write. What unknown senders write is shown apart, because one person can make many keys."
    ),
    "about-readers": mark(
        "Your address, and what you read or look for, is written down nowhere. Others on this network could still "
        "watch that you are reading."
    ),
    "about-trust": mark("How to read the signs"),
    "line-known": mark("A solid line: this relay knows the sender. Each bulletin says how the sender became known."),
    "line-unknown": mark(
        "A dashed line: this relay does not know the sender. It may be right or wrong: ask somebody you know first."
    ),
    "line-drill": mark("A double line: a drill. It is not real."),
    "about-shapes": mark("The thicker the line, the more severe. Shapes say the same as the words:"),
    "about-signed": mark(
        "Every bulletin is signed with a key that its sender alone has. If one letter is changed on the way, the "
        "signature breaks and no relay passes it on."
    ),
    "about-corrected": mark(
        "Senders alone can update or withdraw what they wrote. What no longer holds stays here, struck out, so that "
        "you can see what changed."
    ),
    "about-digits": mark("The digits of this relay’s key"),
    "about-compare": mark("Compare them with the poster on the wall. If they differ, this is another relay."),
    "about-more": mark("For the wall"),
    "senders": mark("Senders this relay knows"),
    "languages": mark("Languages of these pages"),
    "draft": mark("draft, nobody has checked this translation yet"),
    "fallback": mark(
        "A bulletin that is not written in your language is shown in the next of these that it has, and says so:"
    ),
    "for-programs": mark("For programs"),
    "version": mark("Software"),
    # Reports
    "report": mark("Write a report"),
    "report-seen": mark("Did you see something yourself?"),
    "report-first": mark("The people of this relay will read it first, and decide whether to pass it on."),
    "report-kept": mark("It is kept without your name and address. Others on this network could watch what you send."),
    "report-what": mark("What have you seen?"),
    "report-where": mark("Where?"),
    "report-when": mark("When?"),
    "report-contact": mark("How can they reach you?"),
    "report-may": mark("You may leave this empty."),
    "report-private": mark("It is not passed on."),
    "report-send": mark("Send the report"),
    "report-sent": mark("Your report was sent"),
    "report-next": mark(
        "The people of this relay will read it. Do not wait for an answer here: "
        "if somebody is in danger, fetch help too."
    ),
    "report-unsent": mark("Your report was not sent."),
    "report-bare": mark("Say what you have seen, and where."),
    "report-long": mark("It is too long: say it in fewer words."),
    "report-old": mark("This page was open for too long. Your words are still here: send them again."),
    "report-often": mark(
        "Many reports came just now. Wait an hour and send it again, or tell the people of this relay."
    ),
    "report-full": mark("The inbox is full until earlier reports are read. Tell the people of this relay yourself."),
    # Errors
    "missing": mark("Not found here"),
    "missing-note": mark(
        "This bulletin has not reached this relay, or it was removed because room ran out. Another relay may have it."
    ),
    "no-page": mark("There is no such page."),
    "wrong-address": mark("This relay is not reached under this name"),
    "right-address": mark("Open it by its address:"),
    "bad-request": mark("This relay did not understand the request."),
    "too-busy": mark("Too many readers at this moment. Try again in a minute."),
    "failed": mark("This relay could not do that just now. Try again in a minute."),
    # Live updates
    "changed-now": mark("This bulletin has changed, show"),
    "many-new": mark("Many new, show"),
    "offline": mark("Not connected; this is the copy of {time}."),
}
