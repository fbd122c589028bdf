"""The prompts as Agent Skills."""

import hashlib
from pathlib import Path

import pytest
from mcp import MCPError
from mcp.types import PaginatedRequestParams

from acestep_mcp.server import skills
from acestep_mcp.server.prompts import load

FOLDER = Path(__file__).parents[2] / "skills"


@pytest.fixture
async def listed(anyio_backend):
    lists, _ = skills.Skills().methods()
    return (await lists.handler(None, PaginatedRequestParams()))["skills"]


@pytest.mark.anyio
async def test_each_prompt_is_a_skill_whose_file_is_the_one_of_its_digest(listed):
    assert [skill["frontmatter"]["name"] for skill in listed] == [prompt.name for prompt in load()]
    for skill in listed:
        [file] = skill["resources"]
        content = skills.read(skill["uri"]).content.encode()
        assert (file["uri"], file["size"]) == (skill["uri"], len(content))
        assert file["digest"] == f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.mark.anyio
async def test_a_skill_is_found_by_its_uri_and_an_unknown_one_names_those_that_there_are(listed):
    _, gets = skills.Skills().methods()
    assert (await gets.handler(None, skills.SkillParams(uri=listed[0]["uri"])))["skill"] == listed[0]
    for ask in (lambda: skills.read("skill://nothing/SKILL.md"), lambda: skills.read(listed[0]["uri"] + "x")):
        with pytest.raises(MCPError, match=r"The skills are .*skill://write-a-song/SKILL\.md"):
            ask()


@pytest.mark.anyio
async def test_skills_are_listed_on_one_page():
    lists, _ = skills.Skills().methods()
    with pytest.raises(MCPError, match="leave it out"):
        await lists.handler(None, PaginatedRequestParams(cursor="2"))


@pytest.mark.parametrize("prompt", load(), ids=lambda prompt: prompt.name)
def test_the_folder_of_skills_says_what_the_prompts_say(prompt):
    text = (FOLDER / prompt.name / "SKILL.md").read_text("utf-8")
    assert text == skills.skill_text(prompt), "write it again: python -m tools.skills"
    for argument in prompt.arguments:
        assert f"- {argument.name}: " in text
    assert "{" not in text.replace('{"', "").replace("{}", "")


def test_the_folder_holds_no_other_skill():
    assert sorted(path.name for path in FOLDER.iterdir()) == [prompt.name for prompt in load()]
