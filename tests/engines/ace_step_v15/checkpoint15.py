"""A small model of ACE-Step 1.5 with random weights, in the layout of diffusers."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace

import torch
from diffusers import AceStepPipeline, AceStepTransformer1DModel, AutoencoderOobleck, FlowMatchEulerDiscreteScheduler
from diffusers.pipelines.ace_step import AceStepAudioTokenDetokenizer, AceStepAudioTokenizer, AceStepConditionEncoder
from diffusers.pipelines.ace_step.pipeline_ace_step import SFT_GEN_PROMPT, TASK_INSTRUCTIONS
from tokenizers import Tokenizer, models, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3Model

SMALL = {
    "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
    "sliding_window": 16,
}  # fmt: skip
LATENT = 8
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 #[]:-,.\n/"


def make_checkpoint(folder: Path, *, kind: str = "turbo", covers: bool = False) -> None:
    """`kind` is turbo, base or sft; `covers`: with the audio tokenizer."""
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # diffusers uses deprecated parts of torch
        torch.manual_seed(1)
        pipe = AceStepPipeline(
            # 1,920 samples a frame at 48 kHz, as the published one.
            vae=AutoencoderOobleck(
                encoder_hidden_size=2 * LATENT, downsampling_ratios=[2, 4, 4, 6, 10], channel_multiples=[1, 1, 1, 1, 1],
                decoder_channels=4, decoder_input_channels=LATENT, audio_channels=2, sampling_rate=48_000,
            ),
            text_encoder=Qwen3Model(Qwen3Config(
                hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
                num_key_value_heads=2, head_dim=8, vocab_size=300,
            )),
            tokenizer=_tokenizer(),
            transformer=AceStepTransformer1DModel(
                **SMALL, num_hidden_layers=2, in_channels=3 * LATENT, audio_acoustic_hidden_dim=LATENT,
                is_turbo=kind == "turbo", model_version=kind,
            ),
            condition_encoder=AceStepConditionEncoder(
                **SMALL, text_hidden_dim=32, timbre_hidden_dim=LATENT, num_lyric_encoder_hidden_layers=2,
                num_timbre_encoder_hidden_layers=2,
            ),
            scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0),
            audio_tokenizer=AceStepAudioTokenizer(
                **SMALL, audio_acoustic_hidden_dim=LATENT, fsq_dim=32, num_attention_pooler_hidden_layers=1
            ) if covers else None,
            audio_token_detokenizer=AceStepAudioTokenDetokenizer(
                **SMALL, audio_acoustic_hidden_dim=LATENT, num_attention_pooler_hidden_layers=1
            ) if covers else None,
        )  # fmt: skip
        for part in (pipe.vae, pipe.transformer, pipe.condition_encoder):
            for parameter in part.parameters():
                if parameter.ndim > 1:
                    torch.nn.init.normal_(parameter, std=0.3)
        _make_deterministic(pipe.vae)
    pipe.save_pretrained(folder, safe_serialization=True)


_encode_reference = AceStepPipeline.prepare_reference_audio_latents


def short_reference(
    pipe: AceStepPipeline, reference_audio: torch.Tensor, batch_size: int, device: torch.device, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    """The pipeline's own method for 1 s instead of 30, repeated: 30 s take as long as many whole songs of the small model."""
    short = SimpleNamespace(vae=pipe.vae, sample_rate=pipe.sample_rate // 30)
    latents, order = _encode_reference(short, reference_audio, batch_size, device, dtype)
    return latents.repeat(1, 30, 1), order


@torch.no_grad()
def _make_deterministic(vae: AutoencoderOobleck) -> None:
    """Make latents differ between frames and their variance negligible, so that tests can compare them."""
    last = vae.encoder.conv2
    last.weight_g[:LATENT] *= 30
    last.weight_g[LATENT:] = 1e-6
    last.bias[LATENT:] = -20


def _tokenizer() -> PreTrainedTokenizerFast:
    """Letters, and pieces of the text that the pipeline adds, so that it takes few tokens as with the published one."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    added_text = [
        SFT_GEN_PROMPT,
        *TASK_INSTRUCTIONS.values(),
        "# Languages\n# Lyric\n- bpm: N/A timesignature: keyscale: duration:",
    ]
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=list(LETTERS), special_tokens=["<unk>", "<|endoftext|>"], show_progress=False
    )
    tokenizer.train_from_iterator(added_text * 3, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<|endoftext|>")
