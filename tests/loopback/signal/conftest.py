import pytest

from loopback.signal.peer import SignalPeer
from tests.loopback.signal.talk import Talk


@pytest.fixture
def talk() -> Talk:
    return Talk(SignalPeer.generate(), SignalPeer.generate())


@pytest.fixture
def acquainted(talk: Talk) -> Talk:
    """Both have heard from the other."""
    assert talk.hear(talk.say(b"hello")) == b"hello"
    assert talk.hear_answer(talk.answer(b"hello yourself")) == b"hello yourself"
    return talk
