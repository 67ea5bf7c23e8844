"""What there is to ask of a question that is described: its parameters with values that they may have, and may not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

Described = Mapping[str, Any]
METHODS = ("post", "put", "patch", "delete", "options", "trace", "query")
UUID = "e3e70682-c209-4cac-a29f-6fbed82c07cd"
CURSOR = "cursor"  # which only an answer before tells
TIMES = ("since", "until")  # described in words alone
# What means something to a database, a search, an address or an eye.
ODD = ("%_\\'; --\" status:( [a-", "\r\x84\u202e\u017f\U0001f642 ../..?a=b&#")
HUGE = "9" * 40
NOTHING = ("null", "true", "XYZ", "\x00")


@dataclass(frozen=True, slots=True)
class Question:
    """`fits`: whether the description allows it; None where only the handler can tell."""

    path: str
    query: tuple[tuple[str, str], ...] = ()
    method: str = "GET"
    fits: bool | None = None
    with_key: bool = True

    @property
    def address(self) -> str:
        return f"{self.path}?{urlencode(self.query)}"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it is described. `there`: names of things that there are, for the holes of its path; `here`: its
    parameters of which every value is asked that they may not have, which elsewhere go the same way; `first`: so do all
    methods that are not served."""

    path: str
    ways: Mapping[str, Described]
    there: Mapping[str, str]
    here: Collection[str]
    first: bool

    @property
    def parameters(self) -> dict[str, Described]:
        return parameters(self.ways, "query")

    @property
    def needed(self) -> dict[str, str]:
        told = self.ways["get"].get("parameters", ())
        needed = [each for each in told if each["in"] == "query" and each["required"]]
        return {each["name"]: good(each["name"], each["schema"])[0] for each in needed}

    def at(self, **holes: str) -> str:
        return self.path.format(**{name: quote(value, safe="") for name, value in (dict(self.there) | holes).items()})

    def ask(self, query: Mapping[str, str] | None = None, **more: Any) -> Question:
        return Question(self.at(), tuple((self.needed | dict(query or {})).items()), **more)

    def questions(self) -> Iterator[Question]:
        yield self.ask(fits=True)
        yield self.ask(with_key=False)
        unserved = [method for method in METHODS if method not in self.ways]
        yield from (self.ask(method=method.upper()) for method in (unserved if self.first else unserved[:1]))
        yield from self._of_holes()
        for name, schema in self.parameters.items():
            yield from self._of_one(name, schema)
        yield self.ask({"unheard_of": "42"}, fits=False)
        whole = {name: good(name, schema)[0] for name, schema in self.parameters.items()}
        yield self.ask(whole)

    def _of_holes(self) -> Iterator[Question]:
        for name, schema in parameters(self.ways, "path").items():
            values = [*good(name, schema), *(ODD if is_text(schema) else bad(name, schema))]
            yield from (Question(self.at(**{name: value}), tuple(self.needed.items())) for value in values if value)

    def _of_one(self, name: str, schema: Described) -> Iterator[Question]:
        fitting = good(name, schema)
        yield from (self.ask({name: value}, fits=True) for value in fitting)
        wrong = bad(name, schema)
        yield from (self.ask({name: value}, fits=False) for value in (wrong if name in self.here else wrong[:1]))
        if name in self.here:
            yield Question(self.at(), (*self.needed.items(), (name, fitting[0]), (name, fitting[0])), fits=False)
        if is_text(schema):
            yield from (self.ask({name: value}) for value in ODD)

    def drawn(self, random: Random, many: int) -> Iterator[Question]:
        """Several parameters at once, each with anything."""
        names = list(self.parameters)
        for _ in range(many):
            some = random.sample(names, random.randint(1, len(names)))
            yield self.ask({name: self._anything(random, name) for name in some})

    def _anything(self, random: Random, name: str) -> str:
        schema = self.parameters[name]
        signs = "".join(map(chr, random.choices([*range(1, 0x250), *range(0x1F300, 0x1F600)], k=4)))
        return random.choice([*good(name, schema) * 2, *bad(name, schema)[:1], signs, random.choice(ODD)])


def parameters(ways: Mapping[str, Described], place: str) -> dict[str, Described]:
    """Schemas of those that stand in the path, or in the query."""
    return {each["name"]: each["schema"] for each in ways["get"].get("parameters", ()) if each["in"] == place}


def good(name: str, schema: Described) -> list[str]:
    """Values that fit, at the edges of what does; the usual one first."""
    if "anyOf" in schema:
        several = [good(name, each) for each in schema["anyOf"] if each.get("type") != "null"]
        return [value for values in several for value in values]
    if "enum" in schema or "const" in schema:
        return list(schema.get("enum", (schema.get("const"),)))
    if schema["type"] == "number":
        return ["0", "0.001"]
    if schema["type"] == "integer":
        low, high = schema.get("minimum", 1), schema.get("maximum", HUGE)
        return list(map(str, dict.fromkeys((schema.get("default", low), low, low + 1, high))))
    if name == CURSOR:
        return [""]
    if name in TIMES:
        return ["2026-11-22T14:02:11.5Z", "1763819331000000000"]
    if schema.get("format") == "uuid":
        return [UUID, UUID.upper()]
    return [*schema.get("examples", ("",)), *("A" * each for each in (schema.get("maxLength"),) if each)]


def bad(name: str, schema: Described) -> list[str]:
    """Values that do not fit."""
    if is_text(schema):
        return ["A" * (schema["maxLength"] + 1), "a\x00"]
    fitting = good(name, schema)
    beyond = [str(schema[edge] + step) for edge, step in (("minimum", -1), ("maximum", 1)) if edge in schema]
    none = [] if schema.get("type") == "number" else ["0.5", HUGE]
    return [value for value in (*beyond, "", *NOTHING, *none) if value not in fitting]


def is_text(schema: Described) -> bool:
    return schema.get("type") == "string" and "maxLength" in schema
