"""What files are told to be, from their bytes."""

import io
import zipfile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors.decoding import sniff
from actors.decoding.sniff import _MAGIC
from tests.actors.decoding.media import SOUNDS, animation, clip, encoded, picture, tone

OFFICE = "application/vnd.openxmlformats-officedocument."


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for name in names:
            target.writestr(name, "<xml/>" * 100)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "mime_type"),
    [
        ("JPEG", "image/jpeg"),
        ("PNG", "image/png"),
        ("GIF", "image/gif"),
        ("WEBP", "image/webp"),
        ("BMP", "image/bmp"),
        ("TIFF", "image/tiff"),
        ("AVIF", "image/avif"),
    ],
)
def test_a_picture_is_told_by_its_bytes(name: str, mime_type: str) -> None:
    assert sniff(encoded(picture(), name)) == mime_type


@pytest.mark.parametrize("kind", SOUNDS)
def test_a_sound_is_told_by_its_bytes(kind: str) -> None:
    types = {
        "mp3": "audio/mpeg",
        "ogg_opus": "audio/ogg",
        "ogg_vorbis": "audio/ogg",
        "ogg_flac": "audio/ogg",
        "wav": "audio/wav",
        "wav_float": "audio/wav",
        "m4a": "audio/mp4",
        "aac": "audio/aac",
        "flac": "audio/flac",
        "amr": "audio/amr",
        "webm": "video/webm",
        "mkv": "video/x-matroska",
        "mp4": "video/mp4",
        "mov": "video/quicktime",
    }
    assert sniff(tone(kind, seconds=0.2)) == types[kind]


@pytest.mark.parametrize(
    ("container", "codec", "sound", "mime_type"),
    [
        ("mp4", "libx264", "aac", "video/mp4"),
        ("mov", "libx264", "aac", "video/quicktime"),
        ("3gp", "mpeg4", "aac", "video/3gpp"),
        ("matroska", "libx264", "aac", "video/x-matroska"),
        ("webm", "libvpx", "libopus", "video/webm"),
        ("avi", "mpeg4", "libmp3lame", "video/x-msvideo"),
        ("mpegts", "mpeg2video", "aac", "video/mp2t"),
    ],
)
def test_a_video_is_told_by_its_bytes(container: str, codec: str, sound: str, mime_type: str) -> None:
    rate = 25 if codec == "mpeg2video" else 15
    assert sniff(clip(container, codec, sound=sound, seconds=0.4, rate=rate)) == mime_type


@pytest.mark.parametrize(
    ("names", "mime_type"),
    [
        (("a.txt",), "application/zip"),
        (("[Content_Types].xml", "word/document.xml"), OFFICE + "wordprocessingml.document"),
        (("[Content_Types].xml", "xl/workbook.xml"), OFFICE + "spreadsheetml.sheet"),
        (("[Content_Types].xml", "ppt/presentation.xml"), OFFICE + "presentationml.presentation"),
    ],
)
def test_an_archive_is_told_by_what_it_lists(names: tuple[str, ...], mime_type: str) -> None:
    assert sniff(zipped(*names)) == mime_type


def test_an_open_document_says_itself_what_it_is() -> None:
    file = io.BytesIO()
    kind = "application/vnd.oasis.opendocument.text"
    with zipfile.ZipFile(file, "w") as target:
        target.writestr("mimetype", kind)
        target.writestr("content.xml", "<xml/>")
    assert sniff(file.getvalue()) == kind


@pytest.mark.parametrize(
    ("text", "mime_type"),
    [
        ("<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        ("<?xml version='1.0'?>\n<!-- x --><svg onload='alert(1)'/>", "image/svg+xml"),
        ("  <!DOCTYPE html><p>", "text/html"),
        ("\ufeff<html>", "text/html"),
        ("<ScRipt>alert(1)</script>", "text/html"),
        ("<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'/>", "text/html"),
        ("<?xml version='1.0'?><a/>", "application/xml"),
        ("BEGIN:VCARD\r\nVERSION:3.0", "text/vcard"),
        ("BEGIN:VCALENDAR", "text/calendar"),
        ("%PDF-1.7", "application/pdf"),
        ("Grüße aus der Küche", "text/plain"),
        ("ß" * 5000, "text/plain"),
        ("a" + "ß" * 5000, "text/plain"),
        ("", None),
        ("   \n", None),
    ],
)
def test_a_text_is_told_by_its_beginning(text: str, mime_type: str | None) -> None:
    assert sniff(text.encode()) == mime_type


def test_texts_in_two_bytes_a_letter_are_texts() -> None:
    assert sniff("plain".encode("utf-16")) == "text/plain"


@pytest.mark.parametrize(
    ("data", "mime_type"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "image/heic"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "image/avif"),
        (b"ID3\x04\0\0\0\0\0\x02ab\xff\xfb\x90\x64", "audio/mpeg"),
        (b"ID3\x04\0\0\0\0\0\x02abfLaC", "audio/flac"),
        (b"ID3\x04\0\0\0\0\0\x02ab\xff\xf1\x50\x80", "audio/aac"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "WordDocument".encode("utf-16-le"), "application/msword"),
        (b"\x1f\x8b\x08", "application/gzip"),
        (b"\x00\x01\x02\x03", None),
        (b"\xff\xff\xff\xff", None),
    ],
)
def test_other_kinds_are_told_by_their_marks(data: bytes, mime_type: str | None) -> None:
    assert sniff(data) == mime_type


@given(
    st.binary(max_size=600) | st.builds(bytes.__add__, st.sampled_from([m for m, _ in _MAGIC]), st.binary())
)
@example(b"RIFF")
@example(b"OggS")
@example(b"ID3")
@example(b"PK\3\4")
@example(b"\xff\xfe\x00")
def test_no_bytes_make_it_raise(data: bytes) -> None:
    found = sniff(data)
    assert found is None or "/" in found


@given(st.data())
def test_a_file_cut_short_makes_nothing_raise(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([animation(), zipped("a"), encoded(picture(), "WEBP")]))
    sniff(whole[: data.draw(st.integers(0, len(whole)))])
