"""Passwords: what is stored of them, what fits, and what it costs to find out."""

import pytest
import trio
import trio.testing
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerifyMismatchError
from argon2.profiles import CHEAPEST, RFC_9106_LOW_MEMORY

from actors.passwords import AT_ONCE, LEAST, MOST, Passwords, new_password


async def test_a_hash_is_argon2id_at_the_cost_of_rfc_9106_and_tells_nothing() -> None:
    stored = await Passwords().hashed("correct horse battery staple")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert "horse" not in stored


async def test_a_password_fits_its_own_hash_alone_and_none_fits_nobodys() -> None:
    passwords = Passwords(CHEAPEST)
    stored = await passwords.hashed("correct horse battery staple")
    assert stored != await passwords.hashed("correct horse battery staple"), "each has a salt of its own"
    assert await passwords.fit("correct horse battery staple", stored)
    for wrong in ("Correct horse battery staple", "", "correct horse battery staple "):
        assert not await passwords.fit(wrong, stored)
        assert not await passwords.fit(wrong, None)
    assert not await passwords.fit("x", "no hash at all")


async def test_an_accent_is_the_same_however_a_keyboard_puts_it() -> None:
    passwords = Passwords(CHEAPEST)
    stored = await passwords.hashed("contrase\u00f1a de Jos\u00e9")
    assert await passwords.fit("contrasen\u0303a de Jose\u0301", stored)


async def test_nobodys_password_costs_as_much_to_compare_with_as_anybodys() -> None:
    passwords = Passwords()
    nobodys = passwords._nobodys()
    assert extract_parameters(nobodys) == passwords.cost
    with pytest.raises(VerifyMismatchError):  # it was compared, and not refused for what it looks like
        PasswordHasher().verify(nobodys, "correct horse battery staple")
    assert not await passwords.fit("correct horse battery staple", None)


async def test_only_so_many_are_in_the_making_and_the_loop_goes_on() -> None:
    passwords = Passwords()
    turns = 0
    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE + 3):
            nursery.start_soon(passwords.hashed, "correct horse battery staple")
        await trio.testing.wait_all_tasks_blocked()
        assert passwords.waiting == 3
        while passwords.waiting:
            await trio.sleep(0.001)
            turns += 1
    assert turns > 5


async def test_a_hash_of_another_cost_is_outdated() -> None:
    cheap = await Passwords(CHEAPEST).hashed("correct horse battery staple")
    assert Passwords(RFC_9106_LOW_MEMORY).outdated(cheap)
    assert not Passwords(CHEAPEST).outdated(cheap)


def test_a_made_password_is_one() -> None:
    made = {new_password() for _ in range(100)}
    assert len(made) == 100
    assert all(LEAST <= len(each) <= MOST for each in made)
