"""Estimators against closed forms, published tables and a straight-line computation."""

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler, FlowMatchEulerDiscreteScheduler
from pydantic import TypeAdapter, ValidationError
from scipy.stats import kendalltau

from mitune.backbones.gaussian import isotropic
from mitune.backbones.gaussian_mixture import ring
from mitune.diffusion.noise import DiscretePath, RectifiedFlowPath
from mitune.diffusion.sampling import Step, initial_noise, renoise, sample
from mitune.estimators import (
    Estimator,
    ForwardScore,
    Information,
    InformationDecomposition,
    PathScore,
    information,
)
from mitune.guidance import ClassifierFree

SD = DiscretePath.scaled_linear()
FLOW = RectifiedFlowPath()
EVERY_T = torch.arange(999, -1, -1)
LEADING_100 = torch.arange(991, 0, -10)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def expected_squares(backbone, times, y):
    """E_{z_t | y} (eps_c - eps_u)^2 in one dimension; 3-node Gauss-Hermite is exact."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    times = times.double()
    alpha, sigma = backbone.path.alpha(times), backbone.path.sigma(times)
    spread = (alpha**2 * backbone.scale**2 + sigma**2).sqrt()
    condition = backbone.condition(torch.tensor([[float(y)]])).expand(len(times))
    total = 0.0
    for node, weight in zip(nodes, weights / weights.sum(), strict=True):
        z_t = (alpha * y + spread * node)[:, None]
        eps_c = backbone.predict(z_t, times, condition).eps
        eps_u = backbone.predict(z_t, times, backbone.null(len(times))).eps
        total = total + weight * ((eps_c - eps_u) ** 2).sum(1)
    return total


@pytest.mark.parametrize(
    ("scale", "paper", "no_alpha", "trapezoid", "share", "released"),
    [
        (1.0, 0.3444, 0.3429, 0.3441, 0.036, 0.3493),
        (0.5, 0.8017, 0.7991, 0.8011, 0.091, 0.7717),
        (0.1, 2.2820, 2.2775, 2.2663, 0.377, 1.5351),
        (0.05, 2.9109, 2.9057, 2.8496, 0.491, 1.6062),
    ],
)
def test_published_weights_table(scale, paper, no_alpha, trapezoid, share, released):
    """methods 3.6, all columns; share is what t <= 50 holds of the paper's sum."""
    backbone = isotropic(1, scale, SD)
    squares = expected_squares(backbone, EVERY_T, 1)
    weights = PathScore(weights="paper").weights_for(SD, EVERY_T)
    terms = weights * squares
    assert terms.sum().item() == pytest.approx(paper, abs=6e-5)
    assert (terms * (1 - SD.betas[EVERY_T])).sum().item() == pytest.approx(no_alpha, abs=6e-5)
    quadrature = PathScore().weights_for(SD, EVERY_T) @ squares
    assert quadrature.item() == pytest.approx(trapezoid, abs=6e-5)
    assert (terms[EVERY_T <= 50].sum() / terms.sum()).item() == pytest.approx(share, abs=1e-3)
    coarse = PathScore(weights="released").weights_for(SD, LEADING_100)
    assert int((coarse > 0).sum()) == 95
    value = coarse @ expected_squares(backbone, LEADING_100, 1)
    assert value.item() == pytest.approx(released, abs=6e-5)


@pytest.mark.parametrize(
    ("scale", "y", "kl"),
    [
        (0.5, 0, 0.40472),
        (0.5, 1, 0.80472),
        (0.5, 2, 2.00472),
        (0.5, 3, 4.00472),
        (1.0, 0, 0.09657),
        (1.0, 2, 1.09657),
        (0.1, 0, 1.81251),
    ],
)
def test_flow_quadrature_is_the_kl(scale, y, kl):
    """methods 4.4, the squared form, on a fine grid."""
    log_snr = torch.linspace(-28, 28, 4001, dtype=torch.float64)
    times = FLOW.timesteps_at(log_snr)
    squares = expected_squares(isotropic(1, scale, FLOW), times, y)
    assert (PathScore().weights_for(FLOW, times) @ squares).item() == pytest.approx(kl, abs=1e-4)


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_ddpm_and_shifted_flow_grids_agree(scale):
    """methods 23.2 and 23.15: 100 steps of either sampler, one KL."""
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    scheduler.set_timesteps(100)
    values = []
    for path, times in ((SD, EVERY_T), (FLOW, scheduler.timesteps)):
        squares = expected_squares(isotropic(1, scale, path), times, 1)
        values.append((PathScore().weights_for(path, times) @ squares.nan_to_num(0)).item())
    assert values[0] == pytest.approx(values[1], rel=0.015)


def test_alpha_factor_is_at_most_1_2_percent():
    paper = PathScore(weights="paper").weights_for(SD, LEADING_100)
    released = PathScore(weights="released").weights_for(SD, LEADING_100)
    kept = LEADING_100 > 50
    ratio = paper[kept] * len(LEADING_100) / (released[kept] * int(kept.sum()))
    assert 1 < ratio.min() < ratio.max() < 1.0122


def path_run(backbone, guidance_scale, num_steps, y, n=None):
    scheduler = DDPMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        steps_offset=1,
        clip_sample=False,
    )
    seeds = [seeded(i) for i in range(n or len(y))]
    condition = backbone.condition(y).expand(len(seeds))
    noise = initial_noise(backbone.latent_shape, seeds)
    guiding = guide(backbone, guidance_scale, condition, num_steps)
    return sample(guiding, scheduler, noise, seeds)


def guide(backbone, scale, condition, steps=1):
    guidance, texts = ClassifierFree(scale=scale), [""] * len(condition)
    return guidance.start(backbone, texts, condition, backbone.null(), steps)


@pytest.mark.parametrize("preset", ["released", "paper"])
def test_published_presets_equal_a_straight_line_computation(preset):
    """The arithmetic of the released code, written out with diffusers alone."""
    y = torch.randn(3, 8, generator=seeded(9), dtype=torch.float64)
    backbone = isotropic(8, 0.5, SD)
    ours = PathScore(weights=preset).fold(SD, path_run(backbone, 7.5, 20, y))

    scheduler = DDPMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        steps_offset=1,
        clip_sample=False,
    )
    scheduler.set_timesteps(20)
    seeds = [seeded(i) for i in range(3)]
    z = initial_noise((8,), seeds)
    terms = []
    for t in scheduler.timesteps:
        batch_t = t.expand(3)
        eps_u = backbone.predict(z, batch_t, backbone.null(3)).eps
        eps_c = backbone.predict(z, batch_t, backbone.condition(y)).eps
        kappa = scheduler.betas[t] * 1000 / (2 * (1 - scheduler.alphas_cumprod[t]))
        if preset == "paper":
            terms.append(kappa / scheduler.alphas[t] * ((eps_c - eps_u) ** 2).sum(1))
        elif t > 50:
            terms.append(kappa * ((eps_c - eps_u) ** 2).sum(1))
        z = scheduler.step(eps_u + 7.5 * (eps_c - eps_u), t, z, generator=seeds).prev_sample
    torch.testing.assert_close(ours.score, torch.stack(terms).mean(0), rtol=1e-4, atol=1e-5)


def test_path_score_inside_the_loop_equals_the_fold_and_windows_replay():
    y = torch.randn(3, 8, generator=seeded(9), dtype=torch.float64)
    backbone, estimator = isotropic(8, 0.5, SD), PathScore()
    steps = list(path_run(backbone, 2.0, 12, y))
    whole = estimator.fold(SD, steps)
    weights = estimator.weights_for(SD, torch.tensor([s.t for s in steps])).tolist()
    running = sum(estimator.increment(s, w) for s, w in zip(steps, weights, strict=True))
    torch.testing.assert_close(running, whole.score)
    window = PathScore(window=(-3.0, 1.0)).fold(SD, steps)
    kept = (whole.log_snr >= -3.0) & (whole.log_snr <= 1.0)
    assert 0 < kept.sum() < 12
    torch.testing.assert_close(window.score, whole.increments[:, kept].sum(1))


def test_unguided_path_score_averages_to_the_kl():
    """Girsanov: without guidance, the mean over sampled paths is the KL."""
    backbone = isotropic(4, 0.7, SD)
    y = torch.full((1, 4), 0.8)
    found = PathScore().fold(SD, path_run(backbone, 1.0, 100, y, n=400))
    assert found.score.mean().item() == pytest.approx(backbone.kl(y).item(), rel=0.05)


def both(draws=24, **kwargs):
    return [
        ForwardScore(draws=draws, **kwargs),
        InformationDecomposition(draws=draws, **kwargs),
    ]


@pytest.mark.parametrize("path", [SD, FLOW], ids=["sd", "flow"])
@pytest.mark.parametrize("antithetic", [False, True])
def test_an_empty_prompt_carries_exactly_nothing(path, antithetic):
    backbone = isotropic(8, 0.5, path)
    z0 = torch.randn(5, 8, generator=seeded())
    null = backbone.null()
    found = information(backbone, z0, null.expand(5), null, both(antithetic=antithetic), seeded(1))
    for result in found:
        assert torch.equal(result.increments, torch.zeros_like(result.increments))
    if path is SD:
        seeds = [seeded(i) for i in range(5)]
        noise = initial_noise((8,), seeds)
        scheduler = DDPMScheduler(beta_schedule="scaled_linear", clip_sample=False)
        steps = sample(guide(backbone, 7.5, null.expand(5), 8), scheduler, noise, seeds)
        assert torch.equal(PathScore().fold(SD, steps).score, torch.zeros(5))


def test_information_decomposition_is_the_log_ratio():
    """methods 23.5: to 1e-5 by quadrature, and exactly per image, not on average."""
    d = 6
    backbone = isotropic(d, 0.5, FLOW)
    y = torch.randn(20, d, generator=seeded(1), dtype=torch.float64)
    z0 = backbone.sample(y, seeded(2))
    log_snr = torch.linspace(-30, 30, 601, dtype=torch.float64)
    times = FLOW.timesteps_at(log_snr)
    weights = FLOW.information_weights(times).tolist()
    # The mean of any quadratic over eps ~ N(0, I) is its mean over these 2 d points.
    axes = torch.eye(d, dtype=torch.float64) * d**0.5
    estimator, total = InformationDecomposition(), torch.zeros(20, dtype=torch.float64)
    for point in torch.cat([axes, -axes]):
        stream = renoise(
            backbone, z0, backbone.condition(y), backbone.null(), times, point.expand(601, d)
        )
        for draw, weight in zip(stream, weights, strict=True):
            total += estimator.increment(draw, weight / (2 * d))
    torch.testing.assert_close(total, backbone.log_ratio(z0, y), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("antithetic", [False, True])
def test_drawn_information_is_the_log_ratio_within_its_error(antithetic):
    backbone = isotropic(6, 0.5, FLOW)
    y = torch.randn(64, 6, generator=seeded(1), dtype=torch.float64)
    z0 = backbone.sample(y, seeded(2))
    window = (-16.0, 16.0)
    forward, found = information(
        backbone,
        z0,
        backbone.condition(y),
        backbone.null(),
        both(2000, log_snr=window, antithetic=antithetic),
        seeded(3),
    )
    truth = backbone.log_ratio(z0, y)
    assert ((found.score - truth).abs() < 4.5 * found.standard_error).all()
    assert found.standard_error.max() < 0.5
    assert kendalltau(found.score, truth).statistic > 0.95
    # The squared score averages to the same KL, and is another thing image by image.
    kl = backbone.kl(y).mean().item()
    assert forward.score.mean().item() == pytest.approx(kl, rel=0.1)
    assert (forward.score - truth).abs().max() > 1


def test_standard_error_matches_the_spread_over_repetitions():
    backbone = isotropic(6, 0.5, SD)
    y = torch.randn(4, 6, generator=seeded(1), dtype=torch.float64)
    z0 = backbone.sample(y, seeded(2))
    runs = [
        information(
            backbone, z0, backbone.condition(y), backbone.null(), both(16)[1:], seeded(100 + i)
        )[0]
        for i in range(200)
    ]
    spread = torch.stack([run.score for run in runs]).std(0)
    claimed = torch.stack([run.standard_error**2 for run in runs]).mean(0).sqrt()
    torch.testing.assert_close(claimed, spread, rtol=0.25, atol=0)


def test_antithetic_pairs_rank_a_prompts_candidates_more_precisely():
    """At equal cost. What is left of the error is common to all candidates, and ranks nothing."""
    backbone = isotropic(6, 0.5, FLOW)
    y = torch.randn(1, 6, generator=seeded(1), dtype=torch.float64).expand(16, 6)
    z0 = backbone.sample(y, seeded(2))
    errors = {}
    for antithetic in (False, True):
        estimator = InformationDecomposition(draws=16, log_snr=(-10, 10), antithetic=antithetic)
        assert estimator.evaluations_per_image == 32
        args = (backbone, z0, backbone.condition(y), backbone.null(), [estimator])
        scores = torch.stack([information(*args, seeded(i))[0].score for i in range(60)])
        relative = scores - scores.mean(1, keepdim=True)
        errors[antithetic] = relative.std(0).mean().item()
    assert errors[True] < errors[False] / 3


@pytest.mark.parametrize("path", [SD, FLOW], ids=["sd", "flow"])
def test_candidates_are_scored_alone_and_together_alike(path):
    """Permuting permutes, batch size changes nothing, estimators do not disturb each other."""
    backbone = isotropic(8, 0.5, path, shape=(2, 2, 2))
    y = torch.randn(6, 8, generator=seeded(1), dtype=torch.float64)
    z0 = backbone.sample(y, seeded(2))

    def scores(rows, estimators):
        condition = backbone.condition(y[rows])
        found = information(backbone, z0[rows], condition, backbone.null(), estimators, seeded(7))
        return [result.score for result in found]

    whole = scores(list(range(6)), both())
    shuffle = [3, 1, 5, 0, 2, 4]
    for ours, theirs in zip(scores(shuffle, both()), whole, strict=True):
        torch.testing.assert_close(ours, theirs[shuffle])
    for ours, theirs in zip(scores([4], both()), whole, strict=True):
        torch.testing.assert_close(ours, theirs[4:5])
    (alone,) = scores(list(range(6)), both()[1:])
    assert torch.equal(alone, whole[1])


def test_draws_are_stratified_over_the_window():
    backbone = isotropic(2, 0.5, FLOW)
    estimator = InformationDecomposition(draws=10, log_snr=(-4.0, 1.0))
    condition = backbone.condition(torch.ones(1, 2))
    args = (backbone, torch.ones(1, 2), condition, backbone.null(), [estimator])
    (found,) = information(*args, seeded())
    strata = ((found.log_snr + 4) / 0.5).floor()
    assert strata.tolist() == list(range(10))


def test_a_window_is_clipped_to_what_the_path_has():
    lowest, highest = SD.log_snr_range
    log_snr, weights = ForwardScore(draws=8, log_snr=(-50.0, 50.0)).plan(SD, seeded())
    assert lowest <= log_snr.min() < log_snr.max() <= highest
    assert float(weights.sum()) == pytest.approx((highest - lowest) / 2)
    with pytest.raises(ValueError, match="path covers"):
        ForwardScore(log_snr=(20.0, 30.0)).plan(SD, seeded())


def test_leaky_mixture_separates_right_from_wrong():
    """methods 5.3: the decomposition tells failures apart (AUC 1); the path score does not."""
    backbone = ring(8, 1.0, 0.2, FLOW, "flow")
    n = 240
    condition = backbone.condition(torch.zeros(n, dtype=torch.long), leak=0.3)
    noise = initial_noise((2,), [seeded(i) for i in range(n)]).double()
    guiding = guide(backbone, 1.0, condition, 60)
    steps = list(sample(guiding, FlowMatchEulerDiscreteScheduler(), noise))
    z0 = steps[-1].z_next
    right = backbone.classify(z0) == 0
    assert right.double().mean().item() == pytest.approx(0.7, abs=0.1)

    forward, decomposed = information(
        backbone, z0, condition, backbone.null(), both(128, log_snr=(-8, 8)), seeded(1)
    )
    path = PathScore().fold(FLOW, steps)

    def auc(score):
        wins = score[right][:, None] > score[~right][None]
        return wins.double().mean().item()

    assert auc(backbone.log_ratio(z0, condition)) == 1
    assert auc(decomposed.score) == pytest.approx(1, abs=0.005)
    assert auc(path.score) < 0.95
    assert auc(forward.score) < 0.95


def test_half_precision_predictions_are_scored_in_float32():
    backbone = isotropic(8, 0.5, SD)
    z0 = torch.randn(3, 8, generator=seeded())
    condition = backbone.condition(torch.ones(3, 8))
    for dtype in (torch.float16, torch.float32):
        found = information(backbone, z0.to(dtype), condition, backbone.null(), both(), seeded(1))
        assert {result.score.dtype for result in found} == {torch.float32}


def test_registry_and_errors():
    registry = TypeAdapter(Estimator)
    kinds = {"path": PathScore, "forward": ForwardScore, "information": InformationDecomposition}
    for kind, cls in kinds.items():
        assert type(registry.validate_python({"kind": kind})) is cls
        with pytest.raises(ValidationError):
            registry.validate_python({"kind": kind, "weight": "paper"})
    assert [cls().evaluations_per_image for cls in kinds.values()] == [0, 48, 48]
    for wrong in ({"draws": 0}, {"log_snr": (1.0, 1.0)}, {"draws": 3, "antithetic": True}):
        with pytest.raises(ValidationError):
            InformationDecomposition(**wrong)
    with pytest.raises(ValueError, match="leaves no step"):
        PathScore(weights="released").weights_for(FLOW, torch.tensor([1000.0, 20.0]))
    with pytest.raises(ValueError, match="no such step"):
        PathScore(weights="released").weights_for(SD, torch.tensor([50, 1]))
    with pytest.raises(ValueError, match="independent draws"):
        _ = Information(torch.ones(1, 4), torch.arange(4.0)).standard_error
    backbone = isotropic(2, 0.5, SD)
    mixed = [ForwardScore(draws=4), InformationDecomposition(draws=6)]
    args = (backbone, torch.ones(1, 2), backbone.null(), backbone.null())
    with pytest.raises(ValueError, match="same draws"):
        information(*args, mixed, seeded())


def expected_form(form, times, y, scale, guidance=1.0):
    """E_{z_t | y} of one form's unweighted increments, through steps as a sampler yields them."""
    backbone = isotropic(1, scale, FLOW, kind="flow")
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    alpha, sigma = FLOW.alpha(times), FLOW.sigma(times)
    spread = (alpha**2 * scale**2 + sigma**2).sqrt()
    condition = backbone.condition(torch.tensor([[float(y)]])).expand(len(times))
    total = torch.zeros(len(times), dtype=torch.float64)
    for node, weight in zip(nodes, weights / weights.sum(), strict=True):
        z_t = (alpha * y + spread * node)[:, None]
        guided = guide(backbone, guidance, condition)(0, z_t, times)
        step = Step(0, 0.0, guided, z_t)
        total += weight * PathScore(form=form).increment(step, 1.0)
    return total


@pytest.mark.parametrize(
    ("scale", "y", "kl", "inner"),
    [
        (0.5, 0, 0.40472, 0.13070),
        (0.5, 1, 0.80472, 0.80472),
        (0.5, 2, 2.00472, 2.82677),
        (0.5, 3, 4.00472, 6.19684),
        (1.0, 0, 0.09657, -0.13919),
        (1.0, 2, 1.09657, 1.80387),
        (0.1, 0, 1.81251, 1.52747),
    ],
)
def test_rfmi_forms_against_the_true_information(scale, y, kl, inner):
    """methods 4.4: eq. 12 of RFMI is no KL for a single prompt, the squared form is."""
    u = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    times = 1000 * (1 - u)
    weight = 1 / (FLOW.sigma(times) * FLOW.alpha(times)) / len(times)
    assert float((weight * expected_form("squared", times, y, scale)).sum()) == pytest.approx(
        kl, abs=2e-4
    )
    assert float((weight * expected_form("inner", times, y, scale)).sum()) == pytest.approx(
        inner, abs=2e-4
    )
    paper = PathScore(weights="paper").weights_for(FLOW, times)
    torch.testing.assert_close(paper[1:-1], weight[1:-1], rtol=1e-7, atol=0)


def test_rfmi_inner_form_is_right_on_average_over_prompts():
    """The missing term vanishes in E_Y: both forms give I(X; Y)."""
    u = (torch.arange(2_000, dtype=torch.float64) + 0.5) / 2_000
    times = 1000 * (1 - u)
    weight = 1 / (FLOW.sigma(times) * FLOW.alpha(times)) / len(times)
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    found = sum(
        w * float((weight * expected_form("inner", times, y, 0.5)).sum())
        for y, w in zip(nodes, weights / weights.sum(), strict=True)
    )
    assert found == pytest.approx(0.80472, abs=1e-3)


def test_rfmi_released_arithmetic_is_no_integral():
    """methods 4.3: 97 of 100 steps of the shifted grid kept, their plain mean off by a quarter."""
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    scheduler.set_timesteps(100)
    times = scheduler.timesteps.double()
    weights = PathScore(form="inner", weights="released").weights_for(FLOW, times)
    assert int((weights > 0).sum()) == 97
    found = float((weights * expected_form("inner", times, 1, 0.5)).sum())
    assert found == pytest.approx(0.612, abs=2e-3)
    quadrature = PathScore(form="inner").weights_for(FLOW, times)
    assert float((quadrature * expected_form("inner", times, 1, 0.5)).sum()) == pytest.approx(
        0.8047, abs=0.02
    )


def test_rfmi_paper_weights_are_the_integral_on_a_shifted_grid_too():
    """methods 4.3: the steps of sigma count. Grid of Stable Diffusion 3, true value 0.80472."""
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    scheduler.set_timesteps(100)
    times = scheduler.timesteps.double()
    for form in ("squared", "inner"):
        weights = PathScore(form=form, weights="paper").weights_for(FLOW, times)
        found = float((weights * expected_form(form, times, 1, 0.5)).sum())
        assert found == pytest.approx(0.80472, abs=1e-3)


def test_rfmi_guided_form_is_the_released_expression():
    """(1 - s) / s v_g . (v_g - v_u) on the same predictions, written out."""
    backbone = isotropic(4, 0.5, FLOW, kind="flow")
    z_t, t = torch.randn(6, 4, generator=seeded()), torch.full((6,), 400.0)
    condition = backbone.condition(torch.randn(6, 4, generator=seeded(1)))
    guided = guide(backbone, 4.5, condition)(0, z_t, t)
    v_u, v_c = guided.unconditional.raw, guided.conditional.raw
    v_g = v_u + 4.5 * (v_c - v_u)
    expected = (1 - 0.4) / 0.4 * (v_g * (v_g - v_u)).sum(1)
    score = PathScore(form="inner_guided", weights="released")
    weight = float(score.weights_for(FLOW, torch.tensor([400.0])))
    found = score.increment(Step(0, 400.0, guided, z_t), weight)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_rfmi_forms_need_a_flow():
    with pytest.raises(ValueError, match="velocities of a rectified flow"):
        PathScore(form="inner").weights_for(SD, LEADING_100)
