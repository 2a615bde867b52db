"""A relay as it may stand in a community centre, for pictures and stories; places and people are made up.

What is in it: one bulletin of each sort that pages tell apart, the most important in eight languages.
"""

from __future__ import annotations

from meshrelay.core.admission import sign
from meshrelay.core.bulletin import (
    Area,
    Category,
    Certainty,
    Circle,
    MsgType,
    Origin,
    OriginKind,
    Point,
    Response,
    Severity,
    Status,
    Text,
    Urgency,
)
from meshrelay.core.envelope import SignedItem
from meshrelay.core.statements import Attestation, Fault, Revocation, Says, Scope
from meshrelay.core.trust import Anchor, How
from tests.organising import DAY, Org, key
from tests.web.sample import HOUR, NOW, Author, Place

STATION = Area(
    (
        ("en", "Station Square and the streets up to Mill Street, Bozkanat"),
        ("kk", "Бозқанат, Вокзал алаңы және Диірмен көшесіне дейінгі көшелер"),
        ("ru", "Вокзальная площадь и улицы до Мельничной, Бозканат"),
        ("fa", "میدان ایستگاه و خیابان‌های اطراف تا خیابان آسیاب، بوزقنات"),
        ("ar", "ساحة المحطة والشوارع حتى شارع الطاحونة، بوزقنات"),
        ("my", "ဘူတာရင်ပြင်မှ စက်လမ်းအထိ၊ ဘိုဇ်ကနတ်"),
        ("fr", "Place de la gare et rues jusqu’à la rue du Moulin, Bozkanat"),
        ("es", "Plaza de la Estación y calles hasta la calle del Molino, Bozkanat"),
    ),
    polygons=(
        (
            Point(47_104_200, 69_212_000),
            Point(47_104_700, 69_220_100),
            Point(47_100_900, 69_221_000),
            Point(47_100_300, 69_212_700),
            Point(47_104_200, 69_212_000),
        ),
    ),
)
NORTH_BANK = Area(
    (
        ("en", "North Bank, from the mill to the ring road"),
        ("kk", "Солтүстік жаға, диірменнен айналма жолға дейін"),
        ("ru", "Северный берег, от мельницы до кольцевой"),
        ("fa", "کرانهٔ شمالی، از آسیاب تا کمربندی"),
    ),
    circles=(Circle(Point(47_112_000, 69_215_000), 1_400),),
)
PROVINCE = Area(
    (("en", "The Lailak valley and the hills around it"), ("ru", "Долина Лайлака и окрестные холмы")),
    circles=(Circle(Point(47_300_000, 69_600_000), 180_000),),
)

SHOTS = (
    Text(
        "en",
        "Armed violence",
        "Shots heard near Station Square: stay indoors",
        "Several bursts of gunfire were heard near Station Square between 12:40 and 13:20. We do not know who fired. "
        "Two wounded people have reached the clinic. Buses do not stop at the station.",
        "Stay inside, away from windows. Do not go to the square to find out what is happening: when we know more, it "
        "will be here.\nIf someone is hurt, call out to neighbours. The clinic takes people in by the yard gate, "
        "day and night.",
        sender_name="Lailak Valley Rescue",
    ),
    Text(
        "kk",
        "Қарулы зорлық",
        "Вокзал алаңы маңында атыс естілді: үйден шықпаңыз",
        "",
        "Үйде, терезеден алыс болыңыз. Не болып жатқанын білу үшін алаңға бармаңыз.",
    ),
    Text(
        "ru",
        "Вооружённое насилие",
        "Стрельба у Вокзальной площади: не выходите из дома",
        "",
        "Оставайтесь дома, подальше от окон. Не ходите на площадь, чтобы узнать, что происходит.",
    ),
    Text(
        "fa",
        "خشونت مسلحانه",
        "صدای تیراندازی نزدیک میدان ایستگاه: در خانه بمانید",
        "",
        "داخل خانه و دور از پنجره بمانید. برای این‌که ببینید چه خبر است به میدان نروید.",
    ),
    Text(
        "ar",
        "عنف مسلح",
        "إطلاق نار قرب ساحة المحطة: ابقوا في بيوتكم",
        "",
        "ابقوا في الداخل بعيدًا عن النوافذ. لا تذهبوا إلى الساحة لمعرفة ما يحدث.",
    ),
    Text(
        "my",
        "လက်နက်ကိုင် အကြမ်းဖက်မှု",
        "ဘူတာရင်ပြင်အနီး သေနတ်သံကြား - အိမ်ထဲတွင် နေပါ",
        "",
        "အိမ်ထဲတွင် ပြတင်းပေါက်နှင့် ဝေးဝေးနေပါ။ ဘာဖြစ်နေသည်ကို ကြည့်ရန် ရင်ပြင်သို့ မသွားပါနှင့်။",
    ),
    Text(
        "fr",
        "Violence armée",
        "Coups de feu près de la place de la gare : restez chez vous",
        "",
        "Restez à l’intérieur, loin des fenêtres. N’allez pas sur la place pour voir ce qui se passe.",
    ),
    Text(
        "es",
        "Violencia armada",
        "Disparos cerca de la plaza de la Estación: quédese en casa",
        "",
        "Quédese dentro, lejos de las ventanas. No vaya a la plaza a ver qué pasa.",
    ),
)
WATER = (
    Text(
        "en",
        "Drinking water",
        "Boil tap water on the North Bank",
        "The pump at the mill stood still for nine hours. The pressure is back, but the water has not been tested yet.",
        "Boil for one minute before drinking, cooking or brushing teeth. Washing is safe.",
    ),
    Text(
        "kk",
        "Ауыз су",
        "Солтүстік жағада құбыр суын қайнатып ішіңіз",
        "",
        "Ішер, тамақ пісірер, тіс тазалар алдында суды бір минут қайнатыңыз. Жуынуға болады.",
    ),
    Text(
        "ru",
        "Питьевая вода",
        "Северный берег: кипятите воду из крана",
        "",
        "Кипятите одну минуту перед питьём, готовкой и чисткой зубов. Мыться можно.",
    ),
    Text(
        "fa",
        "آب آشامیدنی",
        "در کرانهٔ شمالی آب لوله‌کشی را بجوشانید",
        "",
        "پیش از نوشیدن، پخت‌وپز و مسواک، آب را یک دقیقه بجوشانید. شست‌وشو بی‌خطر است.",
    ),
)


def set_up(place: Place) -> dict[str, SignedItem]:
    """Fill a relay; return its bulletins by short names."""
    rescue, works, legal, school, stranger, clinic = (Author(number) for number in range(31, 37))
    place.anchor(rescue, "Lailak Valley Rescue")
    waterworks = Org("waterworks", sent=NOW - 30 * DAY)
    lent = waterworks.delegates(works.key.public, start=NOW - 10 * DAY, end=NOW + 16 * DAY, title="shift B")
    place.relay.local.add_anchor(Anchor(waterworks.id, "Bozkanat Waterworks", NOW - 17 * DAY, How.DIGITS))
    place.put(*waterworks.roots, lent)
    place.anchor(legal, "Bozkanat Legal Aid Desk")
    place.anchor(school, "Old Mill School", How.KEY)
    place.anchor(clinic, "North Bank Clinic")
    first = rescue.sign(
        Text("en", "Armed violence", "Shots heard at the station"),
        severity=Severity.EXTREME,
        categories=(Category.SECURITY,),
        sent=NOW - 76 * 60,
    )
    found = {
        "first": first,
        "shots": rescue.sign(
            *SHOTS,
            severity=Severity.EXTREME,
            categories=(Category.SECURITY,),
            urgency=Urgency.IMMEDIATE,
            certainty=Certainty.OBSERVED,
            responses=(Response.SHELTER,),
            areas=(STATION,),
            msg_type=MsgType.UPDATE,
            references=(first.id,),
            sent=NOW - 41 * 60,
            life=NOW // HOUR * HOUR + 6 * HOUR - NOW + 41 * 60,
        ),
        "water": works.sign(
            *WATER,
            severity=Severity.SEVERE,
            categories=(Category.HEALTH,),
            urgency=Urgency.EXPECTED,
            certainty=Certainty.LIKELY,
            areas=(NORTH_BANK,),
            org=waterworks.id,
            sent=NOW - 4 * HOUR,
            life=26 * HOUR,
        ),
        "curfew": legal.sign(
            Text(
                "en",
                "Curfew",
                "Curfew tonight 23:00 to 05:00: what the order says",
                "The order was read out on the square at noon. Doctors and bakers may pass with a paper.",
            ),
            Text("ru", "Комендантский час", "Комендантский час с 23:00 до 05:00: что в приказе"),
            Text(
                "kk", "Коменданттық сағат", "Бүгін түнде 23:00-ден 05:00-ге дейін коменданттық сағат: бұйрықта не бар"
            ),
            severity=Severity.MODERATE,
            categories=(Category.SECURITY,),
            areas=(Area((("en", "All of Bozkanat"),)),),
            sent=NOW - 2 * HOUR,
            life=17 * HOUR,
        ),
        "bread": school.sign(
            Text("ru", "Помощь", "Хлеб и зарядка телефонов в школе у старой мельницы"),
            severity=Severity.MINOR,
            categories=(Category.OTHER,),
            sent=NOW - 3 * HOUR,
        ),
        "snow": works.sign(
            Text("en", "Cold", "Hard frost from tonight: down to −28 °C in the hills"),
            Text("ru", "Мороз", "Сильный мороз с ночи: до −28 °C в холмах"),
            severity=Severity.MODERATE,
            categories=(Category.MET,),
            areas=(PROVINCE,),
            sent=NOW - 5 * HOUR,
            origin=Origin(OriginKind.REPORT),
            org=waterworks.id,
        ),
        "trucks": works.sign(Text("en", "Water", "Water trucks on Clay Hill"), sent=NOW - 30 * HOUR, org=waterworks.id),
        "bridge": rescue.sign(Text("en", "Road", "Mill Street bridge closed"), severity=Severity.MODERATE),
        "rumour": stranger.sign(
            Text("en", "Banks", "Bank machines work tomorrow from 9", "Everybody says so.", sender_name="City News 24"),
            severity=Severity.EXTREME,
        ),
        "uyghur": stranger.sign(Text("ug", "سۇ", "سۇ كەلدى"), severity=Severity.MINOR, categories=(Category.INFRA,)),
        "drill": school.sign(
            Text(
                "en",
                "Flood",
                "Drill: the Lailak is rising, move to Clay Hill",
                "",
                "Only if you take part: walk to the school on Clay Hill and sign the list at the door.",
            ),
            severity=Severity.SEVERE,
            categories=(Category.MET,),
            status=Status.EXERCISE,
            areas=(Area((("en", "Low streets of the North Bank"),)),),
            sent=NOW - HOUR,
            life=3 * HOUR,
        ),
    }
    found["cancel"] = rescue.sign(
        Text("en", "Road", "Mill Street bridge closed"),
        msg_type=MsgType.CANCEL,
        references=(found["bridge"].id,),
        note="open on foot",
        sent=NOW - 1200,
    )
    place.put(*found.values(), received=NOW - 12 * 60)
    for author, says, fault, note in (
        (legal, Says.CONFIRM, None, "two of us came from there"),
        (school, Says.CONFIRM, None, ""),
        (clinic, Says.DISPUTE, Fault.MOVED, "quiet at the Mill Street end since 13:50"),
        *[(Author(number), Says.CONFIRM, None, "") for number in range(90, 99)],
    ):
        author.seq += 1
        stream = bytes([author.number]) * 8
        body = Attestation(NOW - 20 * 60, stream, author.seq, found["shots"].id, says, fault, note)
        place.put(sign(body, author.key))
    place.relay.refresh()
    place.relay.store.index_backlog(len(found))
    return found


def set_up_doubts(place: Place) -> dict[str, SignedItem]:
    """Fill a relay with bulletins whose sender or time is in doubt, each in another way; return them by short names."""
    twice, stolen, lent, ended, divided, early, honest = (Author(number) for number in range(41, 48))
    place.anchor(twice, "North Bank Clinic")
    place.anchor(stolen, "Old Mill School")
    place.anchor(early, "Lailak Valley Rescue")
    place.anchor(honest, "Bozkanat Legal Aid Desk")
    waterworks, council = Org("waterworks", sent=NOW - 30 * DAY), Org("council", sent=NOW - 30 * DAY)
    for org, name in ((waterworks, "Bozkanat Waterworks"), (council, "Street council")):
        place.relay.local.add_anchor(Anchor(org.id, name, NOW - 17 * DAY, How.DIGITS))
        place.put(*org.roots)
    pipes = Scope(categories=(Category.INFRA,))
    place.put(
        waterworks.delegates(lent.key.public, start=NOW - 10 * DAY, end=NOW + 16 * DAY, scope=pipes, title="shift B"),
        waterworks.delegates(ended.key.public, start=NOW - 10 * DAY, end=NOW - 2 * HOUR, title="shift A"),
        council.delegates(divided.key.public, start=NOW - 10 * DAY, end=NOW + 16 * DAY),
        *(
            council.successor([*council.keys[:2], key(f"another council {number}")], sent=NOW - DAY)
            for number in range(2)
        ),
    )
    other = Author(twice.number)
    found = {
        "forked": twice.sign(Text("en", "Aid", "The field hospital is at the school"), severity=Severity.SEVERE),
        "twin": other.sign(Text("en", "Aid", "The field hospital is at the stadium"), severity=Severity.SEVERE),
        "revoked": stolen.sign(Text("en", "Aid", "Bread at the school from 7"), severity=Severity.MINOR),
        "outside": lent.sign(
            Text("en", "Curfew", "Curfew is lifted on the North Bank"),
            severity=Severity.SEVERE,
            categories=(Category.SECURITY,),
            org=waterworks.id,
        ),
        "ended": ended.sign(
            Text("en", "Water", "Water is safe again"),
            severity=Severity.MODERATE,
            categories=(Category.INFRA,),
            org=waterworks.id,
            sent=NOW - HOUR,
        ),
        "divided": divided.sign(Text("en", "Meeting", "Meeting of all streets at noon"), org=council.id),
        "announced": early.sign(
            Text("en", "Road", "The bridge opens for cars"), effective=NOW + 3 * HOUR, categories=(Category.TRANSPORT,)
        ),
        "over": early.sign(Text("en", "Road", "Mill Street is one way"), sent=NOW - 9 * HOUR, life=8 * HOUR),
        "disputed": honest.sign(Text("en", "Order", "Papers are checked at the ring road"), severity=Severity.MODERATE),
    }
    place.put(*found.values(), sign(Revocation(NOW - 900, stolen.key.public), stolen.key), received=NOW - 12 * 60)
    for author, fault, note in (
        (early, Fault.FALSE, "we drove there at 14:00 and saw nobody"),
        (twice, Fault.MOVED, ""),
    ):
        body = Attestation(NOW - 600, bytes([author.number]) * 8, 50, found["disputed"].id, Says.DISPUTE, fault, note)
        place.put(sign(body, author.key))
    place.relay.refresh()
    place.relay.store.index_backlog(len(found))
    return found
