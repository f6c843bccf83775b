"""What a file is, told from its bytes alone: never from a name, and without parsing it."""

__all__ = ["sniff"]

HEAD = 4096  # bytes in which a text shows what it is
DIRECTORY = 256 * 1024  # bytes at the end of an archive, where it lists what is in it

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"8BPS", "image/vnd.adobe.photoshop"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"),
    (b"\0\0\1\0", "image/vnd.microsoft.icon"),
    (b"fLaC", "audio/flac"),
    (b"#!AMR\n", "audio/amr"),
    (b"#!AMR-WB\n", "audio/amr-wb"),
    (b"MThd", "audio/midi"),
    (b"FLV\1", "video/x-flv"),
    (b"\0\0\1\xba", "video/mpeg"),
    (b"\0\0\1\xb3", "video/mpeg"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-asf"),
    (b"%!PS", "application/postscript"),
    (b"{\\rtf", "application/rtf"),
    (b"\x1f\x8b", "application/gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\0", "application/x-xz"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"SQLite format 3\0", "application/vnd.sqlite3"),
    (b"\x7fELF", "application/x-executable"),
    (b"MZ", "application/vnd.microsoft.portable-executable"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_BRANDS = {  # of ISO base media files
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"M4P ": "audio/mp4",
    b"qt  ": "video/quicktime",
    b"avif": "image/avif",
    b"avis": "image/avif",
} | dict.fromkeys((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"), "image/heic")
_ARCHIVED = (
    (b"word/document.xml", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (b"xl/workbook.xml", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (b"ppt/presentation.xml", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    (b"AndroidManifest.xml", "application/vnd.android.package-archive"),
    (b"META-INF/MANIFEST.MF", "application/java-archive"),
)
_COMPOUND = (  # names of streams in what Office wrote before
    ("WordDocument", "application/msword"),
    ("Workbook", "application/vnd.ms-excel"),
    ("PowerPoint Document", "application/vnd.ms-powerpoint"),
)
_HTML = tuple(
    f"<{tag}" for tag in ("!doctype html", "html", "head", "body", "script", "iframe", "style", "title")
) + tuple(f"<{tag}" for tag in ("!--", "table", "div", "p>", "a ", "b>", "br", "h1", "font", "img"))
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\f\r\x1b")) + b"\x7f"


def sniff(data: bytes) -> str | None:
    """The MIME type of these bytes; None when they are of no known kind. Never raises."""
    for magic, mime_type in _MAGIC:
        if data.startswith(magic):
            return mime_type
    return _container(data) or _audio(data) or _archive(data) or _text(data)


def _container(data: bytes) -> str | None:
    """Formats that hold others: what they are is told by a name a little further on."""
    four, name = data[:4], data[8:12]
    if four == b"RIFF":
        return _RIFF.get(name)
    if four == b"FORM" and name in {b"AIFF", b"AIFC"}:
        return "audio/aiff"
    if four == b"\x1a\x45\xdf\xa3":
        return "video/webm" if b"webm" in data[:HEAD] else "video/x-matroska"
    if four == b"OggS":
        return _ogg(data[:HEAD])
    if data[4:8] == b"ftyp":
        if name[:3] in {b"3gp", b"3g2"}:
            return "video/3gpp"
        if name in {b"mif1", b"msf1"} and b"avif" in data[12:64]:
            return "image/avif"
        return _BRANDS.get(name, "video/mp4")
    if data[4:8] in {b"moov", b"mdat", b"wide"}:
        return "video/quicktime"
    if data[:2] == b"BM" and data[6:10] == bytes(4) and len(data) > 26:
        return "image/bmp"
    if data[:1] == b"G" and data[188:189] == b"G" and data[376:377] == b"G":
        return "video/mp2t"
    return None


def _ogg(head: bytes) -> str:
    if b"\x80theora" in head:
        return "video/ogg"
    if any(mark in head for mark in (b"OpusHead", b"\x01vorbis", b"\x7fFLAC", b"Speex   ")):
        return "audio/ogg"
    return "application/ogg"


def _audio(data: bytes) -> str | None:
    """MPEG audio, which begins with a frame or with an ID3 tag before that."""
    if data[:3] == b"ID3" and len(data) >= 10:
        size = data[6] << 21 | data[7] << 14 | data[8] << 7 | data[9]
        rest = data[10 + size : 14 + size]
        return "audio/flac" if rest == b"fLaC" else _frame(rest) or "audio/mpeg"
    return _frame(data[:4])


def _frame(header: bytes) -> str | None:
    if len(header) < 4 or header[0] != 0xFF:
        return None
    if header[1] & 0xF6 == 0xF0:
        return "audio/aac"
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    is_layer_3 = header[1] >> 5 == 7 and version != 1 and layer == 1
    return "audio/mpeg" if is_layer_3 and header[2] >> 4 != 15 and header[2] >> 2 & 3 != 3 else None


def _archive(data: bytes) -> str | None:
    if b"%PDF-" in data[:1024]:
        return "application/pdf"
    if data[:4] in {b"PK\3\4", b"PK\5\6"}:
        return _zip(data[:HEAD], data[-DIRECTORY:])
    if data[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        for name, mime_type in _COMPOUND:
            if name.encode("utf-16-le") in data:
                return mime_type
        return "application/x-ole-storage"
    if data[257:262] == b"ustar":
        return "application/x-tar"
    return None


def _zip(head: bytes, directory: bytes) -> str:
    for kind in (b"application/epub+zip", b"application/vnd.oasis.opendocument."):
        if head[30:38] == b"mimetype" and head[38:].startswith(kind):
            return head[38:120].split(b"PK", 1)[0].decode("ascii", "ignore")
    for name, mime_type in _ARCHIVED:
        if name in directory:
            return mime_type
    return "application/zip"


def _text(data: bytes) -> str | None:
    """Texts, by how they begin; what may hold a script is told apart, so that nobody shows it."""
    text = _decoded(data[:HEAD])
    if text is None:
        return None
    start = text.lstrip("\ufeff \t\r\n\f").lower()
    if start.startswith(("<?xml", "<!doctype svg", "<svg", "<!--")) and "<svg" in start:
        return "image/svg+xml"
    if start.startswith(_HTML) or (start.startswith("<?xml") and "<html" in start):
        return "text/html"
    if start.startswith("<?xml"):
        return "application/xml"
    if start.startswith("begin:vcard"):
        return "text/vcard"
    if start.startswith("begin:vcalendar"):
        return "text/calendar"
    return "text/plain" if start else None


def _decoded(head: bytes) -> str | None:
    """The beginning of a text; None for what is none."""
    if head[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return head.decode("utf-16", "replace")
    if head.translate(None, _CONTROLS) != head:
        return None
    try:
        return head.decode()
    except UnicodeDecodeError as error:
        return head[: error.start].decode() if len(head) == HEAD and error.start >= HEAD - 3 else None
