"""Signing in with a name and a password, and what the cookie is good for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from storage.rows import Role, User
from storage.writes import Insert
from tests.api.stage import Stage

PASSWORD = "correct horse battery staple"


async def test_a_cookie_stands_in_for_a_key(stage: Stage) -> None:
    made = await stage.client.post("/api/users", json={"name": "ana", "password": PASSWORD, "role": "admin"})
    assert made.status_code == 201, made.text
    async with stage.client_with(None) as browser:
        answer = await browser.post("/api/sign-in", json={"name": "ANA", "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        print(answer.headers)
        me = await browser.get("/api/me")
        print(me.text)
        assert (await browser.get("/api/sessions")).status_code == 200
        assert (await browser.post("/api/sign-out")).json()["code"] == "csrf_denied"
        assert (await browser.post("/api/sign-out", headers={"x-terzetto": "1"})).status_code == 204
        assert (await browser.get("/api/me")).json()["code"] == "key_missing"
