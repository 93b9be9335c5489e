"""XTTS's vocoder at lengths of a few kinds, whatever the length of a sentence.

The libraries that convolve plan and compile for each length that they meet: the first sentence of a length would take
several times as long as the next one of just that length. So a sentence is made longer, and whenever it comes to a
convolution what is behind its end is silenced, as if there were nothing. It sounds the same, to its end.
"""

from typing import Any

from torch.nn import Conv1d, ConvTranspose1d, functional
from torch.nn.utils import parametrize

GRAIN = 64
"""Frames that the lengths are multiples of, 0.7 seconds."""


def prepare(generator: Any) -> None:
    """Make a `HifiganGenerator` fast. It returns the same, but for rounding, and is for one thread from then on."""
    for module in generator.modules():
        if parametrize.is_parametrized(module, "weight"):  # kept as direction and length for training
            parametrize.remove_parametrizations(module, "weight")
    _Lengths(generator)


class _Lengths:
    """Hooks that let a generator run on a longer input than it is given."""

    def __init__(self, generator: Any) -> None:
        self._frames = self._longer = 0
        for module in generator.modules():
            if isinstance(module, Conv1d | ConvTranspose1d):
                module.register_forward_pre_hook(self._silence)
        generator.register_forward_pre_hook(self._lengthen)
        generator.register_forward_hook(self._shorten)

    def _lengthen(self, _generator: Any, args: Any) -> Any:
        self._frames = args[0].shape[-1]
        self._longer = -(-self._frames // GRAIN) * GRAIN
        return (functional.pad(args[0], (0, self._longer - self._frames)), *args[1:])

    def _silence(self, _convolution: Any, args: Any) -> None:
        scale = args[0].shape[-1] // self._longer  # 0 for the voice, which has no length
        if scale:
            args[0][..., scale * self._frames :] = 0

    def _shorten(self, _generator: Any, _args: Any, wave: Any) -> Any:
        return wave[..., : wave.shape[-1] // self._longer * self._frames]
