"""What may go wrong in a Signal peer's cryptography: one base, leaves that are facts.

Nothing here carries key material or plaintext, so every error may be logged.
"""


class SignalError(Exception):
    """Base of all errors of this package."""


class MalformedError(SignalError):
    """The bytes or the text are not what they should be: wrong length, missing field, impossible key."""


class BadSignatureError(SignalError):
    """A signature does not verify."""


class UndecryptableError(SignalError):
    """The code that authenticates the ciphertext does not match: damage, or another key."""


class DuplicateError(SignalError):
    """A message with this counter was decrypted before, or its key was thrown away long ago."""

    def __init__(self, counter: int) -> None:
        super().__init__(f"message {counter} of this chain was already decrypted")
        self.counter = counter


class TooFarAheadError(SignalError):
    """The counter jumps further ahead than any honest sender would."""

    def __init__(self, counter: int, expected: int) -> None:
        super().__init__(f"message {counter} is too far ahead of {expected}")
        self.counter = counter
        self.expected = expected


class NoSessionError(SignalError):
    """There is no session with this address: a bundle, or a message of type pkmsg, has to come first."""

    def __init__(self, address: str) -> None:
        super().__init__(f"no session with {address}")
        self.address = address


class UnknownPreKeyError(SignalError):
    """A first message names a prekey that this peer does not have, or has no longer."""

    def __init__(self, prekey_id: int) -> None:
        super().__init__(f"no prekey {prekey_id}")
        self.prekey_id = prekey_id


class NoSenderKeyError(SignalError):
    """No sender key with this id has been distributed to this peer by this member of the group."""

    def __init__(self, group: str, address: str, key_id: int) -> None:
        super().__init__(f"no sender key {key_id} of {address} in {group}")
        self.group = group
        self.address = address
        self.key_id = key_id
