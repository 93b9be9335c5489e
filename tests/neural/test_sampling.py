"""Sampling: the warpers of transformers, for all rows at once, and noise that belongs to its row."""

import math

import pytest
import torch
from transformers.generation.logits_process import (
    RepetitionPenaltyLogitsProcessor,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from synth_consumer.engines.coqui import sampling
from synth_consumer.engines.coqui.sampling import Sampling

VOCABULARY = 200
PLAIN = Sampling(top_k=0, top_p=1.0, repetition_penalty=1.0)


def some_scores(rows: int, seed: int = 0) -> torch.Tensor:
    """Return scores like those of a model: a few high ones."""
    return 3 * torch.randn(rows, VOCABULARY, generator=torch.Generator().manual_seed(seed))


def picks(scores: torch.Tensor, temperature: float, seeds: list[int], settings: Sampling = PLAIN) -> list[int]:
    """Pick one token for each row at its first step."""
    rows = len(scores)
    tokens = sampling.pick(
        scores, torch.full((rows,), temperature), torch.tensor(seeds), torch.zeros(rows, dtype=torch.int64), settings
    )
    return [int(token) for token in tokens]


@pytest.mark.parametrize("penalty", [1.0, 5.0])
def test_penalises_as_transformers_does(penalty: float) -> None:
    """Scores of tokens that were seen are lowered, whether they are above or below zero."""
    scores = some_scores(8)
    history = torch.randint(VOCABULARY, (8, 30), generator=torch.Generator().manual_seed(1))
    seen = torch.zeros(8, VOCABULARY, dtype=torch.bool).scatter(1, history, value=True)
    expected = RepetitionPenaltyLogitsProcessor(penalty)(history, scores)
    assert torch.equal(sampling.penalise(scores, seen, penalty), expected)


@pytest.mark.parametrize("top_k", [0, 1, 50, 1000])
@pytest.mark.parametrize("top_p", [0.0, 0.1, 0.85, 1.0])
def test_may_draw_what_transformers_may(top_k: int, top_p: float) -> None:
    """The tokens left by top-k and top-p are the same, and so are their scores."""
    scores = some_scores(64)
    expected = TopKLogitsWarper(top_k)(None, scores) if top_k else scores
    expected = TopPLogitsWarper(top_p)(None, expected)
    kept, tokens = sampling.candidates(scores, Sampling(top_k, top_p, 1.0))
    assert torch.equal(torch.full_like(scores, -math.inf).scatter(1, tokens, kept), expected)


def test_takes_the_likeliest_at_temperature_zero() -> None:
    """Without temperature there is no chance, whatever the other settings are."""
    scores = some_scores(16)
    assert picks(scores, 0.0, list(range(16)), Sampling(50, 0.85, 1.0)) == scores.argmax(1).tolist()


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_draws_each_token_as_often_as_its_probability_says(temperature: float) -> None:
    """Of many seeds, the shares of the tokens are the softmax of the scores over the temperature."""
    draws = 20_000
    scores = torch.tensor([[0.0, 1.0, 2.0, -1.0, 0.5]])
    counts = torch.tensor(picks(scores.expand(draws, -1), temperature, list(range(draws)))).bincount(minlength=5)
    assert torch.allclose(counts / draws, (scores[0] / temperature).softmax(0), atol=0.01)


def test_noise_is_split_mix_64() -> None:
    """The bits are those of SplitMix64, seeded by the row and its step, counted by the token."""

    def mixed(bits: int) -> int:
        bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        bits = (bits ^ bits >> 27) * 0x94D049BB133111EB % 2**64
        return bits ^ bits >> 31

    def expected(seed: int, step: int, token: int) -> float:
        key = mixed((seed + (step + 1) * 0x9E3779B97F4A7C15) % 2**64)
        uniform = ((mixed((key + (token + 1) * 0x9E3779B97F4A7C15) % 2**64) >> 41) + 0.5) / 2**23
        return -math.log(-math.log(uniform))

    cases = [(0, 0, 0), (1, 2, 3), (2**63 - 1, 601, 1025), (123456789, 0, 7)]
    noise = sampling.gumbel(*(torch.tensor(column) for column in zip(*cases, strict=True)))
    assert noise.tolist() == pytest.approx([expected(*case) for case in cases], rel=1e-5)


def test_split_mix_64_is_the_published_one() -> None:
    """The first number that the published generator makes of seed 0 is 0xE220A8397B1DCDAF."""
    assert sampling._mix(torch.tensor(sampling._GAMMA)).item() % 2**64 == 0xE220A8397B1DCDAF


def test_noise_is_finite_and_new_at_every_step() -> None:
    """Steps, seeds and tokens that lie side by side have noise of Gumbel's mean and spread, none of it twice."""
    steps, seeds = torch.arange(100)[:, None, None], torch.arange(20)[None, :, None]
    noise = sampling.gumbel(seeds, steps, torch.arange(100)).flatten()
    assert noise.isfinite().all()
    assert float(noise.mean()) == pytest.approx(0.5772, abs=0.01)
    assert float(noise.std()) == pytest.approx(math.pi / math.sqrt(6), abs=0.01)
    assert len(noise.unique()) > 0.98 * len(noise)  # of 8 million values


def test_a_row_draws_the_same_in_any_company() -> None:
    """What a row picks depends on its own scores, temperature and seed alone."""
    scores, seeds, settings = some_scores(16), list(range(100, 116)), Sampling(50, 0.85, 1.0)
    together = picks(scores, 0.75, seeds, settings)
    alone = [picks(scores[row : row + 1], 0.75, [seed], settings)[0] for row, seed in enumerate(seeds)]
    assert together == alone
    assert picks(scores, 0.75, [seed + 1 for seed in seeds], settings) != together


def test_picks_some_token_of_scores_that_are_not_numbers() -> None:
    """A model that computes NaN still gives a token, so nothing hangs or crashes here."""
    assert 0 <= picks(torch.full((1, VOCABULARY), math.nan), 0.75, [1], Sampling(50, 0.85, 1.0))[0] < VOCABULARY
