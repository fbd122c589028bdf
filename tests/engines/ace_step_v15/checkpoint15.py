"""A model of ACE-Step 1.5 as diffusers keeps it, small and with random weights."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from diffusers import AceStepPipeline, AceStepTransformer1DModel, AutoencoderOobleck, FlowMatchEulerDiscreteScheduler
from diffusers.pipelines.ace_step import AceStepAudioTokenDetokenizer, AceStepAudioTokenizer, AceStepConditionEncoder
from tokenizers import Tokenizer, models, pre_tokenizers
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
        warnings.simplefilter("ignore", FutureWarning)  # of what diffusers takes from torch
        torch.manual_seed(1)
        pipe = AceStepPipeline(
            # 1,920 samples a frame at 48 kHz, as the published one.
            vae=AutoencoderOobleck(
                encoder_hidden_size=2 * LATENT, downsampling_ratios=[2, 4, 4, 6, 10], channel_multiples=[1, 1, 1, 1, 1],
                decoder_channels=4, decoder_input_channels=LATENT, audio_channels=2, sampling_rate=48_000,
            ),
            text_encoder=Qwen3Model(Qwen3Config(
                hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
                num_key_value_heads=2, head_dim=8, vocab_size=128,
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
    pipe.save_pretrained(folder, safe_serialization=True)


def _tokenizer() -> PreTrainedTokenizerFast:
    pieces = {"<unk>": 0, "<|endoftext|>": 1} | {letter: number + 2 for number, letter in enumerate(LETTERS)}
    tokenizer = Tokenizer(models.WordLevel(pieces, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<|endoftext|>")
