"""What an endpoint drafted, checked against the cases it was given: each fact that it cites, each number and each name
that it writes. Pure, and made for hostile answers: what cannot be used says why, and nothing of it is shown."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from escalations.briefs import NUMBERS, Piece, Told
from escalations.words import label, shown

MOST_SENTENCES, MOST_CHARS, MOST_FACTS = 6, 300, 20
MOST_FIELDS, MOST_VALUE_CHARS = 24, 80
_TOKEN = re.compile(r"[-+]?\d[\d.,:'\u2019/-]*%?|\w[\w.'\u2019@/-]*", re.UNICODE)
_URGES = re.compile(
    r"\b(approv\w*|reject\w*|den(?:y|ied|ies)|allow\w*|refus\w*|accept\w*|grant\w*|recommend\w*|advis\w*|suggest\w*"
    r"|should|must|ought|please|click\w*|press\w*|ignor\w*|safe|urgent\w*|https?|www)\b|://",
    re.IGNORECASE,
)
_EDGE = ".,:'\u2019/-"
# words that may begin a sentence, with a capital, and are no names
_ORDINARY = frozenset(
    re.findall(
        r"\w+",
        "a all also among an and another any as at both but by case cases each every except few for from half has have"
        " here in it its just many more most much neither no none not of on only or other others out over same several"
        " since so some than that the their them there these they this those to under until was were what when where"
        " which while whose with without yes",
    )
)


class Useless(ValueError):
    """Nothing of it is shown; the text says why, in words for the admin who set the endpoint."""


@dataclass(frozen=True, slots=True)
class Checked:
    """`facts`: how many of those it cites hold; `unfound`: how many facts, numbers and names were not found."""

    sentences: list[list[Piece]] = field(default_factory=list)
    facts: int = 0
    unfound: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """What the endpoint is given, and what its words are measured by."""

    fields: dict[int, dict[str, Any]]
    differs: dict[int, list[str]]
    numbers: frozenset[Decimal]
    words: frozenset[str]

    @classmethod
    def of(cls, cases: Sequence[Told]) -> Source:
        cases = sorted(cases, key=lambda case: case.number)
        fields = {case.number: _plain(case.fields) for case in cases}
        differs = {case.number: [name for name in case.differs if name in fields[case.number]] for case in cases}
        texts = [text for known in fields.values() for name, value in known.items() for text in _said(name, value)]
        numbers = set(_counts(fields, differs)) | {number for text in texts for number in _numbers(text)}
        numbers |= {each for known in fields.values() for value in known.values() for each in _shares(value)}
        words = {word for text in texts for word in _words(text)}
        return cls(fields, differs, frozenset(numbers), frozenset(words))

    @property
    def told(self) -> dict[str, Any]:
        """As it is sent: names and plain values, and none of the prose that agents wrote."""
        return {
            "cases": [
                {"case": number, "differs_in": self.differs[number], "facts": known}
                for number, known in self.fields.items()
            ]
        }


def check(answer: bytes, source: Source) -> Checked:
    """Raises Useless."""
    sentences = _read(answer)
    pieces, good, unfound = [], 0, 0
    for text, facts in sentences:
        if _URGES.search(text):
            raise Useless("The draft urges people to something, or leads somewhere: it was not used.")
        held = sum(_holds(fact, source) for fact in facts)
        good, missing = good + held, len(facts) - held
        sentence = [Piece(text, said=True, unfound=True)] if missing or not facts else _marked(text, source)
        unfound += (missing or 1) if missing or not facts else sum(piece.unfound for piece in sentence)
        pieces.append(sentence)
    if not good or unfound > good:
        raise Useless("Most of what the draft says is not found in the cases: it was not used.")
    return Checked(pieces, good, unfound)


def _read(answer: bytes) -> list[tuple[str, list[Any]]]:
    """Sentences and the facts that each cites, out of a chat completion whose content is JSON itself."""
    try:
        content = orjson.loads(answer)["choices"][0]["message"]["content"]
        fenced = re.fullmatch(r"\s*```(?:json)?(.*)```\s*", content, re.DOTALL)
        given = orjson.loads(fenced[1] if fenced else content)["sentences"]
        found = [(each["text"].replace("\0", "\ufffd").strip(), each["facts"]) for each in given]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        raise Useless("The answer is not the JSON that was asked for.") from None
    fits = all(0 < len(text) <= MOST_CHARS and isinstance(facts, list) for text, facts in found)
    if not 0 < len(found) <= MOST_SENTENCES or not fits or any(len(facts) > MOST_FACTS for _, facts in found):
        raise Useless("The answer is longer or emptier than a brief may be.")
    return found


def _holds(fact: Any, source: Source) -> bool:
    """Whether a cited fact is one of the case it names."""
    if not isinstance(fact, dict) or type(fact.get("case")) is not int or not isinstance(fact.get("field"), str):
        return False
    known = source.fields.get(fact["case"], {})
    return fact["field"] in known and _same(known[fact["field"]], fact.get("value"))


def _same(known: Any, told: Any) -> bool:
    if isinstance(known, bool) or isinstance(told, bool):
        return known is told
    if isinstance(known, int | float) and isinstance(told, int | float | str):
        return _number(str(told)) == _number(str(known))
    return isinstance(told, str) and str(known).strip().casefold() == told.strip().casefold()


def _marked(text: str, source: Source) -> list[Piece]:
    """The sentence in pieces: numbers and names that no case holds stand out."""
    found, at = [], 0
    for token in _TOKEN.finditer(text):
        word = token[0].rstrip(_EDGE)
        if _known(word, source):
            continue
        if text[at : token.start()]:
            found.append(Piece(text[at : token.start()], said=True))
        at = token.start() + len(word)
        found.append(Piece(word, said=True, unfound=True))
    return [*found, Piece(text[at:], said=True)] if text[at:] else found


def _known(word: str, source: Source) -> bool:
    if word[:1] in "+-" or word[:1].isdigit():
        return any(each in source.numbers for each in _readings(word)) or word.casefold() in source.words
    if word.capitalize() in NUMBERS:
        return NUMBERS.index(word.capitalize()) in source.numbers or word.casefold() == "none"
    named = any(letter.isupper() or letter.isdigit() or letter == "_" for letter in word)
    return not named or word.casefold() in _ORDINARY or word.casefold() in source.words


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What of a case leaves the house: no prose, and nothing long."""
    short = {
        name: value
        for name, value in sorted(fields.items())
        if name != "text" and isinstance(value, str | int | float | bool) and len(str(value)) <= MOST_VALUE_CHARS
    }
    return dict(list(short.items())[:MOST_FIELDS])


def _said(name: str, value: Any) -> Iterator[str]:
    yield from (name, label(name), str(value), str(shown(name, value)))


def _words(text: str) -> Iterator[str]:
    for token in _TOKEN.finditer(text):
        word = token[0].rstrip(_EDGE).casefold()
        yield word
        yield from re.split(r"[._/@-]", word)


def _counts(fields: Mapping[int, Mapping[str, Any]], differs: Mapping[int, Sequence[str]]) -> Iterator[Decimal]:
    """Numbers of cases, and how many there are: in all, of those that differ, and of each value."""
    odd = sum(bool(names) for names in differs.values())
    yield from (Decimal(number) for number in (*fields, len(fields), odd, len(fields) - odd))
    alike = Counter((name, str(value)) for known in fields.values() for name, value in known.items())
    yield from (Decimal(count) for count in alike.values())


def _shares(value: Any) -> Iterator[Decimal]:
    """0.96 is 96 percent."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        yield from (Decimal(round(value * 100)), Decimal(str(value)) * 100)


def _numbers(text: str) -> Iterator[Decimal]:
    for found in re.findall(r"\d[\d.,]*", text):
        yield from _readings(found.rstrip(".,"))


def _readings(word: str) -> Iterator[Decimal]:
    """A number as it is written: thousands by comma, percent as such."""
    if (number := _number(word.rstrip("%").replace("'", "").replace("\u2019", ""))) is not None:
        yield number


def _number(text: str) -> Decimal | None:
    try:
        found = Decimal(text.replace(",", ""))
    except InvalidOperation:
        return None
    return found.normalize() if found.is_finite() else None
