import keras
import numpy as np
import pytest

from photoz_morph.models.detection.masks import pasted_masks
from photoz_morph.models.loading import load_network
from photoz_morph.models.region_cnn import TERMS, faster_rcnn, mask_rcnn
from tests.support.scenes import found_fraction, gaussian_field

SETTINGS = dict(n_candidates=60, n_proposals=20, anchor_sample=48, proposal_sample=32, max_detections=10)
SMALL = dict(image_shape=(32, 32, 1), n_classes=2, width=8, depth=1, stride=2, sizes=(5, 8), ratios=(0.5, 1.0),
             n_hidden=24, box_size=5, seed=1, **SETTINGS)  # fmt: skip


def small_mask_rcnn(**options):
    return mask_rcnn(**{**SMALL, "mask_size": 5, "n_mask_maps": 8, **options})


def truth_of(field):
    return {name: field[name] for name in ("boxes", "classes", "sources")}


def fresh_terms(model, image, truth):
    return model.loss_terms(image, truth, model.backbone({"image": image}), training=False)


def test_fresh_losses_are_those_of_undecided_heads():
    """Objectness of ln 2 and a cross-entropy of ln 3 for three classes; outputs start near zero."""
    field = gaussian_field(4, seed=1)
    model = small_mask_rcnn()
    terms = fresh_terms(model, field["image"], truth_of(field))
    assert tuple(terms) == TERMS and all(values.shape == (4,) for values in terms.values())
    np.testing.assert_allclose(terms["objectness"], np.log(2), rtol=0.02)
    np.testing.assert_allclose(terms["class"], np.log(3), rtol=0.02)
    np.testing.assert_allclose(terms["mask"], np.log(2), rtol=0.02)


def test_an_image_has_the_losses_it_has_alone():
    field = gaussian_field(4, seed=1)
    model = small_mask_rcnn()
    together = fresh_terms(model, field["image"], truth_of(field))
    for row in range(4):
        image, truth = field["image"][row : row + 1], {k: v[row : row + 1] for k, v in truth_of(field).items()}
        alone = fresh_terms(model, image, truth)
        for name in TERMS:
            np.testing.assert_allclose(alone[name][0], together[name][row], rtol=1e-4)


def test_an_image_without_sources_teaches_that_there_is_nothing():
    field = gaussian_field(2, seed=1)
    truth = truth_of(field)
    truth["boxes"], truth["classes"] = 0 * truth["boxes"], 0 * truth["classes"]
    truth["sources"] = 0 * truth["sources"]
    model = small_mask_rcnn()
    terms = fresh_terms(model, field["image"], truth)
    assert np.all(np.array(terms["objectness"]) > 0.5) and np.all(np.array(terms["class"]) > 0.5)
    for name in ("proposal_offsets", "box_offsets", "mask"):
        np.testing.assert_array_equal(terms[name], 0)


def test_proposals_are_the_refined_anchors_with_the_best_scores():
    model = faster_rcnn(**SMALL)
    regions = {name: np.array(values) for name, values in model.backbone({"image": np.zeros((1, 32, 32, 1))}).items()}
    regions["objectness"][:], regions["offsets"][:] = -20, 0
    row, column, anchor = 5, 9, 1  # size 5, ratio 1, at pixels 10.5 and 18.5
    number = (row * 16 + column) * 4 + anchor
    regions["objectness"][0, number] = 5
    regions["offsets"][0, number] = [0.2, -0.4, np.log(2), 0]  # by 1 and -2 pixels, twice as high
    boxes, is_valid = model._proposals(regions, (32, 32))
    assert bool(is_valid[0, 0])
    np.testing.assert_allclose(boxes[0, 0], [11.5 - 5, 16.5 - 2.5, 11.5 + 5, 16.5 + 2.5], atol=1e-4)


def test_the_sample_of_a_step_is_the_same_again_and_another_in_the_next():
    field = gaussian_field(2, seed=1)
    model = faster_rcnn(**SMALL)
    rng = np.random.default_rng(1)
    regions = {name: np.array(values) for name, values in model.backbone({"image": field["image"]}).items()}
    regions["objectness"] = rng.normal(size=regions["objectness"].shape).astype(np.float32)
    losses = []
    for step in (0, 0, 1):
        model.step.assign(step)
        losses.append(np.array(model.loss_terms(field["image"], truth_of(field), regions, False)["objectness"]))
    np.testing.assert_array_equal(losses[0], losses[1])
    assert not np.allclose(losses[0], losses[2])


def test_a_small_mask_rcnn_learns_boxes_classes_and_masks(tmp_path):
    train, test = gaussian_field(64, seed=1), gaussian_field(12, seed=2)
    model = small_mask_rcnn()
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(5e-3, 240)))
    model.optimizer.build(model.trainable_variables)  # otherwise the step is traced twice
    history = model.fit({"image": train["image"]}, truth_of(train), batch_size=8, epochs=30, verbose=0).history
    assert set(history) == {"loss", *TERMS} and int(model.step) == 240
    assert history["loss"][-1] == pytest.approx(sum(history[name][-1] for name in TERMS), rel=1e-4)
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    found = model.predict({"image": test["image"]}, verbose=0)
    completeness, purity = found_fraction(found, test, min_score=0.4)
    assert completeness > 0.6 and purity > 0.6, (completeness, purity)
    assert found["masks"].shape == (12, 10, 10, 10) and found["classes"].max() <= 2
    is_source = np.array(pasted_masks(found["masks"], found["boxes"], (32, 32))).max(axis=1) > 0.5
    is_true = test["sources"] > 0
    assert (is_source & is_true).sum() / (is_source | is_true).sum() > 0.5
    model.save(tmp_path / "network.keras")
    restored = load_network(tmp_path / "network.keras", compile=True)
    for name, values in restored.predict({"image": test["image"]}, verbose=0).items():
        np.testing.assert_array_equal(values, found[name])
    assert int(restored.step) == 240 == int(restored.optimizer.iterations)
    validation = float(restored.compute_loss({"image": test["image"]}, truth_of(test), training=False))
    assert validation < history["loss"][0] and int(restored.step) == 240
