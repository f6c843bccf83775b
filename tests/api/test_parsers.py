"""Whatever a stranger sends: it is understood, or refused by a word of its own; nothing else is raised."""

import copy
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.exceptions import RequestEntityTooLarge

import api.app  # noqa: F401 - so that every route is declared
from actors.media.preview import link_in, words_of
from api.converter import structure, structure_given
from api.multipart import parts_of
from api.openapi import description
from api.operation import OPERATIONS
from api.refusals import FieldError, ValidationFailed
from api.vcard import shown_name, vcard
from storage.errors import BadQuery
from storage.paging import decode

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


def _bodies() -> list[tuple[Any, Any]]:
    """Each body's class with an example of it."""
    paths, found = description("0")["paths"], []
    for declared in OPERATIONS:
        for methods in paths.values():
            operation = methods.get(declared.method.lower(), {})
            if (
                operation.get("operationId") == f"{declared.tag}_{declared.name}"
                and declared.body is not None
            ):
                body = operation["requestBody"]["content"]["application/json"]["example"]
                found.append((declared, body))
    return found


BODIES = _bodies()


@st.composite
def spoilt(draw: st.DrawFn) -> tuple[Any, Any]:
    """A declared body, and its example with something put, replaced or left out somewhere."""
    declared, example = draw(st.sampled_from(BODIES))
    body = copy.deepcopy(example)
    place = body
    while isinstance(place, dict | list) and place:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key] or draw(st.booleans()):
            match draw(st.sampled_from(["replace", "remove", "add"])):
                case "replace":
                    place[key] = draw(JSON)
                case "remove":
                    del place[key]
                case _ if isinstance(place, dict):
                    place[draw(st.text(max_size=10))] = draw(JSON)
                case _:
                    place.append(draw(JSON))
            break
        place = place[key]
    return declared, body


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(spoilt())
def test_any_body_fits_its_class_or_is_refused_with_paths(given_: tuple[Any, Any]) -> None:
    declared, body = given_
    refused: tuple[FieldError, ...] = ()
    try:
        (structure_given if declared.patch else structure)(body, declared.body)
    except ValidationFailed as failed:
        refused = failed.errors or (FieldError("", ""),)
    assert all(wrong.message for wrong in refused)


@given(JSON, st.sampled_from(BODIES))
def test_any_json_at_all_fits_a_class_or_is_refused(value: Any, body: tuple[Any, Any]) -> None:
    with suppress(ValidationFailed):
        structure(value, body[0].body)


BOUNDARY = "xyz"
PARTS = st.lists(
    st.sampled_from(
        [
            b"--xyz\r\n",
            b"--xyz--\r\n",
            b"--xyz",
            b"\r\n",
            b"\r\n\r\n",
            b'content-disposition: form-data; name="file"; filename="a\\"b"\r\n',
            b'content-disposition: form-data; name="phone"\r\n',
            b"content-disposition: form-data\r\n",
            b"content-type: text/plain; charset=nonsense\r\n",
        ]
    )
    | st.binary(max_size=20),
    max_size=12,
).map(b"".join)


@given(PARTS | st.binary(max_size=200), st.sampled_from([BOUNDARY, "", "\u00fc", "x" * 300]))
async def test_any_form_is_taken_apart_or_refused(raw: bytes, boundary: str) -> None:
    with suppress(ValidationFailed, RequestEntityTooLarge):
        texts, file = await parts_of(raw, boundary)
        assert all(isinstance(text, str) for several in texts.values() for text in several)
        assert file is None or isinstance(file.data, bytes)


PAGES = st.lists(
    st.sampled_from(
        [
            b"<html>",
            b"<head",
            b"<title>",
            b"</title>",
            b"<meta ",
            b'property="og:title" ',
            b"content='",
            b'content="',
            b"&#x110000;",
            b"&amp",
            b"&#0;",
            b"<!--",
            b"-->",
            b"<script>",
            b"\xff\xfe",
            b">",
            b"=",
        ]
    )
    | st.binary(max_size=10),
    max_size=30,
).map(b"".join)


@given(PAGES, st.text(max_size=30) | st.sampled_from(["text/html; charset=utf-16", "text/html; charset=zip"]))
def test_any_page_has_words_or_none(page: bytes, content_type: str) -> None:
    for name, words in words_of(page, content_type).items():
        assert name
        assert words.encode().decode() == words


@given(st.text())
def test_a_link_found_in_a_text_is_part_of_it(text: str) -> None:
    link = link_in(text)
    assert link is None or link in text


@given(st.text(), st.integers(1, 3))
def test_any_cursor_is_a_place_or_refused(cursor: str, parts: int) -> None:
    with suppress(BadQuery):
        assert len(decode(cursor, parts)) == parts


@given(st.text(min_size=1).filter(lambda name: name.isprintable() and name == name.strip()))
def test_a_card_is_shown_under_the_name_it_was_made_with(name: str) -> None:
    assert shown_name(vcard(name, "628123456789", "Toko; Mangga")) == name


@given(st.text())
def test_any_card_has_a_name_or_none(card: str) -> None:
    assert isinstance(shown_name(card), str)
