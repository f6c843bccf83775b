"""Files put on the media host once more, for a companion that did not find one there (`mediaretry`)."""

import os
import time
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from loopback import proto
from loopback.addresses import Attrs
from loopback.attachments import file_in
from loopback.media import Media
from loopback.signal.cipher import hkdf
from loopback.wire.node import JID, Node

__all__ = ["answer_request"]

GONE = 2  # the code for a file that the phone has no more


def answer_request(receipt: Node, message: Any, media: Media, own: JID) -> Node:
    """The news for the companion: where the message's file is now, or that it is gone."""
    message_id = receipt.attr("id") or ""
    attrs: Attrs = {"from": own, "type": "mediaretry", "id": message_id, "t": int(time.time())}
    rmr = receipt.child("rmr")
    file = file_in(message) if message is not None else None
    data = media.at(file.part.directPath) if file is not None else None
    if file is None or data is None:
        parts = [Node("error", {"code": GONE})]
    else:
        result = proto.mmsretry.MediaRetryNotification(
            stanzaID=message_id,
            directPath=media.store(file.folder, data),
            result=proto.mmsretry.MediaRetryNotification.SUCCESS,
        )
        key = hkdf(file.part.mediaKey, salt=b"", info=b"WhatsApp Media Retry Notification", length=32)
        iv = os.urandom(12)
        sealed = AESGCM(key).encrypt(iv, result.SerializeToString(), message_id.encode())
        parts = [Node("encrypt", {}, [Node("enc_p", {}, sealed), Node("enc_iv", {}, iv)])]
    return Node("notification", attrs, [*parts, *([rmr] if rmr is not None else [])])
