"""A model behind an OpenAI-compatible address that follows a script.

It asks for a song, then for the job until that is done, and then answers with the song's path, as it stands in what it was told.
"""

import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SONG = {"tags": "piano, calm", "lyrics": "[inst]", "duration": 5}


def reply(messages):
    told = [message for message in messages if message["role"] == "tool"]
    if not told:
        return call("text_to_audio", SONG)
    text = json.dumps(told[-1]["content"], ensure_ascii=False)
    if path := re.search(r'(?<![/:\w])/[^"\\%]*\.wav', text):
        return {"role": "assistant", "content": f"Here it is: {path[0]}"}
    if job := re.search(r"job_id\W+([\w-]+)", text):
        return call("get_job", {"job_id": job[1]})
    return {"role": "assistant", "content": f"I was told: {text}"}


def call(name, arguments):
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": function}]}


class Completions(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert "text_to_audio" in {tool["function"]["name"] for tool in asked["tools"]}
        choice = {"index": 0, "message": reply(asked["messages"]), "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        answer = {"id": "1", "object": "chat.completion", "created": 1, "model": asked["model"], "usage": usage}
        body = json.dumps(answer | {"choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serving():
    """A server on a free port of loopback, not yet running."""
    return ThreadingHTTPServer(("127.0.0.1", 0), Completions)
