"""Tags that name a LoRA adapter."""

import pytest

from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.api.requests import TextToAudio
from acestep_mcp.readers.lora_tags import LoraTag, without_loras

OFFERED = ("Night drive", "jazz")


@pytest.mark.parametrize(
    ("tags", "left", "named"),
    [
        ("lofi, piano", "lofi, piano", ()),
        ("lofi, lora:jazz, piano", "lofi, piano", (LoraTag("jazz"),)),
        ("LoRA : night DRIVE : -.5", "", (LoraTag("Night drive", -0.5),)),
        ("<lora:jazz:0.8>,lofi", "lofi", (LoraTag("jazz", 0.8),)),
        ("lora:jazz, lofi, lora:jazz:2", "lofi", (LoraTag("jazz", 2),)),
        ("flora: jazz, lora, explora:jazz", "flora: jazz, lora, explora:jazz", ()),
    ],
)
def test_an_adapter_is_read_and_taken_out_of_the_tags(tags, left, named):
    request, found = without_loras(TextToAudio(tags=tags), OFFERED)
    assert (request.tags, found) == (left, named)


@pytest.mark.parametrize(
    ("tags", "offered", "message"),
    [
        ("lofi, lora:blues", OFFERED, "tags: 'lora:blues' names no LoRA adapter that is here; there are: Night drive, jazz"),
        ("lora:", OFFERED, "'lora:' names no LoRA adapter"),
        ("lora:blues", (), "names a LoRA adapter, and none can be chosen here; leave it out"),
        ("lora:jazz:2.1", OFFERED, "the weight in 'lora:jazz:2.1' is no number from -2 to 2"),
        ("lora:jazz:", OFFERED, "the weight in 'lora:jazz:' is no number"),
        ("lora:jazz:\u0661", OFFERED, "is no number"),
    ],
)  # fmt: skip
def test_a_name_that_is_not_offered_and_a_weight_out_of_range_are_refused(tags, offered, message):
    with pytest.raises(InvalidRequest) as caught:
        without_loras(TextToAudio(tags=tags), offered)
    assert message in caught.value.message
