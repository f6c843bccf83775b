"""The card below a link: what a page says of itself, in OpenGraph's words, Twitter's or plain ones."""

import html
import logging
import re
from collections.abc import Iterator
from urllib.parse import urljoin

from actors.egress import UrlForbidden
from actors.media.errors import MediaError
from actors.media.intake import Intake
from actors.outgoing.content import LinkPreview

log = logging.getLogger("media")

_PAGE = 512 * 1024  # bytes of a page that are looked at
_TITLE, _DESCRIPTION = 300, 500  # characters
_TAGS = 200  # <meta> that are looked at …
_TAG = 2048  # … and characters of each

# By what is preferred.
_TITLES = ("og:title", "twitter:title", "title")
_DESCRIPTIONS = ("og:description", "twitter:description", "description")
_PICTURES = ("og:image:secure_url", "og:image", "og:image:url", "twitter:image", "twitter:image:src")

_LINK = re.compile(r"https?://[^\s<>\"']{1,2000}", re.IGNORECASE)
_BESIDE_A_LINK = ".,;:!?)]}*_~"
_META = re.compile(r"<meta[\s/]", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s/]*")
_NAME = re.compile(r"[^\s=>\"'/]+")
_VALUE = re.compile(r"\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))")
_PAGE_TITLE = re.compile(r"<title[^<>]{0,200}>([^<]{0,1000})<", re.IGNORECASE)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([A-Za-z0-9_-]{1,20})", re.IGNORECASE)
_CHARSETS = re.compile(
    r"utf-?8|us-ascii|iso-8859-\d{1,2}|windows-125\d|koi8-[ru]|shift_jis|euc-(jp|kr)|gb2312|gbk|gb18030|big5"
)


def link_in(text: str) -> str | None:
    """The first http or https URL in a text."""
    found = _LINK.search(text)
    return None if found is None else found[0].rstrip(_BESIDE_A_LINK)


async def preview(intake: Intake, session_id: str, url: str) -> LinkPreview | None:
    """The card of a page, its picture stored with the session; None where there is nothing to show.

    That a page cannot be had, for whatever reason, is no error. May raise StorageError.
    """
    try:
        page = await intake.fetcher.fetch(url, limit=_PAGE, cut=True)
    except (UrlForbidden, MediaError) as error:
        log.info("no_preview reason=%s", error)
        return None
    said = words_of(page.data, page.content_type)
    title = _first(said, _TITLES)[:_TITLE]
    if not title:
        return None
    picture = _first(said, _PICTURES)
    return LinkPreview(
        url=url,
        title=title,
        description=_first(said, _DESCRIPTIONS)[:_DESCRIPTION],
        thumbnail=await _thumbnail(intake, session_id, urljoin(page.url, picture)) if picture else None,
    )


async def _thumbnail(intake: Intake, session_id: str, url: str) -> str | None:
    try:
        return (await intake.thumbnail(session_id, url)).id
    except (UrlForbidden, MediaError) as error:
        log.info("no_preview_picture reason=%s", error)
        return None


def _first(said: dict[str, str], names: tuple[str, ...]) -> str:
    return next((said[name] for name in names if said.get(name)), "")


def words_of(page: bytes, content_type: str = "") -> dict[str, str]:
    """What the page's <meta> tags and its <title> say, by name; the first of each. Takes any bytes.

    Not by html.parser: that takes minutes for a page made to that end.
    """
    text = _decoded(page, content_type)
    said: dict[str, str] = {}
    for attributes in _metas(text):
        name = attributes.get("property") or attributes.get("name")
        if name and "content" in attributes:
            said.setdefault(name.lower(), _clean(attributes["content"]))
    if (title := _PAGE_TITLE.search(text)) is not None:
        said.setdefault("title", _clean(title[1]))
    return said


def _metas(text: str) -> Iterator[dict[str, str]]:
    for number, found in enumerate(_META.finditer(text)):
        if number == _TAGS:
            return
        yield dict(_attributes(text[found.end() : found.end() + _TAG]))


def _attributes(tag: str) -> Iterator[tuple[str, str]]:
    """The attributes up to the tag's end; looks at each character a bounded number of times."""
    at = 0
    while True:
        at = _BETWEEN.match(tag, at).end()  # type: ignore[union-attr] # it matches nothing at all, too
        name = _NAME.match(tag, at)
        if name is None:
            return
        value = _VALUE.match(tag, name.end())
        if value is not None:
            yield name[0].lower(), next(group for group in value.groups() if group is not None)
        at = (value or name).end()


def _clean(text: str) -> str:
    """On one line, and such as PostgreSQL can store."""
    return " ".join(html.unescape(text).replace("\0", " ").encode("utf-8", "ignore").decode().split())


def _decoded(page: bytes, content_type: str) -> str:
    named = _CHARSET.search(content_type) or _CHARSET.search(page[:2048].decode("ascii", "replace"))
    charset = named[1].lower() if named is not None else ""
    return page.decode(charset if _CHARSETS.fullmatch(charset) else "utf-8", "replace")
