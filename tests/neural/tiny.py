"""Tiny random speech models that load by the production path, and recordings of a hum: nothing here is speech.

They are noise, but noise with the manners of speech: a longer text takes longer, and XTTS stops by itself.
"""

import functools
import io
import wave
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
from TTS.config.shared_configs import BaseAudioConfig
from TTS.tts.configs.glow_tts_config import GlowTTSConfig
from TTS.tts.configs.shared_configs import CharactersConfig
from TTS.tts.configs.vits_config import VitsArgs, VitsConfig
from TTS.tts.configs.xtts_config import XttsArgs, XttsConfig
from TTS.tts.layers.xtts import hifigan_decoder
from TTS.tts.models import glow_tts, vits, xtts
from TTS.vocoder.configs import HifiganConfig
from TTS.vocoder.models import setup_generator

DECODER, ENCODER = hifigan_decoder.HifiDecoder, hifigan_decoder.ResNetSpeakerEncoder
VOICE = "Tiny Voice"
"""The built-in voice of `tiny_xtts`."""
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789äöüßéèêàâçñáíóú"
MARKS = "!'(),-.:;? \""
LANGUAGES = ("en", "es", "fr", "de", "zh-cn")


def hum(seconds: float = 4.0, *, pitch: float = 130.0, sample_rate: int = 22050) -> bytes:
    """Return a WAV of 16 bits: a wavering hum with four overtones and a little noise, never silent."""
    when = np.arange(round(seconds * sample_rate)) / sample_rate
    tone = sum(np.sin(2 * np.pi * pitch * overtone * when) / overtone for overtone in (1, 2, 3, 4))
    noise = np.random.default_rng(0).normal(0, 0.005, len(when))
    return wav(0.2 * tone * (0.6 + 0.4 * np.sin(6 * np.pi * when)) + noise, sample_rate)


def wav(samples: Any, sample_rate: int = 22050) -> bytes:
    """Return samples in [-1, 1], of shape (samples,) or (samples, channels), as a WAV of 16 bits."""
    samples = np.asarray(samples)
    target = io.BytesIO()
    with wave.open(target, "wb") as writer:
        writer.setnchannels(samples.shape[1] if samples.ndim > 1 else 1)
        writer.setsampwidth(2)
        writer.setframerate(sample_rate)
        writer.writeframes((samples * 32767).astype("<i2").tobytes())
    return target.getvalue()


def tiny_vits(
    folder: Path, *, seed: int = 0, speakers: Sequence[str] = (), languages: Sequence[str] = ("en",), **args: Any
) -> Path:
    """Write config.json and model.pth (5 MB) of a VITS that speaks at 22,050 Hz, and return the folder.

    Args:
        folder: made when it is not there.
        seed: of the weights.
        speakers: names of its voices; none for a model of one speaker.
        languages: more than one for a multilingual model.
        args: further fields of `VitsArgs`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    config = VitsConfig(
        audio=BaseAudioConfig(fft_size=256, win_length=256, hop_length=256, sample_rate=22050, num_mels=40),
        model_args=VitsArgs(**(_vits_size(speakers, languages) | args)),
        speakers=list(speakers),
        use_speaker_embedding=bool(speakers),
        languages=list(languages),
        text_cleaner="basic_cleaners",
        characters=CharactersConfig(
            characters_class="TTS.tts.models.vits.VitsCharacters", pad="_", characters=LETTERS, punctuations=MARKS
        ),
    )
    model = vits.Vits(config)
    with torch.no_grad():
        _make_audible(model.waveform_decoder, 8)
    config.model_args.num_chars = model.tokenizer.characters.num_chars
    return _save(folder, config, model)


def _vits_size(speakers: Sequence[str], languages: Sequence[str]) -> dict[str, Any]:
    return {
        "out_channels": 129,  # fft_size / 2 + 1
        "hidden_channels": 16,
        "hidden_channels_ffn_text_encoder": 32,
        "num_heads_text_encoder": 2,
        "num_layers_text_encoder": 1,
        "num_layers_posterior_encoder": 1,
        "num_layers_flow": 1,
        "resblock_kernel_sizes_decoder": [3],
        "resblock_dilation_sizes_decoder": [[1, 3, 5]],
        "upsample_rates_decoder": [8, 8, 4],  # their product is hop_length
        "upsample_kernel_sizes_decoder": [16, 16, 8],
        "upsample_initial_channel_decoder": 16,
        "init_discriminator": False,  # 46 million weights that only training needs
        "use_speaker_embedding": bool(speakers),
        "speaker_embedding_channels": 8,
        "use_language_embedding": len(languages) > 1,
    }


def tiny_glow(folder: Path, *, seed: int = 0, vocoder: bool = True) -> Path:
    """Write a Glow-TTS, which makes spectrograms, and a HiFi-GAN in the folder `vocoder`; return the folder (0.1 MB).

    Args:
        folder: made when it is not there.
        seed: of the weights.
        vocoder: without one, coqui-tts falls back to the algorithm of Griffin and Lim.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    audio = BaseAudioConfig(fft_size=256, win_length=256, hop_length=64, sample_rate=16000, num_mels=20, mel_fmax=8000)
    config = GlowTTSConfig(
        audio=audio,
        out_channels=20,
        hidden_channels_enc=16,
        hidden_channels_dec=16,
        hidden_channels_dp=16,
        num_flow_blocks_dec=1,
        num_block_layers=1,
        encoder_params={"kernel_size": 3, "dropout_p": 0.1, "num_layers": 1, "num_heads": 2, "hidden_channels_ffn": 16},
        text_cleaner="basic_cleaners",
        characters=CharactersConfig(
            characters_class="TTS.tts.utils.text.characters.Graphemes",
            pad="_",
            characters=LETTERS,
            punctuations=MARKS,
        ),
    )
    model = glow_tts.GlowTTS(config)
    with torch.no_grad():
        model.encoder.duration_predictor.proj.bias.fill_(2)  # some six frames a letter
    config.languages = []  # what it would be named on its own is English
    _save(folder, config, model)
    if vocoder:
        size = {"upsample_factors": [8, 8], "upsample_kernel_sizes": [16, 16], "upsample_initial_channel": 8}
        blocks = {"resblock_kernel_sizes": [3], "resblock_dilation_sizes": [[1, 3, 5]], "resblock_type": "1"}
        gan = HifiganConfig(audio=audio, generator_model_params=size | blocks)
        (folder / "vocoder").mkdir(exist_ok=True)
        gan.save_json(folder / "vocoder/config.json")
        generator = setup_generator(gan).state_dict()
        torch.save({"model": generator, "model_disc": {}}, folder / "vocoder/model.pth")  # as older ones are
    return folder


@contextmanager
def small_parts() -> Iterator[None]:
    """Shrink XTTS's vocoder and speaker encoder, 22 million weights whose number no setting changes.

    A tiny XTTS has to be made and loaded inside; it runs outside as well.
    """
    decoder = functools.partial(
        DECODER,
        upsample_initial_channel_decoder=16,
        resblock_kernel_sizes_decoder=[3],
        resblock_dilation_sizes_decoder=[[1, 3, 5]],
    )
    encoder = functools.partial(ENCODER, layers=[1] * 4, num_filters=[8] * 4)
    with _parts(decoder, encoder):
        yield


@contextmanager
def _parts(decoder: Callable[..., Any], encoder: Callable[..., Any]) -> Iterator[None]:
    with (
        mock.patch.object(xtts, "HifiDecoder", decoder),
        mock.patch.object(hifigan_decoder, "ResNetSpeakerEncoder", encoder),
    ):
        yield


def tiny_xtts(
    folder: Path,
    *,
    seed: int = 0,
    tokens_per_character: float = 0.5,
    max_audio_tokens: int = 200,
    small: bool = True,
    **args: Any,
) -> Path:
    """Write the files of an XTTS (3 MB) with the voice `VOICE`, and return the folder.

    Args:
        folder: made when it is not there.
        seed: of the weights and of the voice.
        tokens_per_character: audio tokens after which it stops, for each text token; 0 never stops.
        max_audio_tokens: the model's own limit, a few more than it generates.
        small: with `small_parts`; without, it takes 92 MB and any process can load it.
        args: further fields of `XttsArgs`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    vocab = _write_vocab(folder / "vocab.json")
    size: dict[str, Any] = {
        "gpt_layers": 2,
        "gpt_n_model_channels": 64,
        "gpt_n_heads": 2,
        "decoder_input_dim": 64,
        "gpt_max_audio_tokens": max_audio_tokens,
        "gpt_num_audio_tokens": 66,
        "gpt_start_audio_token": 64,
        "gpt_stop_audio_token": 65,
        "gpt_number_text_tokens": len(vocab),
        "gpt_start_text_token": vocab["[START]"],
        "gpt_stop_text_token": vocab["[STOP]"],
        "gpt_use_perceiver_resampler": True,
        "gpt_code_stride_len": 1024,
    }
    config = XttsConfig(
        model_args=XttsArgs(**(size | args)), languages=list(LANGUAGES), temperature=0.75, repetition_penalty=5.0
    )
    with small_parts() if small else _parts(DECODER, ENCODER):
        model = xtts.Xtts(config)
    with torch.no_grad():
        _make_text_matter(model.gpt)
        _teach_length(model.gpt, tokens_per_character)
        _make_audible(model.hifigan_decoder.waveform_decoder, 100)
    voice = {
        "gpt_cond_latent": torch.randn(1, 32, model.args.gpt_n_model_channels),
        "speaker_embedding": torch.randn(1, 512, 1) * 0.05,
    }
    torch.save({VOICE: voice}, folder / "speakers_xtts.pth")
    return _save(folder, config, model)


def _make_audible(vocoder: Any, gain: float) -> None:
    """Let the last layer pass only what changes from sample to sample, and louder: a constant is no sound."""
    weight = vocoder.conv_post.weight
    weight.sub_(weight.mean(dim=2, keepdim=True)).mul_(gain)


def _save(folder: Path, config: Any, model: Any) -> Path:
    config.save_json(folder / "config.json")
    torch.save({"model": model.state_dict(), "config": config.to_dict(), "step": 0}, folder / "model.pth")
    return folder


def _write_vocab(path: Path) -> dict[str, int]:
    """Write a tokenizer of single characters and a few pairs; XTTS wants [STOP] to be 0 and [UNK] to be 1."""
    special = ["[STOP]", "[UNK]", "[SPACE]", "[START]", *(f"[{language}]" for language in LANGUAGES)]
    merges = [("t", "h"), ("i", "n"), ("e", "r"), ("a", "n"), ("th", "e"), ("in", "g")]
    characters = sorted(set(LETTERS + MARKS) - {" "})
    tokens = special + characters + ["".join(pair) for pair in merges]
    vocab = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    tokenizer.save(str(path))
    return vocab


def _make_text_matter(gpt: Any) -> None:
    """Draw larger weights than training begins with, so that text and earlier tokens change the next one."""
    width = gpt.model_dim
    gpt.text_embedding.weight.normal_()
    gpt.mel_embedding.weight.normal_()
    gpt.mel_head.weight.normal_(std=1.5 * width**-0.5)
    for block in gpt.gpt.h:
        block.attn.c_attn.weight.normal_(std=width**-0.5)
        block.attn.c_proj.weight.normal_(std=0.7 * width**-0.5)


def _teach_length(gpt: Any, tokens_per_character: float) -> None:
    """Wire one attention head by hand, so that the stop token wins after so many steps for each text token.

    Each quantity lives in two dimensions of the residual stream, as itself and as its negative: their mean is
    0 and every layer norm only scales them. END marks the token that ends the text, PLACE is the position of a
    text token (REST keeps its length the same wherever it stands), DUE is how many steps are over the time.

    Head 0 of the first layer looks at END alone and takes its PLACE from DUE; the position of an audio token
    adds to DUE; the stop token's logit is DUE. Nothing else writes to these dimensions.
    """
    end, place, rest, due = ([index, index + 1] for index in (0, 2, 4, 6))
    sign = torch.tensor([1.0, -1.0])
    text, audio = gpt.text_pos_embedding.emb.weight, gpt.mel_pos_embedding.emb.weight
    for table in (gpt.text_embedding.weight, gpt.mel_embedding.weight, text, audio):
        table[:, : due[1] + 1] = 0
    for block in gpt.gpt.h:
        for output in (block.attn.c_proj, block.mlp.c_proj):
            output.weight[:, : due[1] + 1] = 0
            output.bias[: due[1] + 1] = 0

    share = torch.linspace(0, 1, len(text))[:, None]
    text[:, place] = 6 * share * sign
    text[:, rest] = 6 * (1 - share**2).sqrt() * sign
    gpt.text_embedding.weight[gpt.stop_text_token] = 0
    gpt.text_embedding.weight[gpt.stop_text_token, end] = 8 * sign

    width, head = gpt.model_dim, gpt.model_dim // gpt.heads
    attention = gpt.gpt.h[0].attn
    query, key, value = 0, width, 2 * width  # c_attn holds them side by side
    for start in (query, key, value):
        attention.c_attn.weight[:, start : start + head] = 0
    attention.c_attn.bias[query] = 10 * head**0.5
    attention.c_attn.weight[end, key] = sign
    attention.c_attn.weight[place, value] = sign
    attention.c_proj.weight[:head] = 0
    attention.c_proj.weight[0, due] = -sign

    deviation = (2 * (8**2 + 6**2) / width) ** 0.5  # of the token that ends the text, which the layer norm divides by
    per_character = 2 * 6 / (len(text) - 1) / deviation
    if tokens_per_character:
        audio[:, due] = torch.arange(len(audio))[:, None] / tokens_per_character * per_character * sign
    gpt.mel_head.weight[:, due] = 0
    gpt.mel_head.weight[gpt.stop_audio_token] = 0
    gpt.mel_head.weight[gpt.stop_audio_token, due] = 20 * sign
