/** The texts of the ready-made programs. They run as they are, once phone, key and secret are right. */

export const WISHES = ["send", "webhook", "events"];
export const LANGUAGES = { curl: "curl", python: "Python", javascript: "JavaScript" };

const PHONE = "628123456789";

/** wish → language → program, for a gateway's address and a key of the session. */
export function programs({ url, key }) {
  return {
    send: { curl: sendCurl(url, key), python: sendPython(url, key), javascript: sendJavascript(url, key) },
    webhook: { curl: webhookCurl(url, key), python: WEBHOOK_PYTHON, javascript: WEBHOOK_JAVASCRIPT },
    events: { curl: eventsCurl(url, key), python: eventsPython(url, key), javascript: eventsJavascript(url, key) },
  };
}

const sendCurl = (url, key) => `curl ${url}/api/messages/text \\
  -H "x-api-key: ${key}" -H "content-type: application/json" \\
  -d '{"phone": "${PHONE}", "message": "Hello"}'
`;

const sendPython = (url, key) => `import httpx

answer = httpx.post(
    "${url}/api/messages/text",
    headers={"x-api-key": "${key}"},
    json={"phone": "${PHONE}", "message": "Hello"},
    timeout=90,
)
print(answer.status_code, answer.json())
`;

const sendJavascript = (url, key) => `const answer = await fetch("${url}/api/messages/text", {
  method: "POST",
  headers: { "x-api-key": "${key}", "content-type": "application/json" },
  body: JSON.stringify({ phone: "${PHONE}", message: "Hello" }),
});
console.log(answer.status, await answer.json());
`;

const webhookCurl = (url, key) => `curl ${url}/api/webhooks \\
  -H "x-api-key: ${key}" -H "content-type: application/json" \\
  -d '{"url": "https://example.com/hook", "events": ["messages.upsert"]}'
`;

const WEBHOOK_PYTHON = `import base64, hashlib, hmac, json, os, time
from http.server import BaseHTTPRequestHandler, HTTPServer

KEY = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if genuine(self.headers, body):
            event = json.loads(body)
            print(event["event"], event["sessionId"], event["data"])
            self.send_response(204)
        else:
            self.send_response(401)
        self.end_headers()


def genuine(headers, body):
    number, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "0")
    signed = hmac.digest(KEY, f"{number}.{at}.".encode() + body, hashlib.sha256)
    ours = "v1," + base64.b64encode(signed).decode()
    given = headers.get("webhook-signature", "").split()
    recent = abs(time.time() - int(at)) < 300
    return recent and any(hmac.compare_digest(ours, each) for each in given)


HTTPServer(("127.0.0.1", 9000), Receiver).serve_forever()
`;

const WEBHOOK_JAVASCRIPT = `import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const KEY = Buffer.from(process.env.WEBHOOK_SECRET.replace("whsec_", ""), "base64");

function genuine(headers, body) {
  const { "webhook-id": number, "webhook-timestamp": at } = headers;
  const hmac = createHmac("sha256", KEY).update(\`\${number}.\${at}.\`).update(body);
  const ours = Buffer.from("v1," + hmac.digest("base64"));
  const given = (headers["webhook-signature"] ?? "").split(" ").map((each) => Buffer.from(each));
  const recent = Math.abs(Date.now() / 1000 - Number(at)) < 300;
  return recent && given.some((each) => each.length === ours.length && timingSafeEqual(each, ours));
}

createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const body = Buffer.concat(parts);
  if (!genuine(request.headers, body)) return response.writeHead(401).end();
  const event = JSON.parse(body);
  console.log(event.event, event.sessionId, event.data);
  response.writeHead(204).end();
}).listen(9000, "127.0.0.1");
`;

const eventsCurl = (url, key) => `curl "${url}/api/events?after=0&wait=30" \\
  -H "x-api-key: ${key}"
`;

const eventsPython = (url, key) => `import httpx

after = "0"  # the oldest that is kept; keep the last cursor in a file to go on there
with httpx.Client(headers={"x-api-key": "${key}"}, timeout=90) as client:
    while True:
        found = client.get("${url}/api/events", params={"after": after, "wait": 60})
        found.raise_for_status()
        for event in found.json()["events"]:
            print(event["event"], event["sessionId"], event["data"])
        after = found.json()["cursor"]
`;

const eventsJavascript = (url, key) => `let cursor = ""; // keep it in a file to go on there

function follow() {
  const socket = new WebSocket("${url.replace("http", "ws")}/api/ws" + (cursor && \`?after=\${cursor}\`));
  socket.onopen = () => socket.send(JSON.stringify({ apiKey: "${key}" }));
  socket.onmessage = ({ data }) => {
    const event = JSON.parse(data);
    console.log(event.event, event.sessionId, event.data);
    cursor = event.cursor;
  };
  socket.onclose = () => setTimeout(follow, 1000);
}

follow();
`;
