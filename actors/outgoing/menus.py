"""Buttons and lists to choose from, as WhatsApp's "native flow". Whether a phone shows them is not promised.

WhatsApp means them for businesses of its own platform and changes what it shows of others' without notice.
"""

import json
from typing import Any, assert_never

from actors.outgoing.content import Button, Buttons, ListMenu
from actors.whatsapp.proto import e2e


def buttons_message(content: Buttons) -> Any:
    """A text with buttons below it."""
    message = _interactive(content.text, content.title, content.footer)
    for button in content.buttons:
        _put_button(message, *_flow(button))
    return message


def list_message(content: ListMenu) -> Any:
    """A text with one button that opens a list."""
    message = _interactive(content.text, content.title, content.footer)
    sections = [
        {
            "title": section.title,
            "rows": [
                {"header": "", "title": row.title, "description": row.description or "", "id": row.id}
                for row in section.rows
            ],
        }
        for section in content.sections
    ]
    _put_button(message, "single_select", {"title": content.button, "sections": sections})
    return message


def _interactive(text: str, title: str | None, footer: str | None) -> Any:
    message = e2e.Message()
    interactive = message.interactiveMessage
    interactive.body.text = text
    interactive.header.hasMediaAttachment = False
    if title:
        interactive.header.title = title
    if footer:
        interactive.footer.text = footer
    interactive.nativeFlowMessage.messageVersion = 1
    return message


def _flow(button: Button) -> tuple[str, dict[str, Any]]:
    said = {"display_text": button.text}
    match button.kind:
        case "reply":
            return "quick_reply", {**said, "id": button.id or button.text}
        case "url":
            return "cta_url", {**said, "url": button.value, "merchant_url": button.value}
        case "call":
            return "cta_call", {**said, "phone_number": button.value}
        case "copy":
            return "cta_copy", {**said, "id": button.id or button.text, "copy_code": button.value}
        case _:
            assert_never(button.kind)


def _put_button(message: Any, name: str, parameters: dict[str, Any]) -> None:
    said = json.dumps(parameters, ensure_ascii=False)
    message.interactiveMessage.nativeFlowMessage.buttons.add(name=name, buttonParamsJSON=said)
