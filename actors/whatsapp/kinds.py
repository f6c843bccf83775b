"""What a journal record is: the library's own event codes below 200, the cell's from there on."""

from typing import Final

__all__ = [
    "CAUGHT_UP",
    "DISCONNECTED",
    "EVENT_CODES",
    "JOURNAL_FULL",
    "LOOP_ENDED",
    "OLD_COUNTER",
    "PAIRING_STATUS",
    "QR_CODE",
    "SUBSCRIBED",
]

# The library's (goneonize/main.go): code -> the protobuf message that the record carries. 1, the list of all
# QR codes at once, is left out because the library's own QR loop consumes it; 0 comes unasked at every start.
EVENT_CODES: Final = {
    0: "Device",
    2: "PairStatus",
    3: "Connected",
    4: "KeepAliveTimeout",
    5: "KeepAliveRestored",
    6: "LoggedOut",
    7: "StreamReplaced",
    8: "TemporaryBan",
    9: "ConnectFailure",
    10: "ClientOutdated",
    11: "StreamError",
    12: "Disconnected",
    13: "HistorySync",
    17: "Message",
    18: "Receipt",
    19: "ChatPresence",
    20: "Presence",
    21: "JoinedGroup",
    22: "GroupInfoEvent",
    23: "Picture",
    24: "IdentityChange",
    25: "privacySettingsEvent",
    26: "OfflineSyncPreview",
    27: "OfflineSyncCompleted",
    30: "BlocklistEvent",
    31: "BlocklistChange",
    32: "NewsletterJoin",
    33: "NewsletterLeave",
    34: "NewsletterMuteChange",
    35: "NewsletterLiveUpdate",
    36: "CallOffer",
    37: "CallAccept",
    38: "CallPreAccept",
    39: "CallTransport",
    40: "CallOfferNotice",
    41: "CallRelayLatency",
    42: "CallTerminate",
    43: "UnknownCallEvent",
    44: "UndecryptableMessage",
}
DISCONNECTED: Final = 12
CAUGHT_UP: Final = 27
SUBSCRIBED: Final = bytes(code for code in EVENT_CODES if code)

QR_CODE: Final = 200  # the code's text
PAIRING_STATUS: Final = 201  # the end of the QR codes: `success`, `timeout`…
LOOP_ENDED: Final = 202  # the library's connect returned: Go's error text, or empty
OLD_COUNTER: Final = 203  # the log line about a message that was decrypted before
JOURNAL_FULL: Final = 204  # the bytes held, as a decimal number
