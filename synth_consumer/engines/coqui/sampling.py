"""Seeded sampling of tokens for many rows at once, each as if it were alone.

Every random number is a hash of the row's seed, its step and the token (SplitMix64), so there is no generator whose
state could be shared, moved or lost: a row draws the same in any company, in a batch of any size, on any device, and
again when it is decoded anew. The argmax of scores with Gumbel noise added is a draw from their softmax.
"""

from typing import Any, NamedTuple

import torch

_GAMMA = 0x9E3779B97F4A7C15 - 2**64
_FIRST = 0xBF58476D1CE4E5B9 - 2**64
_SECOND = 0x94D049BB133111EB - 2**64
"""Constants of SplitMix64 (Steele, Lea and Flood, 2014, "Fast splittable pseudorandom number generators")."""
_BITS = 23
"""Random bits in a number: with a half added they still fit the significand of a float32, so it never is 0 or 1."""


class Sampling(NamedTuple):
    """What is the same for all rows."""

    top_k: int
    """Most tokens that are drawn from; 0 for all."""
    top_p: float
    """Least share of the probability that is drawn from, at most 1."""
    repetition_penalty: float
    """Divides positive and multiplies negative scores of tokens that the row has had; 1 for none."""


def penalise(scores: Any, seen: Any, penalty: float) -> Any:
    """Return scores with those of seen tokens lowered (Keskar et al., 2019, "CTRL", section 4.1).

    Args:
        scores: floats of shape (rows, vocabulary).
        seen: booleans of the same shape.
        penalty: above 1 to lower.
    """
    return torch.where(seen, torch.where(scores < 0, scores * penalty, scores / penalty), scores)


def pick(scores: Any, temperature: Any, seeds: Any, steps: Any, sampling: Sampling) -> Any:
    """Return one token for each row, of shape (rows,).

    Args:
        scores: floats of shape (rows, vocabulary), already penalised.
        temperature: floats of shape (rows,); 0 takes the likeliest token.
        seeds: int64 of shape (rows,).
        steps: int64 of shape (rows,): how many tokens the row has.
        sampling: what is the same for all rows.
    """
    greedy = (temperature <= 0)[:, None]
    scaled = scores / temperature[:, None].masked_fill(greedy, 1.0)
    kept, tokens = candidates(scaled, sampling)
    noise = gumbel(seeds[:, None], steps[:, None], tokens).masked_fill(greedy, 0.0)
    return tokens.gather(1, (kept + noise).argmax(1, keepdim=True)).squeeze(1)


def candidates(scores: Any, sampling: Sampling) -> tuple[Any, Any]:
    """Return the scores that may be drawn, the highest first and -inf for those that may not, and their tokens.

    The likeliest `top_k` tokens, and of them the fewest whose probabilities add up to `top_p`.
    """
    vocabulary = scores.shape[1]
    kept, tokens = scores.topk(min(sampling.top_k or vocabulary, vocabulary), dim=1)
    rest = kept.softmax(1).flip(1).cumsum(1).flip(1)  # probability of a token and all below it
    outside = rest <= 1 - sampling.top_p
    outside[:, 0] = False
    return kept.masked_fill(outside, -torch.inf), tokens


def gumbel(seeds: Any, steps: Any, tokens: Any) -> Any:
    """Return standard Gumbel noise in float32 for int64 tensors that broadcast together."""
    key = _mix(seeds + (steps + 1) * _GAMMA)
    bits = _mix(key + (tokens + 1) * _GAMMA)
    uniform = (_shift(bits, 64 - _BITS).float() + 0.5) / 2**_BITS
    return -torch.log(-torch.log(uniform))


def _mix(bits: Any) -> Any:
    bits = (bits ^ _shift(bits, 30)) * _FIRST
    bits = (bits ^ _shift(bits, 27)) * _SECOND
    return bits ^ _shift(bits, 31)


def _shift(bits: Any, by: int) -> Any:
    """Shift int64 to the right as if they had no sign."""
    return (bits >> by) & ((1 << (64 - by)) - 1)
