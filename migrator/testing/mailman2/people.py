"""A list as years leave it: members of every option and reason, with odd addresses and names in many scripts."""

from __future__ import annotations

from itertools import product

from migrator.testing.mailman2.lists import OPTIONS, MailingList, Member, Status

NAMES = (
    "Ann Doe", "Zoë Müller", "Łukasz Żółć", "王 小明", "Иван Петров", "שלום עליכם", "محمد علي", "Ñandú 😀", 'Ann "the list" Doe, Jr.',
    "O'Neill; Sons & Co", "A <b>bold</b> name", "a+b=c&d%20e", "Ælfrēd", "", "Søren Łącki", "Tab here", "名前",
)  # fmt: skip
LOCALS = (
    "plain{n}", "Mixed.Case{n}", "plus{n}+tag", "o'neill{n}", "_under{n}", "{n}digit", "#hash{n}", "%percent{n}", "&amp{n}", "=eq{n}",
    "~tilde{n}", "a&copy{n}", "!bang{n}", "?what{n}", "dots.in.it.{n}", "{{brace{n}}}", "/slash{n}", "*star{n}", "$dollar{n}", "+{n}",
)  # fmt: skip
REASONS: tuple[Status, ...] = ("enabled", "U", "A", "B", "?")
_COMBINATIONS = tuple(product((False, True), (False, True), REASONS, range(2 ** len(OPTIONS))))  # 640


def populate(one: MailingList, number: int, languages: tuple[str, ...] = ()) -> None:
    """Have so many members on a list: every combination of options comes up from 640 on."""
    offered = (*one.lines("available_languages"), *languages)
    one.values["available_languages"] = tuple(dict.fromkeys(offered))
    for n in range(number):
        digest, moderated, status, bits = _COMBINATIONS[n * 7 % len(_COMBINATIONS)]
        options = frozenset(option for place, option in enumerate(OPTIONS) if bits >> place & 1)
        address = f"{LOCALS[n % len(LOCALS)].format(n=n)}@{'Sub.Example.com' if n % 5 == 0 else 'example.com'}"
        language = offered[n % len(offered)]
        one.add(Member(address, NAMES[n % len(NAMES)], digest, status, moderated, options, language))
