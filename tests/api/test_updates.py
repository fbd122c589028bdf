import pytest

from acestep_mcp.api.updates import step_in


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("denoising 3/27", (3, 27)),
        (" 11%|#1        | 3/27 [00:01<00:08,  2.9it/s]", (3, 27)),
        ("rendering 12 / 12", (12, 12)),
        ("0/27", (0, 27)),
        ("28/27", None),
        ("loaded in 3.5/s", None),
        ("2026/11/22", None),
        ("no numbers", None),
        ("1/0", None),
    ],
)
def test_only_a_step_line_is_parsed(line, found):
    assert step_in(line) == found
