"""The cryptography of a simulated phone: no input or output, only values and functions of them.

`peer` holds a device's identity, sessions and groups; `padding` goes around its plaintexts; `adv` and
`paircode` link companions; `media` encrypts files; `keyshare` hands over the keys of the synced settings.
"""

from loopback.signal.errors import SignalError
from loopback.signal.keys import KeyPair
from loopback.signal.peer import SignalPeer
from loopback.signal.x3dh import PreKey, PreKeyBundle

__all__ = ["KeyPair", "PreKey", "PreKeyBundle", "SignalError", "SignalPeer"]
