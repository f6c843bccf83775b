"""Sending and looking up messages over HTTP."""


from actors.session.messages import SendText
from tests.api.stage import Stage

TEXT = {"phone": "628110000002", "message": "halo"}


async def test_a_text_is_answered_byte_for_byte_as_clients_expect(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        answer = await client.post("/api/messages/text", json=TEXT)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.content == (
        b'{"messageId":"3EB0C0FFEE","status":"sent","timestamp":1769860800,'
        b'"chat":"628110000002@s.whatsapp.net",'
        b'"key":{"remoteJid":"628110000002@s.whatsapp.net","fromMe":true,"id":"3EB0C0FFEE"}}'
    )
    assert stage.scripts["ana"].asked[-1] == SendText(to="628110000002", text="halo")
