"""Labels of WhatsApp Business, which the client library can neither read nor write: every route says so."""

from quart import Blueprint

from api.caller import Scope
from api.operation import impossible

routes = Blueprint("labels", __name__)

_READING = (
    "Labels are settings that the phone shares with its devices. The client library keeps none of them, and"
    " tells nothing of their changes."
)
_WRITING = "The client library cannot write the settings that labels are kept in."

for _method, _rule, _summary in (
    ("GET", "/labels", "All labels."),
    ("GET", "/chats/<jid>/labels", "A chat's labels."),
):
    impossible(routes, _method, _rule, scope=Scope.READ, summary=_summary, why=_READING)

for _method, _rule, _summary in (
    ("POST", "/labels", "A new label."),
    ("PATCH", "/labels/<label_id>", "Change a label's name or colour."),
    ("DELETE", "/labels/<label_id>", "Remove a label."),
    ("PUT", "/chats/<jid>/labels/<label_id>", "Put a label on a chat."),
    ("DELETE", "/chats/<jid>/labels/<label_id>", "Take a label off a chat."),
):
    impossible(routes, _method, _rule, scope=Scope.SETTINGS, summary=_summary, why=_WRITING)
