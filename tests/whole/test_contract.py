"""The gateway is what its description says: schemathesis asks a sandbox for every operation."""

import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import trio

from tests.whole.processes import ROOT, Json, start_sandbox

EXAMPLES = os.environ.get("CONTRACT_EXAMPLES")
"""How many random requests to each operation, beside those at the bounds of what is described. With it all
operations are asked, which takes minutes; without it those whose bodies are small, and each at one path."""

LARGE = (
    r"_of_session$|^messages_(send|post|vote|react|forward)|_put_picture$"
    r"|^(sessions|webhooks|channels|media)_(create|patch|change|store)"
)

CONFIG = """
[session]
per_minute = 100000
burst = 100000
"""
ANA, BUDI = "628110000001", "628110000002"
PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR4nGNkaGhgYGBgYmBgYGBgAAALqgEE5z0TngAAAABJRU5E"
    "rkJggg=="
)


async def test_every_operation_answers_as_described(tmp_path: Path) -> None:
    sandbox, found = await start_sandbox(tmp_path, CONFIG)
    try:
        admin = {"x-api-key": found["adminKey"]}
        async with httpx.AsyncClient(base_url=found["url"], headers=admin, timeout=60) as http:
            environment = {"CONTRACT_KEY": found["adminKey"], **await furnished(http)}
        extent = ["--phases", "coverage", "--exclude-operation-id-regex", LARGE]
        if EXAMPLES:
            extent = ["--phases", "coverage,fuzzing", "--max-examples", EXAMPLES]
        ended = await trio.run_process(
            [
                *(sys.executable, "-m", "schemathesis.cli"),
                *("--config-file", str(Path(__file__).with_name("schemathesis.toml"))),
                *("run", f"{found['url']}/openapi.json", *extent),
            ],
            capture_stdout=True,
            check=False,
            cwd=ROOT,
            env={**os.environ, **environment},
        )
    finally:
        await sandbox.stop()
    said = ended.stdout.decode(errors="replace")
    assert ended.returncode == 0, said


async def furnished(http: httpx.AsyncClient) -> dict[str, str]:
    """What there is to be asked for, by the names that schemathesis.toml knows it by."""
    ana = await _belongings(http, "ana", BUDI)
    budi = await _belongings(http, "budi", ANA)
    await _made(http, "ana", "sessions", {"id": "spare", "name": "Spare", "start": False})
    own = {f"ANA_{name}": value for name, value in ana.items()}
    return own | {f"BUDI_{name}": value for name, value in budi.items()}


async def _belongings(http: httpx.AsyncClient, session: str, other: str) -> dict[str, str]:
    """Something of each kind for one of the sandbox's two sessions; `other` is the other's number."""
    post = partial(_made, http, session)
    group = await post("chats/groups", {"subject": "All", "participants": [other]})
    channel = await post("channels", {"name": "News"})
    scheduled = {"phone": other, "message": "later", "sendAt": "2099-01-01T00:00:00Z"}
    batch = {"items": [{"type": "text", "phone": other, "message": "one of many"}]}
    viewer = {"name": f"of-{session}", "password": "0123456789", "role": "viewer"}
    return {
        "GROUP": group["jid"],
        "CHANNEL": channel["jid"],
        "INVITE": channel["inviteCode"],
        "MEDIA": (await post("media", {"base64": PICTURE}))["id"],
        "SCHEDULED": (await post("messages/text", scheduled))["messageId"],
        "BATCH": (await post("messages/batch", batch))["batchId"],
        "WEBHOOK": (await post("webhooks", {"url": "http://127.0.0.1:9/"}))["webhook"]["id"],
        "KEY": (await post("keys", {"name": "spare"}))["key"]["id"],
        "USER": (await post("users", viewer))["id"],
        "MESSAGE": (await post("messages/text", {"phone": other, "message": "hello"}))["messageId"],
        "PICTURE": (await post("messages/image", {"phone": other, "imageBase64": PICTURE}))["messageId"],
    }


async def _made(http: httpx.AsyncClient, session: str, path: str, body: Json) -> dict[str, Any]:
    answer = await http.post(f"/api/{path}", json=body, headers={"x-session-id": session})
    assert answer.is_success, f"{path}: {answer.text}"
    return dict(answer.json())
