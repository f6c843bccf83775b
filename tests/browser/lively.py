"""A sandbox in which something goes on: people who write, a group, pictures, sessions in several states."""

import base64
from io import BytesIO

from PIL import Image, ImageDraw

from tests.browser.sandbox import ANA, BUDI, Sandbox

CITRA, DEWI, EKO = "628110000011", "628110000012", "628110000013"
"""People with a phone and no session."""


def make_lively(sandbox: Sandbox) -> None:
    """Let people meet and write to `ana`; what they wrote is stored when this returns."""
    for number, name in ((CITRA, "Citra"), (DEWI, "Dewi"), (EKO, "Eko")):
        sandbox.phone(number, name)
    sandbox.write(CITRA, ANA, "Good morning! Do you still have the blue kettle?")
    send(sandbox, "ana", BUDI, "The kettles have come. Can you fetch them on Monday?")
    send(sandbox, "budi", ANA, "Monday at ten, yes.")
    send(sandbox, "ana", CITRA, "Good morning, Citra. Two of them; shall I put one aside?")
    picture = {"kind": "image", "data": kettle(), "mimetype": "image/jpeg", "caption": "This one?"}
    sandbox.network("POST", f"phones/{CITRA}/messages", {"to": ANA, "media": picture})
    sandbox.write(DEWI, ANA, "My order came today. Thank you! 🎉")
    poll = {"question": "When shall we deliver?", "options": ["Morning", "Afternoon", "Evening"]}
    sandbox.network("POST", f"phones/{EKO}/messages", {"to": ANA, "poll": poll})
    group = sandbox.network(
        "POST", f"phones/{DEWI}/groups", {"subject": "Friends of the shop", "participants": [ANA, CITRA, EKO]}
    )["group"]
    for number, text in (
        (DEWI, "Welcome, all!"),
        (EKO, "Hello 👋"),
        (CITRA, "Is there a meeting on Friday?"),
    ):
        sandbox.write(number, group, text)
        sandbox.received("ana", text)
    sandbox.received("ana", "This one?")
    sandbox.received("ana", "When shall we deliver?")
    sandbox.call("POST", "/api/sessions", {"id": "citra", "name": "Citra's kiosk"})
    sandbox.call("POST", "/api/sessions", {"id": "dewi", "name": "Dewi"})
    sandbox.call("POST", "/api/sessions/dewi/stop")
    sandbox.call("POST", "/api/sessions/ana/webhooks", {"url": "http://127.0.0.1:9/nobody-listens"})
    sandbox.somebody("olga", "operator")
    sandbox.somebody("vera", "viewer", sessions=["ana"])


def send(sandbox: Sandbox, session: str, to: str, message: str) -> None:
    """Let a session write."""
    sandbox.call("POST", f"/api/sessions/{session}/messages/text", {"phone": to, "message": message})


def kettle() -> str:
    """A picture of a kettle, a JPEG in base64."""
    image = Image.new("RGB", (480, 360), "#e9e4d8")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 280, 480, 360), fill="#b99b72")
    draw.arc((150, 60, 330, 240), 180, 360, fill="#333333", width=12)
    draw.polygon([(320, 190), (410, 120), (420, 140), (335, 250)], fill="#1f5f9e")
    draw.ellipse((140, 130, 340, 310), fill="#2a78c4")
    draw.ellipse((225, 115, 255, 145), fill="#333333")
    data = BytesIO()
    image.resize((280, 210)).save(data, "JPEG", quality=80)
    return base64.b64encode(data.getvalue()).decode()
