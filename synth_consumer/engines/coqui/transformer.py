"""The layers of XTTS's GPT-2 with one static key-value cache, whose rows begin and end at any time.

XTTS puts positions into its embeddings, so a layer does not know where a token stands: rows of different age share a
step, each writing at its own position and looking at what is not after it. Nothing is padded, moved or allocated by it.
"""

from typing import Any

import torch
from torch.nn import functional

_ALIGN = 16
"""The cache is looked at in multiples of this: attention with a mask is slower at other lengths on a GPU."""


class Transformer:
    """Layers and cache. A slot is a row of the cache; it has to be cleared before a new row begins in it.

    Linear layers and the cache are of type `dtype`; layer norms and the sum that runs through the layers stay float32.

    Args:
        layers: a `transformers.GPT2Model` in evaluation mode; its linear layers are converted in place.
        dtype: of linear layers and cache.
        length: most positions of a row.
        slots: rows that the cache holds.
    """

    def __init__(self, layers: Any, *, dtype: Any, length: int, slots: int) -> None:
        self._blocks = list(layers.h)
        self._last_norm = layers.ln_f
        self._dtype = dtype
        self._length = length
        for block in self._blocks:
            block.attn.to(dtype)
            block.mlp.to(dtype)
        device = self._last_norm.weight.device
        heads, size = self._blocks[0].attn.num_heads, self._blocks[0].attn.head_dim
        shape = (slots, 2, heads, length, size)
        self._cache = [torch.zeros(shape, dtype=dtype, device=device) for _ in self._blocks]
        self._places = torch.arange(length, device=device)

    @staticmethod
    def bytes_per_slot(layers: Any, dtype: Any, length: int) -> int:
        """Return the memory that one slot takes, in bytes."""
        values = 2 * len(layers.h) * layers.embed_dim * length
        return int(values * dtype.itemsize)

    def prefill(self, inputs: Any, slots: Any) -> Any:
        """Begin rows: return the hidden states of all positions, and keep keys and values in `slots`.

        Args:
            inputs: embeddings of shape (rows, width, dim). Shorter rows are padded at their end with anything finite:
                no position looks at a later one.
            slots: int64 of shape (rows,).
        """
        width = inputs.shape[1]

        def attend(layer: int, query: Any, both: Any) -> Any:
            self._cache[layer][slots, :, :, :width] = both
            return functional.scaled_dot_product_attention(query, both[:, 0], both[:, 1], is_causal=True)

        return self._forward(inputs, attend)

    def step(self, inputs: Any, positions: Any, longest: int) -> Any:
        """Continue the rows of the first slots by one position; return hidden states of the shape of `inputs`.

        Args:
            inputs: embeddings of shape (rows, 1, dim).
            positions: int64 of shape (rows,): where the cache is written.
            longest: above all of `positions`.
        """
        rows = len(inputs)
        seen = min(self._length, -(-longest // _ALIGN) * _ALIGN)
        later = self._places[:seen] > positions[:, None, None, None]
        mask = torch.zeros(later.shape, dtype=self._dtype, device=later.device).masked_fill_(later, -torch.inf)
        slots = self._places[:rows]

        def attend(layer: int, query: Any, both: Any) -> Any:
            cache = self._cache[layer]
            cache[slots, :, :, positions] = both[..., 0, :]
            return functional.scaled_dot_product_attention(
                query, cache[:rows, 0, :, :seen], cache[:rows, 1, :, :seen], attn_mask=mask
            )

        return self._forward(inputs, attend)

    def clear(self, slots: Any) -> None:
        """Make slots ready for new rows: a masked position counts nothing, unless it holds a NaN."""
        for cache in self._cache:
            cache.index_fill_(0, slots, 0)

    def move(self, source: int, target: int) -> None:
        """Copy a row to another slot."""
        for cache in self._cache:
            cache[target] = cache[source]

    def _forward(self, hidden: Any, attend: Any) -> Any:
        rows, width, dim = hidden.shape
        for layer, block in enumerate(self._blocks):
            attention = block.attn
            joint = attention.c_attn(block.ln_1(hidden).to(self._dtype))
            parts = joint.view(rows, width, 3, attention.num_heads, attention.head_dim).transpose(1, 3)
            mixed = attend(layer, parts[:, :, 0], parts[:, :, 1:].transpose(1, 2))
            hidden = hidden + attention.c_proj(mixed.transpose(1, 2).reshape(rows, width, dim))
            wide = block.mlp.c_fc(block.ln_2(hidden).to(self._dtype))
            # one kernel for what transformers calls gelu_new and computes in eight
            hidden = hidden + block.mlp.c_proj(functional.gelu(wide, approximate="tanh"))
        return self._last_norm(hidden)
