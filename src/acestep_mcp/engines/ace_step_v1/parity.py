"""`python -m acestep_mcp.engines.ace_step_v1.parity DIR`: are our numbers those of the published model?

DIR holds `configs.json`, `cases.json` and `cases.safetensors`, and perhaps `lyrics.json`. No weights are stored:
every parameter is filled from its own published name, the same way there and here. One line a case is printed: its
name, the relative error, the limit, and "ok" or "short". The exit code is 0 if all hold, 1 if one is short, and 2 if
the lyrics could not be checked for want of the model's vocabulary.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from acestep_mcp.engines.ace_step_v1 import transformer, vocoder
from acestep_mcp.engines.ace_step_v1.codec import Codec
from acestep_mcp.engines.ace_step_v1.denoiser import Denoiser, Said, Weaken
from acestep_mcp.engines.ace_step_v1.flow import Flow
from acestep_mcp.engines.ace_step_v1.guidance import Guidance, Projected, cfg, cfg_star, double_condition
from acestep_mcp.engines.ace_step_v1.lyrics import Lyrics
from acestep_mcp.engines.ace_step_v1.parameter_names import fill
from acestep_mcp.engines.ace_step_v1.published import kept_vocabulary
from acestep_mcp.engines.ace_step_v1.sampling import Plan, Run, Sampler, frames, noise_of
from acestep_mcp.engines.ace_step_v1.schedule import sigmas
from acestep_mcp.engines.ace_step_v1.spectrum import RATE, log_mel, resample
from acestep_mcp.engines.ace_step_v1.text import TextEncoder

MODULE_LIMIT = 1e-4
RUN_LIMIT = 1e-3
Module = TypeVar("Module", bound=torch.nn.Module)
_UNSCALED = ("lyric_embs", "embed_tokens")


@dataclass(frozen=True, slots=True)
class Result:
    """One case: how far our numbers are from the recorded ones, and how far they may be."""

    name: str
    error: float
    limit: float

    @property
    def ok(self) -> bool:
        return self.error <= self.limit


def parameter(name: str, shape: torch.Size) -> Tensor:
    """What fills a published parameter: numbers drawn from its name."""
    draw = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("weight_g"):
        value = 0.7 + 0.3 * draw.random(shape)
    elif len(shape) >= 2 and "scale_shift" not in name and "pos_bias" not in name:
        unscaled = name.endswith("shared.weight") or any(part in name for part in _UNSCALED)
        value = draw.standard_normal(shape) / np.sqrt(1 if unscaled else np.prod(shape[1:]))
    elif name.endswith("gamma") or ("norm" in name and name.endswith("weight")):
        value = 1 + 0.1 * draw.standard_normal(shape)
    else:
        value = 0.1 * draw.standard_normal(shape)
    return torch.from_numpy(value.astype(np.float32))


def relative(ours: Tensor, theirs: Tensor, *, centred: bool = False) -> float:
    """The norm of the difference over the norm of the reference, for waveforms with their mean removed."""
    if ours.shape != theirs.shape:
        return float("inf")
    ours, theirs = ours.double(), theirs.double()
    base = theirs - theirs.mean() if centred else theirs
    # A reference of zeros, as the first step of cfg_star, has to be met exactly.
    return float((ours - theirs).norm() / base.norm()) if base.any() else float(ours.norm())


class Numbers:
    """A folder of recorded cases, and the model that the same configs and names make."""

    def __init__(self, folder: Path) -> None:
        configs = json.loads((folder / "configs.json").read_text(encoding="utf-8"))
        self.cases: dict[str, dict[str, Any]] = json.loads((folder / "cases.json").read_text(encoding="utf-8"))
        self._tensors = load_file(folder / "cases.safetensors")
        self.denoiser = _filled(Denoiser(transformer.Config.read(configs["ace_step_transformer"])))
        self.codec = _codec(configs)
        self.text = _text_encoder(configs["umt5-base"])

    def of(self, case: str) -> dict[str, Tensor]:
        """The tensors of one case by their short names."""
        return {
            name.partition("/")[2]: value for name, value in self._tensors.items() if name.partition("/")[0] == case
        }

    def said(self, case: str, prefix: str = "") -> Said:
        """The description that a case's condition was encoded from."""
        there = self.of(case)
        hidden = there[f"{prefix}text_hidden_states"]
        weak = self.of("text_encoder")["hidden_states_null"]
        ids, mask = (there[f"{prefix}lyric_{part}"] for part in ("token_ids", "mask"))
        return Said(hidden, weak, there[f"{prefix}text_attention_mask"], ids, mask)


def _filled(module: Module) -> Module:
    fill(module, parameter)
    return module.eval()


def _codec(configs: dict[str, Any]) -> Codec:
    from diffusers import AutoencoderDC

    given = {name: value for name, value in configs["music_dcae_f8c8"].items() if not name.startswith("_")}
    return Codec(
        _filled(AutoencoderDC(**given)), _filled(vocoder.Vocoder(vocoder.Config.read(configs["music_vocoder"])))
    )


def _text_encoder(config: dict[str, Any]) -> TextEncoder:
    from transformers import UMT5Config, UMT5EncoderModel

    return TextEncoder(_filled(UMT5EncoderModel(UMT5Config(**config))), tokenizer=None)


def _plan(given: dict[str, Any]) -> Plan:
    guidance = Guidance(
        kind=given["cfg_type"],
        scale=given["guidance_scale"],
        interval=given["guidance_interval"],
        decay=given["guidance_interval_decay"],
        minimum=given["min_guidance_scale"],
        tag_scale=given["guidance_scale_text"],
        lyric_scale=given["guidance_scale_lyric"],
    )
    weaken = Weaken(given["use_erg_tag"], given["use_erg_lyric"], given["use_erg_diffusion"])
    return Plan(given["infer_steps"], given["scheduler_type"], given["omega_scale"], guidance, weaken)


def results(folder: Path) -> Iterator[Result]:
    """Every recorded case of a folder but the lyrics, one after the other."""
    numbers = Numbers(folder)
    for name, given in numbers.cases.items():
        check = next((check for start, check in _CHECKS.items() if name.startswith(start)), None)
        with torch.inference_mode():
            if check:
                yield Result(name, check(numbers, name, given), MODULE_LIMIT)
            else:
                yield Result(name, _run_error(numbers, name, given), RUN_LIMIT)


def lyric_results(recorded: Path, vocabulary: Path) -> Iterator[Result]:
    """The ids of every recorded line in its recorded language, and of the whole song: the share that differs."""
    told = json.loads(recorded.read_text(encoding="utf-8"))
    lyrics = Lyrics(vocabulary)
    for number, line in enumerate(told["lines"]):
        if line["lang"]:
            yield Result(
                f"lyrics/{number}_{line['lang']}", _share(lyrics.line_ids(line["line"], line["lang"]), line["ids"]), 0
            )
    spoken = [line["lang"] or "en" for line in told["lines"] if not line.get("language_forced")]
    yield Result("lyrics/song", _share(lyrics.ids(told["full_text"], spoken), told["full_ids"]), 0)


def _share(ours: list[int], theirs: list[int]) -> float:
    if len(ours) != len(theirs):
        return float("inf")
    return sum(one != other for one, other in zip(ours, theirs, strict=True)) / max(1, len(theirs))


def _text(numbers: Numbers, name: str, _: dict[str, Any]) -> float:
    there = numbers.of(name)
    given = (there["input_ids"], there["attention_mask"])
    plain = numbers.text.hidden_states(*given)
    weak = numbers.text.hidden_states(*given, weakened=True)
    return max(relative(plain, there["hidden_states"]), relative(weak, there["hidden_states_null"]))


def _condition(numbers: Numbers, name: str, _: dict[str, Any]) -> float:
    there = numbers.of(name)
    text = (there["text_hidden_states"], there["text_attention_mask"])
    lyric = (there["lyric_token_ids"], there["lyric_mask"])
    tokens, mask = numbers.denoiser.conditions(text, lyric, there["speaker_embeds"])
    if not torch.equal(mask.float(), there["encoder_mask"]):
        return float("inf")
    return relative(tokens, there["encoder_hidden_states"])


def _transformer(numbers: Numbers, name: str, _: dict[str, Any]) -> float:
    there = numbers.of(name)
    latents = there["latents"]
    model = numbers.denoiser.transformer
    context = model.context(there["encoder_hidden_states"], there["encoder_mask"], latents.shape[-1])
    return relative(model(latents, there["timestep"], context), there["velocity"])


def _mel(numbers: Numbers, name: str, given: dict[str, Any]) -> float:
    there = numbers.of(name)
    return relative(log_mel(resample(there["waveform"], given["sample_rate"], RATE)), there["log_mel"])


def _vocoder(numbers: Numbers, name: str, _: dict[str, Any]) -> float:
    there = numbers.of(name)
    return relative(numbers.codec.vocoder(there["log_mel"]), there["waveform"], centred=True)


def _encode(numbers: Numbers, name: str, given: dict[str, Any]) -> float:
    there = numbers.of(name)
    return relative(numbers.codec.encode(there["waveform"], given["sample_rate"]), there["latents"])


def _decode(numbers: Numbers, name: str, _: dict[str, Any]) -> float:
    there = numbers.of(name)
    ours = torch.cat(list(numbers.codec.decode(there["latents"])), dim=-1)
    return relative(ours, there["waveform"], centred=True)


def _schedule(numbers: Numbers, name: str, _: dict[str, Any]) -> float:
    there = numbers.of(name)
    steps = int(name.rpartition("_")[2])
    levels = torch.tensor(sigmas(steps, "heun" if "heun" in name else "euler"))
    return max(relative(levels, there["sigmas"]), relative(levels[:-1] * 1000, there["timesteps"]))


def _guidance(numbers: Numbers, name: str, _: dict[str, Any]) -> float:
    there = numbers.of(name)
    cond, uncond, text_only = there["cond"], there["uncond"], there["text_only"]
    project = Projected()
    made = {
        "cfg_scale15": cfg(cond, uncond, 15),
        "cfg_star_scale15_step1": cfg_star(cond, uncond, 15, 1),
        "cfg_star_scale15_step5": cfg_star(cond, uncond, 15, 5),
        "double_condition_text5_lyric1_5": double_condition(cond, uncond, text_only, tag=5, lyric=1.5),
        "apg_step1_scale15": project(cond, uncond, 15),
        "apg_step2_cond_is_uncond_uncond_is_text_only_scale9": project(uncond, text_only, 9),
    }
    return max(relative(ours, there[part]) for part, ours in made.items())


def _edited(numbers: Numbers, name: str, given: dict[str, Any]) -> Tensor:
    before, after = numbers.said("condition_encoder"), numbers.said(name, "target_")
    flow = Flow(before, after, begin=given["n_min"], end=given["n_max"], average=given["n_avg"])
    plan = Plan(given["infer_steps"], guidance=Guidance(scale=given["guidance_scale"]))
    source, noise = numbers.of(name)["src_latents"], noise_of(given["seed"], numbers.denoiser)
    return _end(flow.run(numbers.denoiser, plan, source, noise))


def _run_error(numbers: Numbers, name: str, given: dict[str, Any]) -> float:
    there = numbers.of(name)
    if "n_min" in given:
        return relative(_edited(numbers, name, given), there["latents"])
    said = numbers.said("condition_encoder" if given["lyrics"] else "condition_encoder_instrumental")
    sampler = Sampler(numbers.denoiser, said, _plan(given))
    return relative(_end(_run(sampler, given, there)), there["latents"])


def _run(sampler: Sampler, given: dict[str, Any], there: dict[str, Tensor]) -> Run:
    first, second = (noise_of(given[seed], sampler.model) for seed in ("seed", "retake_seed"))
    if given.get("audio2audio_enable"):
        reference = there["ref_latents"]
        return sampler.like(reference, first(reference.shape[-1]), given["ref_audio_strength"])
    if not given["add_retake_noise"]:
        return sampler.from_noise(first(frames(given["duration"])))
    source, variance = there["src_latents"], given["retake_variance"]
    length = source.shape[-1]
    begin, end = frames(given["repaint_start"]), frames(given["repaint_end"])
    if begin >= 0 and end <= length:
        return sampler.inpaint(source, range(begin, end), variance, (first, second))
    # The published code measures the end after padding on the left.
    left = max(0, -begin)
    return sampler.outpaint(source, (left, max(0, end - (length + left))), variance, (first, second))


def _end(run: Run) -> Tensor:
    while True:
        try:
            next(run)
        except StopIteration as stop:
            return stop.value


_CHECKS: dict[str, Callable[[Numbers, str, dict[str, Any]], float]] = {
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
    from acestep_mcp.settings import load

    settings = load()
    looked = (folder / "vocab.json", given, settings.lyric_vocab, kept_vocabulary(settings.data_dir))
    return next((file for file in looked if file is not None and file.is_file()), None)


@click.command(help=(__doc__ or "").partition("\n\n")[2])
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--vocab", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="The model's vocab.json.")
def main(folder: Path, vocab: Path | None) -> None:
    missing = [name for name in ("configs.json", "cases.json", "cases.safetensors") if not (folder / name).is_file()]
    if missing:
        raise click.ClickException(f"{folder} has no {', '.join(missing)}: name a folder of recorded cases.")
    vocabulary = _vocabulary(folder, vocab)
    recorded = folder / "lyrics.json"
    found = list(_told(results(folder)))
    if recorded.is_file():
        if vocabulary:
            found += _told(lyric_results(recorded, vocabulary))
        else:
            click.echo("lyrics: not checked, no vocabulary")
    short = sum(not result.ok for result in found)
    click.echo(f"{len(found) - short} of {len(found)} cases hold")
    sys.exit(1 if short else 2 if recorded.is_file() and not vocabulary else 0)


def _told(checked: Iterator[Result]) -> Iterator[Result]:
    for result in checked:
        click.echo(f"{result.name}  {result.error:.1e}  {result.limit:.0e}  {'ok' if result.ok else 'short'}")
        yield result


if __name__ == "__main__":
    main()
