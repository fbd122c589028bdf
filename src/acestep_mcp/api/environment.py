"""What of this process's environment a process that it starts inherits: what it needs to run, and no key."""

from __future__ import annotations

import os
import re

_SYSTEM = (
    r"PATH|HOME|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|TEMP|TMP|PWD|USER|LOGNAME|LD_LIBRARY_PATH|DYLD_\w+|PYTHON\w+|VIRTUAL_ENV"
    r"|CONDA_PREFIX|XDG_\w+|SYSTEMROOT|SYSTEMDRIVE|WINDIR|COMSPEC|PATHEXT|USERPROFILE|USERNAME|APPDATA|LOCALAPPDATA"
    r"|PROGRAM\w+|NUMBER_OF_PROCESSORS|PROCESSOR_\w+|OMP_\w+|MKL_\w+|OPENBLAS_\w+|NUMEXPR_\w+"
)
MODELS = (
    r"ACESTEP_\w+|HF_\w+|HUGGINGFACE_\w+|TRANSFORMERS_\w+|DIFFUSERS_\w+|TORCH\w*|PYTORCH_\w+|TRITON_\w+|CUDA_\w+|NVIDIA_\w+"
    r"|NCCL_\w+|ROCM_\w+|ROCR_\w+|HIP_\w+|HSA_\w+|MIOPEN_\w+|ONEAPI_\w+|SYCL_\w+|ZE_\w+|(HTTPS?|ALL|NO)_PROXY|SSL_CERT_\w+"
    r"|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE"
)
"""Names of what an engine with a model reads besides: its settings, devices, downloads and proxies."""
TRACING = r"OTEL_\w+"
"""Of what an OpenTelemetry SDK reads, in a process of our own that may have one."""
MODEL_KEYS = ("HF_TOKEN", "HF_TOKEN_PATH", "HUGGING_FACE_HUB_TOKEN", "TOKENIZERS_PARALLELISM")
"""And of what it needs although it looks like a secret: downloads of models may need a token."""
DESKTOP = r"DISPLAY|WAYLAND_\w+|XAUTHORITY|DBUS_\w+|PULSE_\w+|PIPEWIRE_\w+|ALSA_\w+|SDL_\w+|DESKTOP_\w+|KDE_\w+|GNOME_\w+|GTK_\w+|QT_\w+|BROWSER"
"""Names of what a program of the desktop reads besides."""
_SECRET = re.compile(r"(?i).*(KEY|TOKEN|SECRET|PASSW|CREDENTIAL).*|ACESTEP_WEBHOOK_URL")


def inherited(more: str = "", *, keys: tuple[str, ...] = ()) -> dict[str, str]:
    """The variables of the system and those whose names match `more`, none of which may name a secret, and `keys` by name."""
    allowed = re.compile(rf"(?i){_SYSTEM}|{more}" if more else rf"(?i){_SYSTEM}")
    return {
        name: value
        for name, value in os.environ.items()
        if name in keys or (allowed.fullmatch(name) and not _SECRET.fullmatch(name))
    }
