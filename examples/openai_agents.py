"""An agent of the OpenAI Agents SDK that makes a song: `python examples/openai_agents.py "a lo-fi track about rain"`.

In an environment of its own: `pip install openai-agents`, whose `mcp` is older than ours. SERVER is the command of this server,
MODEL the model; OPENAI_API_KEY and OPENAI_BASE_URL are read by the SDK, so that Ollama and others serve as well.
"""

import asyncio
import os
import shlex
import sys

from agents import Agent, Runner, set_default_openai_api, set_tracing_disabled
from agents.mcp import MCPServerStdio

COMMAND, *ARGUMENTS = shlex.split(os.environ.get("SERVER", "acestep-mcp"))
SERVER = {"command": COMMAND, "args": ARGUMENTS, "env": dict(os.environ)}
SECONDS = 60
"""A call waits up to 25 s for the song; the SDK's own limit is 5."""


async def main(wish: str) -> None:
    set_default_openai_api("chat_completions")
    set_tracing_disabled(disabled=True)
    async with MCPServerStdio(SERVER, name="acestep", client_session_timeout_seconds=SECONDS) as server:
        instructions = "Make the song, wait until it is done, and give its file_path."
        model = os.environ.get("MODEL", "gpt-5-mini")
        agent = Agent(name="musician", instructions=instructions, model=model, mcp_servers=[server])
        print((await Runner.run(agent, wish)).final_output)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
