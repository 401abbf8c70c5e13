import numpy as np
import pytest
from scipy import stats

from photoz_morph.metrics.group_errors import interval
from photoz_morph.morph.robustness.latent_files import LAYOUT, read_latent, seed_ratio, write_latent


def test_ratio_of_seeds_is_that_of_the_logarithms():
    def seeds(lengths, separation):
        return [{"y10_y1": length, "separation": separation, "spread": 1.0} for length in lengths]

    first, second = (1.0, 2.0, 4.0), (8.0, 8.0, 2.0)
    found = seed_ratio(seeds(first, 3.0), seeds(second, 6.0))
    gain = np.mean(np.log(second)) - np.mean(np.log(first))  # ln (128 / 8) / 3
    assert found["raw"]["value"] == pytest.approx(16 ** (1 / 3)) == found["per_spread"]["value"]
    assert found["per_separation"]["value"] == pytest.approx(16 ** (1 / 3) / 2)
    parts = [(np.std(np.log(values), ddof=1) / np.sqrt(3), 2) for values in (first, second)]
    assert found["raw"]["interval"] == pytest.approx(np.exp(interval(gain, parts)["interval"]).tolist())
    assert seed_ratio(seeds(first, 3.0), seeds([8.0], 6.0))["raw"]["interval"] is None


@pytest.mark.parametrize(
    ("text", "message"), [(None, "no such file"), ("{", "not JSON"), ('{"data": 1}', "has no attack")]
)
def test_what_is_no_latent_json_is_named(tmp_path, text, message):
    path = tmp_path / "latent.json"
    if text:
        path.write_text(text)
    with pytest.raises((FileNotFoundError, ValueError), match=f"latent.json: .*{message}.*morph latent"):
        read_latent(path)


def test_runs_that_differ_only_in_the_length_of_their_latents_have_one_scale_free_ratio():
    rng = np.random.default_rng(0)
    names = ("y10_y1", "margin_y10", "margin_y1", "separation", "spread")
    first = [dict(zip(names, rng.uniform(1, 3, 5))) for _ in range(3)]
    second = [{name: 2.3 * value for name, value in seed.items()} for seed in first]
    for name in names[:3]:
        ratio = seed_ratio(first, second, name)
        assert ratio["raw"]["value"] == pytest.approx(2.3)
        for unit in ("per_separation", "per_spread"):
            low, high = ratio[unit]["interval"]
            assert ratio[unit]["value"] == pytest.approx(1) and low < 1 < high


def test_interval_of_a_ratio_of_seeds_is_that_of_welch():
    first, second = np.exp(np.random.default_rng(1).normal([[0.0], [0.4]], 0.3, (2, 5)))
    seeds = [[{"y10_y1": length, "separation": 1.0, "spread": 1.0} for length in part] for part in (first, second)]
    expected = stats.ttest_ind(np.log(second), np.log(first), equal_var=False).confidence_interval(0.95)
    assert seed_ratio(*seeds)["raw"]["interval"] == pytest.approx(np.exp([expected.low, expected.high]))


def test_scores_come_back_as_written_and_numbers_that_json_lacks_are_refused(tmp_path):
    scores = dict.fromkeys(LAYOUT, None) | {"lengths": {"y10_y1": {"n": 3, "raw": {"value": 0.1 + 0.2}}}}
    path = tmp_path / "latent.json"
    write_latent(scores, path)
    assert read_latent(path) == scores
    with pytest.raises(ValueError, match="JSON compliant"):
        write_latent(scores | {"scale": np.nan}, path)
    assert read_latent(path) == scores and not list(tmp_path.glob("*.part"))
