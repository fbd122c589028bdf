"""`python -m tools.parity DIR`: compare ACE-Step v1 with outputs recorded from the published code.

DIR holds `configs.json`, `cases.json` and `cases.safetensors`, and optionally `lyrics.json`. No weights are stored:
both sides generate each parameter from its published name. One line per case is printed: its name, the relative error,
the limit, and "ok" or "short". The exit code is 0 if all cases hold, 1 if one is short, and 2 if the lyrics could not
be checked because the model's vocabulary is missing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import click
import torch
from safetensors.torch import load_file
from torch import Tensor

from acestep_mcp.engines.ace_step_v1.autoencoder import Autoencoder, AutoencoderConfig
from acestep_mcp.engines.ace_step_v1.codec import RATE, Codec, log_mel
from acestep_mcp.engines.ace_step_v1.denoiser import Conditioning, Denoiser, EntropyRectification
from acestep_mcp.engines.ace_step_v1.guidance import (
    Guidance,
    ProjectedGuidance,
    cfg_star,
    classifier_free_guidance,
    double_condition,
)
from acestep_mcp.engines.ace_step_v1.lyrics import LyricTokenizer, vocabulary_file
from acestep_mcp.engines.ace_step_v1.sampling import (
    FlowEdit,
    NoiseSource,
    Sampler,
    SamplingPlan,
    add_noise,
    latent_frames,
    make_sigmas,
    noise_source,
    shift_sigma,
)
from acestep_mcp.engines.ace_step_v1.text import TextEncoder
from acestep_mcp.engines.ace_step_v1.transformer import TransformerConfig
from acestep_mcp.engines.ace_step_v1.vocoder import Vocoder, VocoderConfig
from acestep_mcp.engines.ace_step_v1.weights import load_parameters
from acestep_mcp.engines.model.checkpoint import config_of
from acestep_mcp.engines.model.resampling import resample
from acestep_mcp.engines.model.rounds import SamplingRun, alone
from acestep_mcp.settings import load as load_settings
from tools.random_parameters import parameter

MODULE_LIMIT = 1e-4
RUN_LIMIT = 1e-3
BFLOAT16_LIMIT = 1e-2
BFLOAT16_LIMITS = {"text_encoder": 7e-2, "condition_encoder": 1.25e-2, "transformer": 2e-2, "audio_encode": 2e-2}
"""By how a case's name begins, where the published layers themselves are near 1e-2 or above it in bfloat16.

With the recorded parameters, on a CPU, they differ from float32: the text encoder, which is the library's own here too, by
5.6e-2; the condition encoder by 9.9e-3; the transformer by 6.5e-2 and 1.4e-2; the library's encoder of audio by 1.5e-2 and
1.3e-2. The limits are about a quarter above, for the transformer above the lower figure.
"""
Module = TypeVar("Module", bound=torch.nn.Module)


@dataclass(frozen=True, slots=True)
class CaseResult:
    """The relative error of a case, and its limit."""

    name: str
    error: float
    limit: float

    @property
    def ok(self) -> bool:
        return self.error <= self.limit


def relative(ours: Tensor, theirs: Tensor, *, centred: bool = False) -> float:
    """The norm of the difference over the norm of the reference, which `centred` takes without its mean."""
    if ours.shape != theirs.shape:
        return float("inf")
    ours, theirs = ours.double(), theirs.double()
    reference = theirs - theirs.mean() if centred else theirs
    # A reference of zeros, as in the first steps of cfg_star, must be matched exactly.
    return float((ours - theirs).norm() / reference.norm()) if reference.any() else float(ours.norm())


class RecordedCases:
    """A folder of recorded cases, and the model with the same configs and parameters.

    On another device or in another dtype, all but the vocoder, which is then in float32 as in the engine.
    """

    def __init__(self, folder: Path, device: str = "cpu", dtype: torch.dtype = torch.float32) -> None:
        self._device = device
        configs = json.loads((folder / "configs.json").read_text(encoding="utf-8"))
        self.cases: dict[str, dict[str, Any]] = json.loads((folder / "cases.json").read_text(encoding="utf-8"))
        self._tensors = load_file(folder / "cases.safetensors")
        self.denoiser = _with_parameters(Denoiser(config_of(TransformerConfig, configs["ace_step_transformer"])))
        self.codec = _codec(configs)
        self.text = _text_encoder(configs["umt5-base"])
        for module in (self.denoiser, self.codec.autoencoder, self.text.encoder):
            torch.nn.Module.to(module, device, dtype)  # the libraries' own `to` warns
        self.codec.vocoder.to(device)

    def tensors(self, case: str) -> dict[str, Tensor]:
        """The tensors of a case, by name without the case's prefix."""
        return {
            name.partition("/")[2]: value.to(self._device)
            for name, value in self._tensors.items()
            if name.partition("/")[0] == case
        }

    def conditioning(self, case: str, prefix: str = "") -> Conditioning:
        """The conditioning that a case was recorded with."""
        recorded = self.tensors(case)
        hidden = recorded[f"{prefix}text_hidden_states"]
        weakened = self.tensors("text_encoder")["hidden_states_null"]
        ids, mask = (recorded[f"{prefix}lyric_{part}"] for part in ("token_ids", "mask"))
        return Conditioning(hidden, weakened, recorded[f"{prefix}text_attention_mask"], ids, mask)


def _with_parameters(module: Module) -> Module:
    load_parameters(module, parameter)
    return module.eval()


def _codec(configs: dict[str, Any]) -> Codec:
    config = {name: value for name, value in configs["music_dcae_f8c8"].items() if not name.startswith("_")}
    return Codec(
        _with_parameters(Autoencoder(AutoencoderConfig(**config))),
        _with_parameters(Vocoder(config_of(VocoderConfig, configs["music_vocoder"]))),
    )


def _text_encoder(config: dict[str, Any]) -> TextEncoder:
    from transformers import UMT5Config, UMT5EncoderModel

    return TextEncoder(_with_parameters(UMT5EncoderModel(UMT5Config(**config))), tokenizer=None)


def _plan(given: dict[str, Any]) -> SamplingPlan:
    guidance = Guidance(
        kind=given["cfg_type"],
        scale=given["guidance_scale"],
        interval=given["guidance_interval"],
        decay=given["guidance_interval_decay"],
        minimum=given["min_guidance_scale"],
        tag_scale=given["guidance_scale_text"],
        lyric_scale=given["guidance_scale_lyric"],
    )
    rectification = EntropyRectification(given["use_erg_tag"], given["use_erg_lyric"], given["use_erg_diffusion"])
    return SamplingPlan(given["infer_steps"], given["scheduler_type"], given["omega_scale"], guidance, rectification)


def results(folder: Path) -> Iterator[CaseResult]:
    """Check every recorded case of a folder except the lyrics."""
    recorded = RecordedCases(folder)
    for name, given in recorded.cases.items():
        check = next((check for start, check in _CHECKS.items() if name.startswith(start)), None)
        with torch.inference_mode():
            if check:
                yield CaseResult(name, check(recorded, name, given), MODULE_LIMIT)
            else:
                yield CaseResult(name, _run_error(recorded, name, given), RUN_LIMIT)


def module_results(folder: Path, device: str, dtype: torch.dtype) -> Iterator[CaseResult]:
    """Check the recorded cases of single modules on a device, in float32 or bfloat16."""
    recorded = RecordedCases(folder, device, dtype)
    for name, given in recorded.cases.items():
        check = next((check for start, check in _CHECKS.items() if name.startswith(start)), None)
        if check and check is not _schedule:
            with torch.inference_mode():
                yield CaseResult(name, check(recorded, name, given), _device_limit(name, dtype))


def _device_limit(name: str, dtype: torch.dtype) -> float:
    if dtype == torch.float32:
        return MODULE_LIMIT
    return next((limit for start, limit in BFLOAT16_LIMITS.items() if name.startswith(start)), BFLOAT16_LIMIT)


def lyric_results(file: Path, vocabulary: Path) -> Iterator[CaseResult]:
    """The share of differing token ids of every recorded line, in its recorded language, and of the whole song."""
    song = json.loads(file.read_text(encoding="utf-8"))
    lyrics = LyricTokenizer(vocabulary)
    for number, line in enumerate(song["lines"]):
        if line["lang"]:
            yield CaseResult(
                f"lyrics/{number}_{line['lang']}",
                _differing_share(lyrics.line_ids(line["line"], line["lang"]), line["ids"]),
                0,
            )
    languages = [line["lang"] or "en" for line in song["lines"] if not line.get("language_forced")]
    yield CaseResult("lyrics/song", _differing_share(lyrics.ids(song["full_text"], languages), song["full_ids"]), 0)


def _differing_share(ours: list[int], theirs: list[int]) -> float:
    if len(ours) != len(theirs):
        return float("inf")
    return sum(one != other for one, other in zip(ours, theirs, strict=True)) / max(1, len(theirs))


def _text(cases: RecordedCases, name: str, _: dict[str, Any]) -> float:
    recorded = cases.tensors(name)
    given = (recorded["input_ids"], recorded["attention_mask"])
    plain = cases.text.hidden_states(*given)
    weakened = cases.text.hidden_states(*given, weakened=True)
    return max(relative(plain, recorded["hidden_states"]), relative(weakened, recorded["hidden_states_null"]))


def _condition(cases: RecordedCases, name: str, _: dict[str, Any]) -> float:
    recorded = cases.tensors(name)
    text = (recorded["text_hidden_states"], recorded["text_attention_mask"])
    lyric = (recorded["lyric_token_ids"], recorded["lyric_mask"])
    tokens, mask = cases.denoiser.condition_encoder(text, lyric, recorded["speaker_embeds"])
    if not torch.equal(mask.float(), recorded["encoder_mask"]):
        return float("inf")
    return relative(tokens, recorded["encoder_hidden_states"])


def _transformer(cases: RecordedCases, name: str, _: dict[str, Any]) -> float:
    recorded = cases.tensors(name)
    latents = recorded["latents"]
    model = cases.denoiser.transformer
    condition = recorded["encoder_hidden_states"].to(model.final_layer.linear.weight.dtype)
    context = model.context(condition, recorded["encoder_mask"], latents.shape[-1])
    return relative(model(latents, recorded["timestep"], context), recorded["velocity"])


def _mel(cases: RecordedCases, name: str, given: dict[str, Any]) -> float:
    recorded = cases.tensors(name)
    return relative(log_mel(resample(recorded["waveform"], given["sample_rate"], RATE)), recorded["log_mel"])


def _vocoder(cases: RecordedCases, name: str, _: dict[str, Any]) -> float:
    recorded = cases.tensors(name)
    return relative(cases.codec.vocoder(recorded["log_mel"]), recorded["waveform"], centred=True)


def _encode(cases: RecordedCases, name: str, given: dict[str, Any]) -> float:
    recorded = cases.tensors(name)
    return relative(cases.codec.encode(recorded["waveform"], given["sample_rate"]), recorded["latents"])


def _decode(cases: RecordedCases, name: str, _: dict[str, Any]) -> float:
    recorded = cases.tensors(name)
    ours = torch.cat(list(cases.codec.decode(recorded["latents"])), dim=-1)
    return relative(ours, recorded["waveform"], centred=True)


def _schedule(cases: RecordedCases, name: str, _: dict[str, Any]) -> float:
    recorded = cases.tensors(name)
    steps = int(name.rpartition("_")[2])
    sigmas = torch.tensor(make_sigmas(steps, "heun" if "heun" in name else "euler"))
    return max(relative(sigmas, recorded["sigmas"]), relative(sigmas[:-1] * 1000, recorded["timesteps"]))


def _guidance(cases: RecordedCases, name: str, _: dict[str, Any]) -> float:
    recorded = cases.tensors(name)
    conditional, unconditional, text_only = recorded["cond"], recorded["uncond"], recorded["text_only"]
    projected = ProjectedGuidance()
    ours = {
        "cfg_scale15": classifier_free_guidance(conditional, unconditional, 15),
        "cfg_star_scale15_step1": cfg_star(conditional, unconditional, 15, 1),
        "cfg_star_scale15_step5": cfg_star(conditional, unconditional, 15, 5),
        "double_condition_text5_lyric1_5": double_condition(conditional, unconditional, text_only, tag=5, lyric=1.5),
        "apg_step1_scale15": projected(conditional, unconditional, 15),
        "apg_step2_cond_is_uncond_uncond_is_text_only_scale9": projected(unconditional, text_only, 9),
    }
    return max(relative(velocity, recorded[part]) for part, velocity in ours.items())


def _edit_latents(cases: RecordedCases, name: str, given: dict[str, Any]) -> Tensor:
    old, new = cases.conditioning("condition_encoder"), cases.conditioning(name, "target_")
    edit = FlowEdit(old, new, begin=given["n_min"], end=given["n_max"], average=given["n_avg"])
    plan = SamplingPlan(given["infer_steps"], guidance=Guidance(scale=given["guidance_scale"]))
    source, noise = cases.tensors(name)["src_latents"], noise_source(given["seed"], cases.denoiser)
    return _final_latents(edit.run(cases.denoiser, plan, source, noise))


def _run_error(cases: RecordedCases, name: str, given: dict[str, Any]) -> float:
    recorded = cases.tensors(name)
    if "n_min" in given:
        return relative(_edit_latents(cases, name, given), recorded["latents"])
    conditioning = cases.conditioning("condition_encoder" if given["lyrics"] else "condition_encoder_instrumental")
    sampler = Sampler(cases.denoiser, conditioning, _plan(given))
    return relative(_final_latents(_run(sampler, given, recorded)), recorded["latents"])


def _run(sampler: Sampler, given: dict[str, Any], recorded: dict[str, Tensor]) -> SamplingRun:
    first, second = (noise_source(given[seed], sampler.model) for seed in ("seed", "retake_seed"))
    if given.get("audio2audio_enable"):
        return _like_reference(sampler, recorded["ref_latents"], first, given["ref_audio_strength"])
    if not given["add_retake_noise"]:
        return sampler.from_noise(first(latent_frames(given["duration"])))
    source, variance = recorded["src_latents"], given["retake_variance"]
    length = source.shape[-1]
    begin, end = latent_frames(given["repaint_start"]), latent_frames(given["repaint_end"])
    if begin >= 0 and end <= length:
        return sampler.inpaint(source, range(begin, end), variance, (first, second))
    # The published code measures the end after padding on the left.
    left = max(0, -begin)
    return sampler.outpaint(source, (left, max(0, end - (length + left))), (first, second), variance=variance)


def _like_reference(sampler: Sampler, reference: Tensor, noise: NoiseSource, strength: float) -> SamplingRun:
    """The published "audio2audio", which no endpoint uses: a song that follows the reference as closely as `strength`."""
    sigma_max = 1 - strength
    x = add_noise(reference, noise(reference.shape[-1]), shift_sigma(sigma_max))
    shorter = replace(sampler.plan, steps=int(sampler.plan.steps * sigma_max))
    return replace(sampler, plan=shorter).from_noise(x, sigma_max=sigma_max)


def _final_latents(run: SamplingRun) -> Tensor:
    steps = alone(run)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


_CHECKS: dict[str, Callable[[RecordedCases, str, dict[str, Any]], float]] = {
    "text_encoder": _text,
    "condition_encoder": _condition,
    "transformer": _transformer,
    "mel": _mel,
    "vocoder": _vocoder,
    "audio_encode": _encode,
    "audio_decode": _decode,
    "schedule": _schedule,
    "guidance": _guidance,
}


def _vocabulary(folder: Path, given: Path | None) -> Path | None:
    settings = load_settings()
    candidates = (folder / "vocab.json", given, settings.lyric_vocab, vocabulary_file.download_path(settings.data_dir))
    return next((file for file in candidates if file is not None and file.is_file()), None)


@click.command(help=(__doc__ or "").partition("\n\n")[2])
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--vocab", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="The model's vocab.json.")
def main(folder: Path, vocab: Path | None) -> None:
    missing = [name for name in ("configs.json", "cases.json", "cases.safetensors") if not (folder / name).is_file()]
    if missing:
        raise click.ClickException(f"{folder} has no {', '.join(missing)}: name a folder of recorded cases.")
    vocabulary = _vocabulary(folder, vocab)
    recorded = folder / "lyrics.json"
    checked = list(_print(results(folder)))
    if recorded.is_file():
        if vocabulary:
            checked += _print(lyric_results(recorded, vocabulary))
        else:
            click.echo("lyrics: not checked, no vocabulary")
    short = sum(not result.ok for result in checked)
    click.echo(f"{len(checked) - short} of {len(checked)} cases hold")
    sys.exit(1 if short else 2 if recorded.is_file() and not vocabulary else 0)


def _print(checked: Iterator[CaseResult]) -> Iterator[CaseResult]:
    for result in checked:
        click.echo(f"{result.name}  {result.error:.1e}  {result.limit:.0e}  {'ok' if result.ok else 'short'}")
        yield result


if __name__ == "__main__":
    main()
