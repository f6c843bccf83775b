"""The API's reference: the description for programs at /openapi.json, and for people at /docs."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from quart import Blueprint, Response

from api.openapi import RESPONSES, description
from api.schemas import REF
from api.services import services
from storage.rows import Json

routes = Blueprint("reference", __name__)

_PAGES = Path(__file__).parent / "pages"
_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@routes.get("/openapi.json")
async def openapi() -> Response:
    """The description in OpenAPI 3.1."""
    return Response(_document(services().version), content_type="application/json")


@routes.get("/docs")
async def docs() -> Response:
    """The same for people: one page without scripts, which works offline."""
    headers = {"content-security-policy": _POLICY, "x-content-type-options": "nosniff"}
    return Response(_page(services().version), 200, headers, content_type="text/html; charset=utf-8")


@routes.get("/docs/reference.css")
async def style() -> Response:
    """How the page looks."""
    return Response((_PAGES / "reference.css").read_bytes(), content_type="text/css; charset=utf-8")


@cache
def _document(version: str) -> str:
    return json.dumps(description(version), ensure_ascii=False, separators=(",", ":"))


@cache
def _page(version: str) -> str:
    pages = Environment(
        loader=FileSystemLoader(_PAGES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    pages.filters |= {
        "told": _told,
        "choices": _choices,
        "words": _words,
        "kind": _kind,
        "prose": _prose,
        "plain": _plain,
    }
    document = json.loads(_document(version))
    shared = document["components"]["responses"]
    by_tag: dict[str, list[Json]] = {each["name"]: [] for each in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if not operation["operationId"].endswith("_of_session"):
                shown = {"path": path, "method": method, **operation}
                shown["responses"] = {
                    status: shared[answer["$ref"].removeprefix(RESPONSES)] if "$ref" in answer else answer
                    for status, answer in operation["responses"].items()
                }
                by_tag[operation["tags"][0]].append(shown)
    return pages.get_template("reference.html").render(document=document, by_tag=by_tag)


def _plain(value: Any) -> str:
    """JSON as one writes it."""
    return json.dumps(value, ensure_ascii=False)


def _prose(text: str) -> Markup:
    """Text with its `code` marked, in paragraphs."""
    paragraphs = [Markup("<p>{}</p>").format(_words(part)) for part in text.split("\n\n") if part]
    return Markup("").join(paragraphs)


def _words(text: str) -> Markup:
    pieces = str(text).split("`")
    marked = [
        Markup("<code>{}</code>").format(each) if n % 2 else escape(each) for n, each in enumerate(pieces)
    ]
    return Markup("").join(marked)


def _told(schema: Json) -> str:
    """What is said of a value, or else of its kind."""
    said = (each.get("description") for each in (schema, *schema.get("anyOf", ())))
    return next((str(each) for each in said if each), "")


def _choices(schema: Json) -> list[list[str]]:
    """The fields of which exactly one is to be given."""
    options = (each.get("oneOf", ()) for each in (schema, *schema.get("allOf", ())))
    required = [[each.get("required", ()) for each in several] for several in options]
    return [[name for (name,) in names] for names in required if names and {*map(len, names)} == {1}]


def _kind(schema: Any) -> Markup:
    """A schema in a few words, with links to the objects that it names."""
    match schema:
        case {"$ref": str(ref)}:
            name = ref.removeprefix(REF)
            return Markup('<a href="#{0}">{0}</a>').format(name)
        case {"anyOf": [*options]} | {"oneOf": [*options]}:
            return Markup(" or ").join(map(_kind, options))
        case {"type": "array", "items": items}:
            return Markup("array of {}").format(_kind(items))
        case {"enum": [*values]}:
            return Markup(" | ").join(Markup("<code>{}</code>").format(json.dumps(each)) for each in values)
        case {"const": value}:
            return Markup("<code>{}</code>").format(json.dumps(value))
        case {"type": "object", "additionalProperties": dict(values)}:
            return Markup("object of {}").format(_kind(values))
        case {"format": str(shape), "type": "string"}:
            return escape(shape)
        case {"type": str(kind)}:
            return escape(kind)
        case _:
            return escape("any")
