"""What a page says of itself, whoever wrote it and however."""

import time

import pytest

from actors.media.preview import link_in, words_of

PAGE = b"""<!DOCTYPE html><html><head><meta charset="utf-8">
<title>Plain &amp; simple</title>
<META property='og:title' content="A > B &lt;c&gt;"/>
<meta property="og:title" content="a second one">
<meta name=description content=short>
<meta
    content = "https://cdn.example/a.png"
    property = "og:image"
/>
<meta name="empty"><meta content="nameless">
</head><body></body></html>"""


def test_titles_and_pictures_are_found_as_pages_write_them() -> None:
    assert words_of(PAGE) == {
        "og:title": "A > B <c>",
        "description": "short",
        "og:image": "https://cdn.example/a.png",
        "title": "Plain & simple",
    }


@pytest.mark.parametrize(
    ("page", "content_type"),
    [
        ("<title>Café</title>".encode("latin-1"), "text/html; charset=ISO-8859-1"),
        ('<meta charset="windows-1252"><title>Café</title>'.encode("cp1252"), "text/html"),
        ("<title>Café</title>".encode(), "text/html"),
        ("<title>Café</title>".encode(), "text/html; charset=rot13"),
        ("<title>Caf\0é\n </title>".replace("\0", "").encode(), "text/html; charset=utf-8"),
    ],
)
def test_a_page_is_read_in_its_own_character_set(page: bytes, content_type: str) -> None:
    assert words_of(page, content_type)["title"] == "Café"


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "<a ",
            "<",
            "<!--",
            "<![",
            "<meta ",
            "<meta a=",
            '<meta a="',
            "<title",
            "<title>",
            "&#",
            "charset=",
        ),
        *("<meta" + " " * 99, "<meta " + "a " * 999, '<meta name="a" content="&#1;'),
    ],
)
def test_no_page_takes_long(unit: str) -> None:
    page = (unit * (512 * 1024 // len(unit))).encode()
    began = time.process_time()
    words_of(page)
    assert time.process_time() - began < 1.0  # html.parser: minutes


@pytest.mark.parametrize(
    "page", [b"", b"\xff\xfe\0", b"<meta", b'<meta property="og:title" content="', b"<title>"]
)
def test_what_is_no_page_says_nothing(page: bytes) -> None:
    assert words_of(page) == {}


def test_what_is_said_can_be_stored() -> None:
    page = b'<meta property="og:title" content="a&#0;b&#xd800;c&#10;d\0e">'
    assert "\0" not in words_of(page)["og:title"]
    words_of(page)["og:title"].encode()


def test_the_first_link_of_a_text_is_found_without_what_stands_beside_it() -> None:
    assert link_in("see (https://a.example/b?c=d), or http://e.example") == "https://a.example/b?c=d"
    assert link_in("HTTPS://A.example/x.") == "HTTPS://A.example/x"
    assert link_in("no link: ftp://a.example a.example") is None
