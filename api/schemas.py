"""JSON Schema of the kinds of values in `fields.py`, and of the classes made of them.

What the docstrings of the classes and their fields say goes along: they are read from the source, where a
field's stands below it.
"""

import ast
import inspect
import itertools
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, Literal, get_args, get_origin

import attrs

from actors import passwords
from actors.session.content import KINDS
from api import checks, fields
from api.converter import SOMETIMES, camel
from api.fields import Upload
from storage.rows import Json

REF = "#/components/schemas/"


def _text(least: int, most: int, **more: Any) -> Json:
    return {"type": "string", "minLength": least, "maxLength": most, **more}


def _whole(pattern: Any) -> str:
    return f"^(?:{pattern.pattern})$"


def _line(least: int, most: int, also_not: str = "") -> Json:
    return _text(least, most, pattern=rf"^[^\u0000-\u001f\u007f{also_not}]*$")


def _printable(least: int, most: int) -> Json:
    """As far as a pattern can say it."""
    return _line(least, most, r"-\u00a0\u00ad")


def _url(scheme: str, *, besides: str = "", example: str) -> Json:
    pattern = rf"^{scheme}://[^/?#\\\s{besides}]+([/?#][^\s\u0000-\u001f\u007f-\u00a0\u00ad]*)?$"
    return {"type": "string", "format": "iri", "maxLength": 2048, "pattern": pattern, "examples": [example]}


def _numbers(low: float, high: float, kind: str = "integer") -> Json:
    return {"type": kind, "minimum": low, "maximum": high}


def _many(items: Json, least: int, most: int, **more: Any) -> Json:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most, **more}


_LID = r"[0-9]{1,20}@lid"
_NUMBER, _SERVER = r"[1-9][0-9]{4,14}", r"@s\.whatsapp\.net"
_GROUP, _CHANNEL = r"[0-9]{5,20}(-[0-9]{5,20})?@g\.us", r"[0-9]{5,25}@newsletter"


def _address(*kinds: str) -> Json:
    return {"type": "string", "pattern": f"^({'|'.join(kinds)})$"}


_PERSON = _address(f"{_NUMBER}({_SERVER})?", _LID)
_PLACE = _address(f"{_NUMBER}({_SERVER})?", _LID, _GROUP, _CHANNEL)
_JID = _address(_NUMBER + _SERVER, _LID, _GROUP, _CHANNEL)

FILE: Json = {"type": "string", "contentMediaType": "application/octet-stream", "minLength": 1}

SCHEMAS: Mapping[Any, Json] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    object: {},
    Any: {},
    datetime: {"type": "string", "format": "date-time", "examples": ["2026-01-31T12:00:00Z"]},
    fields.MessageText: _text(1, 65536),
    fields.Name: _printable(1, 200),
    fields.Reference: _printable(1, 255),
    fields.SessionId: {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
    fields.UserName: {"type": "string", "pattern": "^[A-Za-z0-9._+@-]{1,64}$", "examples": ["ana"]},
    fields.Password: _text(passwords.LEAST, passwords.MOST, examples=["correct horse battery staple"]),
    fields.Phone: {"type": "string", "pattern": "^[1-9][0-9]{4,14}$", "examples": ["628123456789"]},
    fields.Address: _text(1, 255, examples=["628123456789", "120363000000000001@g.us"]),
    fields.MessageId: _printable(1, 255),
    fields.MediaId: {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,100}$"},
    fields.MessageIds: _many(_printable(1, 255), 1, 100),
    fields.Line: _line(1, 255),
    fields.Paragraph: _text(1, 4096),
    fields.Emoji: _text(0, 16, pattern=r"^$|[^\u0000-\u007f]", examples=["👍"]),
    fields.MimeType: {"type": "string", "pattern": _whole(checks.MIME_TYPE), "examples": ["image/png"]},
    fields.FileName: _line(1, 255, "/"),
    fields.Upload: FILE,
    fields.Base64: {
        "type": "string",
        "contentEncoding": "base64",
        "pattern": (
            r"^(data:[^,]{0,300};base64,)?([A-Za-z0-9+/]{4})*"
            r"([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)$"
        ),
        "examples": ["VGVyemV0dG8="],
    },
    fields.Mentions: {"oneOf": [{"const": "all"}, _many(_PLACE, 0, 1024)]},
    fields.Participants: _many(_PERSON, 1, 1024),
    fields.Subject: _line(1, 100),
    fields.Description: _text(0, 2048),
    fields.Timer: {"type": "integer", "enum": [0, 86400, 604800, 7776000]},
    fields.Invite: {
        "type": "string",
        "pattern": _whole(checks.INVITE),
        "examples": ["https://chat.whatsapp.com/AbCdEfGhIjKlMnOpQrStUv"],
    },
    fields.ProfileName: _line(1, 25),
    fields.About: _text(0, 139),
    fields.ServerIds: _many(_numbers(1, 10**9), 1, 100),
    fields.Latitude: _numbers(-90, 90, "number"),
    fields.Longitude: _numbers(-180, 180, "number"),
    fields.Lifetime: _numbers(0, 90 * 86400),
    fields.Typing: {"oneOf": [_numbers(0, 30_000), {"const": "auto"}]},
    fields.Choices: _many(_text(1, 100), 2, 12, uniqueItems=True),
    fields.Chosen: _many(_text(1, 100), 0, 12, uniqueItems=True),
    fields.Selectable: _numbers(0, 12),
    fields.Font: _numbers(0, 10),
    fields.Colour: {"type": "string", "pattern": "^#[0-9A-Fa-f]{6}$"},
    fields.WebUrl: _url("https?", besides="@", example="https://example.org/picture.jpg"),
    fields.ProxyUrl: _url("(https?|socks5)", example="socks5://user:password@127.0.0.1:1080"),
    fields.Network: {"type": "string", "examples": ["10.0.0.0/8", "2001:db8::1"]},
    fields.EventName: {
        "type": "string",
        "pattern": rf"^({'|'.join(sorted(map(re.escape, checks.EVENTS)))}|newsletter\.[\s\S]*)$",
        "examples": ["messages.upsert"],
    },
    fields.Secret: {
        "type": "string",
        "pattern": (
            r"^whsec_(([A-Za-z0-9+/]{4}){8,20}([A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)?"
            r"|([A-Za-z0-9+/]{4}){21}([A-Za-z0-9+/]{2}==)?)$"
        ),
    },
    fields.HttpHeaders: {
        "type": "object",
        "maxProperties": 20,
        "propertyNames": {"pattern": _whole(checks.HEADER_NAME)},
        "additionalProperties": _text(0, 4096, pattern="^[ -~]*$"),
    },
    fields.Jids: _many(_JID, 1, 100),
    fields.MessageTypes: _many({"type": "string", "enum": sorted(KINDS)}, 1, 30),
    fields.JsonObject: {"type": "object"},
    fields.BatchSize: _numbers(1, 500),
    fields.Milliseconds: _numbers(0, 10_000),
    fields.Count: _numbers(1, 100_000),
    fields.Seconds: _numbers(0, 30 * 86400),
    fields.Limit: _numbers(1, 500),
    fields.ServerId: _numbers(1, 10**9 - 1),
    fields.Wait: _numbers(0, 60),
    fields.Flag: {"type": "boolean"},
    fields.Names: {"type": "string", "pattern": r"^\s*[^,\s][^,]*(,\s*[^,\s][^,]*)*$"},
}


class Schemas:
    """Collects the schemas of classes under their names."""

    def __init__(self) -> None:
        self.components: dict[str, Json] = {}
        self._named: dict[str, type] = {}

    def form(self, kind: Any) -> Json:
        """The schema of a class, or of a union of some, as the parts of a form, where its file may be one.

        In JSON there is no file, and among parts that are texts no null: what is not given is absent.
        """
        if not isinstance(kind, type):
            properties = {"file": self.of(Upload, view=False)}
            return {"type": "object", "properties": properties, **self._tagged(get_args(kind), form=True)}
        name = f"{self._component(kind, view=False)}Form"
        self.components[name] = self._object(kind, view=False, form=True)
        return {"$ref": REF + name}

    def of(self, kind: Any, *, view: bool) -> Json:
        """The schema of a type; of a class, a reference to it. Views have every field, bodies what is given.

        Raises TypeError for a type that no request and no answer can carry.
        """
        if (known := _known(kind)) is not None:
            return known
        origin, arguments = get_origin(kind), get_args(kind)
        match origin:
            case typing.Union | types.UnionType:
                classes = [each for each in arguments if hasattr(each, "TYPE")]
                if classes and len(classes) == len(arguments):
                    return self._tagged(classes)
                options = [self.of(each, view=view) for each in arguments if each is not type(None)]
                if type(None) in arguments:
                    options.append({"type": "null"})
                return options[0] if len(options) == 1 else {"anyOf": options}
            case _ if origin is Literal:
                return {"type": "string", "enum": list(arguments)}
            case _ if origin in (list, tuple, frozenset) or str(origin).startswith("<class 'collections.abc"):
                if origin is not None and issubclass(origin, Mapping):
                    return {"type": "object", "additionalProperties": self.of(arguments[1], view=view)}
                return {"type": "array", "items": self.of(arguments[0], view=view)}
            case _ if origin is dict:
                return {"type": "object", "additionalProperties": self.of(arguments[1], view=view)}
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            return {"type": "string", "enum": [str(each) for each in kind]}
        if isinstance(kind, type) and attrs.has(kind):
            return {"$ref": REF + self._component(kind, view=view)}
        raise TypeError(f"{kind!r} has no schema")

    def needs_something(self, kind: Any) -> bool:
        """Whether `{}`, for which no body at all stands, is not enough of this."""
        schema = {} if not isinstance(kind, type) else self.components[self._component(kind, view=False)]
        return bool(schema.keys() & {"required", "oneOf", "anyOf", "allOf"}) or not isinstance(kind, type)

    def parameters(self, query: type) -> Iterator[Json]:
        """The parameters of a query string."""
        told, more = docstrings(query), _constraints(query)["properties"]
        for each, kind in _fields(query):
            parameter = {"name": _name(each), "in": "query", "required": each.default is attrs.NOTHING}
            if each.name in told:
                parameter["description"] = told[each.name]
            schema = _without_null(self.of(kind, view=False)) | more.get(_name(each), {})
            yield parameter | {"schema": schema}

    def _tagged(self, classes: Iterable[Any], *, form: bool = False) -> Json:
        """One of several classes, told apart by `type`."""
        mapping: dict[str, str] = {}
        for kind in classes:
            plain = self._object(kind, view=False, form=form)
            tag = {"type": {"type": "string", "const": kind.TYPE}}
            name = f"{kind.__name__}{'Form' if form else ''}Item"
            self.components[name] = plain | {
                "properties": tag | plain["properties"],
                "required": ["type", *plain.get("required", ())],
            }
            mapping[kind.TYPE] = REF + name
        refs = [{"$ref": ref} for ref in mapping.values()]
        return {"oneOf": refs, "discriminator": {"propertyName": "type", "mapping": mapping}}

    def _component(self, kind: type, *, view: bool) -> str:
        name = kind.__name__.lstrip("_")
        name = name.removesuffix("View") if view else name
        while self._named.get(name, kind) is not kind:
            name = f"{kind.__module__.rpartition('.')[2].capitalize()}{name}"
        if name not in self._named:
            self._named[name] = kind
            self.components[name] = {}  # a class may hold itself
            self.components[name] = self._object(kind, view=view)
        return name

    def _object(self, kind: type, *, view: bool, form: bool = False) -> Json:
        told, required, properties = docstrings(kind), [], {}
        constraints = _NONE if view else _constraints(kind, without=None if form else "file")
        for each, annotation in _fields(kind):
            name = _name(each)
            if not form and Upload in (annotation, *get_args(annotation)):
                continue
            schema = dict(self.of(annotation, view=view))
            if form and (text := _without_null(schema)).get("type") == "string":
                schema = {key: value for key, value in text.items() if key != "contentEncoding"}
            schema |= constraints["properties"].get(name, {})
            if each.name in told:
                schema["description"] = told[each.name]
            default = each.default
            if not view and isinstance(default, str | int | float) and not isinstance(default, datetime):
                schema["default"] = str(default) if isinstance(default, StrEnum) else default
            properties[name] = schema
            if (view and not each.metadata.get(SOMETIMES)) or (not view and default is attrs.NOTHING):
                required.append(name)
        schema = {"type": "object", "properties": properties, "additionalProperties": False}
        if required:
            schema["required"] = required
        match constraints["allOf"]:
            case []:
                pass
            case [one]:
                schema |= one
            case several:
                schema["allOf"] = several
        if kind.__doc__ and not kind.__doc__.startswith("Method generated"):
            schema["description"] = inspect.cleandoc(kind.__doc__)
        return schema


_NONE: Json = {"properties": {}, "allOf": []}


def _constraints(kind: type, without: str | None = None) -> Json:
    """What a class says of its fields beside each other: of single ones by name, and all the rest."""
    found: Json = {"properties": {}, "allOf": []}
    for constraint in getattr(kind, "constraints", tuple)():
        match constraint:
            case {"properties": dict(of_single)}:
                found["properties"] |= of_single
            case {"oneOf": [*options]} if without is not None:
                left = [_option(each, without) for each in options if without not in each["required"]]
                found["allOf"].append({"oneOf": left})
            case _:
                found["allOf"].append(constraint)
    return found


def _option(option: Json, without: str) -> Json:
    """One of several ways to fill a body, where there is no such field."""
    kept = {name: schema for name, schema in option["properties"].items() if name != without}
    return {**option, "properties": kept}


def _known(kind: Any) -> Json | None:
    try:
        found = SCHEMAS.get(kind)
    except TypeError:  # what is unhashable is no key
        return None
    if found is None:
        return None
    told = docstrings(fields).get(getattr(kind, "__name__", ""))
    return found if told is None else {**found, "description": told}


def _name(of: Any) -> str:
    return camel(of.name.rstrip("_"))


def _fields(kind: type) -> Iterator[tuple[Any, Any]]:
    hints = typing.get_type_hints(kind)
    for each in attrs.fields(kind):
        if each.init:
            yield each, hints[each.name]


def _without_null(schema: Json) -> Json:
    """In a query string what is not given is absent."""
    match schema:
        case {"anyOf": [one, {"type": "null"}]}:
            return dict(one)
        case {"anyOf": [*several, {"type": "null"}]}:
            return {"anyOf": several}
        case _:
            return schema


@cache
def docstrings(of: Any) -> dict[str, str]:
    """The docstrings that stand below the fields of a class and its bases, or the names of a module."""
    found: dict[str, str] = {}
    for each in reversed(of.__mro__) if isinstance(of, type) else (of,):
        if each is object or not (isinstance(each, types.ModuleType) or attrs.has(each)):
            continue
        tree = ast.parse(inspect.cleandoc("\n" + inspect.getsource(each)))
        body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else tree.body
        for statement, below in itertools.pairwise(body):
            match statement, below:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    found[name] = inspect.cleandoc(text)
    return found
