"""What who runs a gateway gets at its first start: an admin key and a user, shown once and kept."""

from pathlib import Path

import pytest
from argon2.profiles import CHEAPEST

from actors.passwords import Passwords
from api.owner import FIRST_USER, admin_account, admin_key
from api.running import Account, Running, leave
from storage.rows import Role, User
from storage.writes import Insert, Update
from tests.storage.gateway import Gateway

PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TERZETTO_ADMIN_KEY", raising=False)


async def started(gateway: Gateway, file: Path, given: str | None = None) -> Account | None:
    """Start once, and leave the file behind as a gateway does."""
    account = await admin_account(gateway.reads, gateway.writer, Passwords(CHEAPEST), file, given=given)
    leave(file, Running("http://127.0.0.1:1", await admin_key(gateway.reads, gateway.writer, file), account))
    return account


async def test_the_first_start_makes_an_admin_whose_random_password_is_shown_once_and_kept(
    gateway: Gateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gateway.json"
    account = await started(gateway, file)
    assert account is not None
    assert account.name == FIRST_USER
    assert account.password in capsys.readouterr().out
    assert file.stat().st_mode & 0o077 == 0
    (user,) = await gateway.reads.users()
    assert (user.name, user.role, user.disabled_at) == (FIRST_USER, Role.ADMIN, None)
    assert await Passwords(CHEAPEST).fit(account.password, user.password)
    assert await started(gateway, file) == account, "it stands in the file after the next start too"
    assert capsys.readouterr().out == ""
    assert await started(gateway, tmp_path / "elsewhere.json") is None
    assert len(await gateway.reads.users()) == 1


async def test_a_given_password_is_taken_at_the_first_start_and_not_shown(
    gateway: Gateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gateway.json"
    assert await started(gateway, file, PASSWORD) == Account(FIRST_USER, PASSWORD)
    assert PASSWORD not in capsys.readouterr().out
    assert await started(gateway, file, "another battery horse") == Account(FIRST_USER, PASSWORD)


async def test_nobody_is_made_where_there_are_users(gateway: Gateway, tmp_path: Path) -> None:
    row = User(id="usr_eva", name="eva", password="x", role=Role.VIEWER)
    await gateway.writer.call(Insert(row))
    assert await started(gateway, tmp_path / "gateway.json", PASSWORD) is None
    assert [user.name for user in await gateway.reads.users()] == ["eva"]


@pytest.mark.parametrize("column", ["password", "name"])
async def test_the_file_forgets_a_password_that_is_none_any_more(
    gateway: Gateway, tmp_path: Path, column: str
) -> None:
    file = tmp_path / "gateway.json"
    assert await started(gateway, file) is not None
    (user,) = await gateway.reads.users()
    other = {"password": await Passwords(CHEAPEST).hashed(PASSWORD), "name": "root"}
    await gateway.writer.call(Update(User, user.id, {column: other[column]}))
    assert await started(gateway, file) is None
    assert "password" not in file.read_text(), "of nobody"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"user": 7}', '{"user": {"name": "admin"}}'])
async def test_a_file_that_cannot_be_read_hinders_nothing(
    gateway: Gateway, tmp_path: Path, content: str
) -> None:
    file = tmp_path / "gateway.json"
    await started(gateway, file)
    file.write_text(content)
    assert await started(gateway, file) is None
