"""A LangChain agent that makes a song: `python examples/langchain_agent.py "a lo-fi track about rain, 40 seconds"`.

In an environment of its own: `pip install langchain langchain-openai langchain-mcp-adapters`, whose `mcp` is older than ours.
SERVER is the command of this server, MODEL the model; OPENAI_API_KEY and OPENAI_BASE_URL are read by LangChain.
"""

import asyncio
import os
import shlex
import sys

from langchain.agents import create_agent
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools

COMMAND, *ARGUMENTS = shlex.split(os.environ.get("SERVER", "acestep-mcp"))
SERVER = {"transport": "stdio", "command": COMMAND, "args": ARGUMENTS, "env": dict(os.environ)}


async def main(wish: str) -> None:
    async with MultiServerMCPClient({"acestep": SERVER}).session("acestep") as session:
        tools = await load_mcp_tools(session)
        model = os.environ.get("MODEL", "openai:gpt-5-mini")
        agent = create_agent(
            model, tools, system_prompt="Make the song, wait until it is done, and give its file_path."
        )
        answer = await agent.ainvoke({"messages": [("user", wish)]})
        print(answer["messages"][-1].content)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
