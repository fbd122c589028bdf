"""The published document, and whether it says what the server does."""

from __future__ import annotations

import json
import re

import pytest

from acestep_mcp.api.endpoints import ENDPOINTS

pytestmark = pytest.mark.anyio


async def test_the_document_bears_the_published_names_and_every_reference_leads_somewhere(embedded):
    async with embedded(public_url="https://music.example", key="k") as desk:
        document = (await desk.http.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]
    assert {endpoint.schema for endpoint in ENDPOINTS} | {"ACEStepResponse", "File"} <= set(schemas)
    assert schemas["ACEStepTextToAudioRequest"]["required"] == ["tags"]
    assert schemas["ACEStepTextToAudioRequest"]["properties"]["duration"]["maximum"] == 240
    assert schemas["ACEStepResponse"]["required"] == ["audio", "seed", "tags", "lyrics"]
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert references <= set(schemas)
    assert document["servers"] == [{"url": "https://music.example"}]


async def test_every_path_of_the_document_is_answered(embedded):
    async with embedded() as desk:
        document = (await desk.http.get("/openapi.json")).json()
        operations = [(path, method) for path, item in document["paths"].items() for method in item if len(method) < 5]
        replies = {
            (path, method): await desk.http.request(method, path.format(request_id="none"), json={})
            for path, method in operations
        }
    assert len(operations) == 2 * len(ENDPOINTS) + 4
    expected = {True: {404}, False: {422}}
    assert all(reply.status_code in expected["request_id" in path] for (path, _), reply in replies.items())
