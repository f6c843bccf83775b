"""Which of the library's log lines say that its store fails."""

import pytest

from actors.whatsapp.hosted import STORE_FAILED

FAILED = "Error decrypting message 3A00F3 from 4371690@lid: failed to decrypt prekey message: "
LOAD = "failed to load session with 4371690_1:0: "


@pytest.mark.parametrize(
    "error",
    [
        LOAD + 'pq: pg_hba.conf rejects connection for host "[local]", no encryption (28000)',
        LOAD + "pq: remaining connection slots are reserved for roles with the SUPERUSER attribute (53300)",
        LOAD + "pq: the database system is shutting down (57P03)",
        LOAD + "pq: cannot execute INSERT in a read-only transaction (25006)",
        LOAD + "driver: bad connection",
        LOAD + "dial tcp 127.0.0.1:5432: connect: connection refused",
        LOAD + "dial unix /run/pg/.s.PGSQL.5432: connect: no such file or directory",
        LOAD + "read tcp 127.0.0.1:3->127.0.0.1:5432: read: connection reset by peer",
        "failed to store session: database or disk is full",
        "failed to store session: database is locked",
    ],
)
def test_an_outage_is_known_by_what_the_driver_says(error: str) -> None:
    assert STORE_FAILED.fullmatch(FAILED + error)


@pytest.mark.parametrize(
    "line",
    [
        FAILED + "prekey store didn't return one-time key with ID 2",
        FAILED + "mismatching MAC in signal message",
        FAILED + "proto: unexpected EOF",
        FAILED + LOAD + 'pq: invalid byte sequence for encoding "UTF8": 0x00 (22021)',
        FAILED + LOAD + "pq: new row violates check constraint (23514)",
        "Failed to save push name of 4371690@lid in device store: driver: bad connection",
        # The message's id is whatever its sender calls it.
        "Error decrypting message x: driver: bad connection from 4371690@lid: mismatching MAC",
        "Error decrypting message pq: x (57P03) from 4371690@lid: mismatching MAC in signal message",
    ],
)
def test_what_a_sender_can_bring_about_is_no_outage(line: str) -> None:
    assert not STORE_FAILED.fullmatch(line)
