"""What is remembered of uploads."""

from actors.outgoing.uploads import Uploads
from actors.whatsapp.client import MediaKind, Uploaded


def uploaded(number: int) -> Uploaded:
    return Uploaded(f"https://host/{number}", f"/{number}", b"k", b"e", b"f", number)


def test_the_same_file_of_another_kind_is_another_upload() -> None:
    uploads = Uploads()
    uploads.keep("med_1", MediaKind.IMAGE, uploaded(1))
    assert uploads.get("med_1", MediaKind.IMAGE) == uploaded(1)
    assert uploads.get("med_1", MediaKind.DOCUMENT) is None


def test_the_oldest_upload_is_forgotten_first() -> None:
    uploads = Uploads(limit=2)
    for number in (1, 2, 1, 3):
        uploads.keep(f"med_{number}", MediaKind.IMAGE, uploaded(number))
    kept = [number for number in (1, 2, 3) if uploads.get(f"med_{number}", MediaKind.IMAGE)]
    assert kept == [1, 3]


def test_an_upload_is_used_for_its_lifetime_only() -> None:
    now = 0.0
    uploads = Uploads(lifetime=60.0, clock=lambda: now)
    uploads.keep("med_1", MediaKind.IMAGE, uploaded(1))
    now = 60.0
    assert uploads.get("med_1", MediaKind.IMAGE) is not None
    now = 60.1
    assert uploads.get("med_1", MediaKind.IMAGE) is None
