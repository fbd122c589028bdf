"""What child processes inherit."""

import os

from acestep_mcp.api.environment import DESKTOP, MODELS, inherited

SECRETS = {
    "FAL_KEY": "s", "FAL_KEY_ID": "s", "FAL_KEY_SECRET": "s", "ACESTEP_TOKEN": "s", "ACESTEP_KEY_FILE": "s", "ACESTEP_ENGINE_KEY": "s",
    "ACESTEP_LLM_KEY": "s", "ACESTEP_ASR_KEY": "s", "ACESTEP_WEBHOOK_URL": "s", "HF_TOKEN": "s", "OPENAI_API_KEY": "s", "AWS_SECRET_ACCESS_KEY": "s",
    "GITHUB_TOKEN": "s", "DATABASE_URL": "s", "PGPASSWORD": "s", "XDG_SECRET": "s", "MYSQL_PWD": "s", "SSH_AUTH_SOCK": "s", "PYTHON_KEYRING": "s",
}  # fmt: skip


def test_a_child_inherits_what_it_needs_to_run_and_no_key(monkeypatch):
    for name, value in (
        SECRETS | {"ACESTEP_DEVICE": "cuda", "DISPLAY": ":0", "LC_ALL": "C", "CUDA_VISIBLE_DEVICES": "1"}
    ).items():
        monkeypatch.setenv(name, value)
    for more, wanted in (("", set()), (MODELS, {"ACESTEP_DEVICE", "CUDA_VISIBLE_DEVICES"}), (DESKTOP, {"DISPLAY"})):
        found = inherited(more)
        assert not SECRETS.keys() & found.keys()
        assert found["PATH"] == os.environ["PATH"]
        assert {"ACESTEP_DEVICE", "CUDA_VISIBLE_DEVICES", "DISPLAY", "LC_ALL"} & found.keys() == wanted | {"LC_ALL"}


def test_a_key_that_a_child_needs_is_named(monkeypatch):
    monkeypatch.setenv("ACESTEP_LLM_KEY", "s")
    assert inherited(MODELS, keys=("ACESTEP_LLM_KEY",))["ACESTEP_LLM_KEY"] == "s"
