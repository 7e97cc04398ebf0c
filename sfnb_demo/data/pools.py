# ruff: noqa: E501, SIM905 - lists of words, written as words
"""The words for the demo org's values: plain ones, and those that break careless programs."""

from __future__ import annotations

FIRST_NAMES = (
    "Ada Ben Carla David Elena Farid Grace Hiro Ines Jonas Keiko Liam Maya Noah Olga Pavel Quinn Rosa Sofía Tomás Ute "
    "Věra Wei Ximena Yusuf Zoë André Björk Çelik Đorđe Émilie François Gülşen Håkon İlker Jürgen Łukasz Mónica Ñusta "
    "Ørjan Siân 太郎 美咲 伟 지우 أحمد ليلى דוד Дмитрий Αλέξης"
).split()
LAST_NAMES = (
    "Adams Baker Castillo Dubois Eriksen Ferrari García Hughes Ivanov Jensen Kowalski López Müller Nowak O'Brien Patel "
    "Quispe Rossi Schmidt Takahashi Ueda Vogel Wójcik Xu Yılmaz Zhang D'Angelo Núñez Åkesson Brontë Čapek Dvořák Šimić "
    "Nguyễn Smith-Jones MacDonald 田中 鈴木 王 김 الحسن כהן Смирнов Παπαδόπουλος"
).split()
COMPANY_HEADS = (
    "Acme Beacon Cobalt Delta Evergreen Falcon Granite Harbor Ironwood Juniper Kestrel Lighthouse Meridian Northwind "
    "Orchard Pinnacle Quarry Redwood Summit Trident Umbra Vanguard Westfield Xenon Yellowstone Zephyr Großmann Señal "
    "Élan 東京 上海 서울 الخليج"
).split()
COMPANY_TAILS = (
    "Ltd|Inc.|GmbH|S.A.|& Sons|Partners, LLC|Logistics|Foods|Energy|Robotics|Health|株式会社|Media Group|"
    '"Original" Goods|Brothers\' Trading|Bank'
).split("|")
CITIES = (
    "Berlin|Paris|New York|São Paulo|東京|Mumbai|Zürich|Kraków|İstanbul|Reykjavík|Nairobi|Sydney|Toronto|Lima|서울|القاهرة"
).split("|")
STATES = "Berlin|Île-de-France|NY|SP|東京都|Maharashtra|ZH|Małopolskie|34|Höfuðborgarsvæðið|Nairobi|NSW|ON|Lima|서울|القاهرة".split(
    "|"
)
COUNTRIES = (
    "Germany|France|United States|Brazil|Japan|India|Switzerland|Poland|Türkiye|Iceland|Kenya|Australia|Canada|Peru|"
    "Korea, Republic of|Egypt"
).split("|")
STREETS = '1 Market St|12 rue de l\'Église|Hauptstraße 7\r\nHinterhaus|5-1 Marunouchi|Av. Paulista, 1000|Flat "B", 4 High St\nLevel 2'.split(
    "|"
)
TITLES = 'CEO|CFO|VP Sales|Buyer|Engineer|Head of "Special" Projects|Assistant, Purchasing|部長|Geschäftsführerin'.split(
    "|"
)
PRODUCTS = 'Pump|Valve|Sensor|Gateway|Licence|Support, Gold|Cable 3/4"|Turbine|ポンプ|Filter'.split(
    "|"
)
SUBJECTS = 'Call|Send quote|Follow up: price, terms|Demo|Invoice is wrong|"Urgent"|打ち合わせ|Re: Re: order|Broken on arrival'.split(
    "|"
)

NASTY = (
    "NA",
    "N/A",
    "null",
    "NULL",
    "None",
    "NaN",
    "#N/A",
    "true",
    "00123",
    "+49 30 0000",
    "=1+1",
    "@SUM(A1:A9)",
    "-2+3",
    "1e5",
    "0x1F",
    "2026-11-09",
    "<script>alert(1)</script>",
    "' OR '1'='1",
    "a,b;c\td|e^f`g",
    'say "hello"',
    '""',
    '"',
    '"\n"',
    'ends with quote"',
    "line one\r\nline two",
    "line one\nline two\n",
    "\rcarriage",
    "trailing   ",
    "   leading",
    "back\\slash",
    "naïve café",
    "Z\u0301a\u0327lgo\u0308 (combining)",
    "👩‍👩‍👧‍👦 family 🇩🇪",
    "שלום עולם (rtl)",
    "\u202eoverridden",
    "日本語のテキスト",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𠮷",
    "zero\u200bwidth",
    "non\u00a0breaking",
    "line\u2028separator",
    "tab\tinside",
    "%_\\% wild",
    "{{ template }}",
    "0",
    "-0",
)
"""Values that every reader must return unchanged."""

SENTENCES = (
    "The customer asked for a delivery before the end of the month.",
    "Price agreed, see attached offer; discount 12,5 %.",
    'They said: "Call us again in spring."',
    "First line\nSecond line\n\nFourth line",
    "Windows text\r\nwith carriage returns\r\n",
    "Der Kunde möchte die Ware früher. Größe prüfen.",
    "お客様から納期の確認がありました。",
    "العميل يريد خصمًا",
    "Emoji in the notes 🎉🚀",
    "Tabs\tand\tmore tabs",
    "Comma, semicolon; pipe | caret ^ backquote `",
    "Nothing to report.",
)
EXTREME_DOUBLES = (
    0.0,
    -0.5,
    0.1,
    1 / 3,
    -1234.5678,
    1e-7,
    2.5e-12,
    9007199254740991.0,
    123456789012345.67,
    -1e15,
    1e18,
    6.02214076e23,
)
EXTREME_DATES = (
    "1900-01-01",
    "1969-12-31",
    "1970-01-01",
    "2000-02-29",
    "2038-01-20",
    "3999-12-31",
    "4000-12-31",
)

QUEUES = 8
"""So many of the first groups are queues, which may own records; the others are public groups."""
