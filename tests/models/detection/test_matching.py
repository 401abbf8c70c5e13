import numpy as np

from photoz_morph.models.detection.matching import match, sample, shuffled


def test_boxes_match_by_thresholds_and_each_source_keeps_its_best():
    overlaps = np.array([[[0.8, 0.1], [0.5, 0.2], [0.1, 0.25], [0.0, 0.0], [0.6, 0.7]]], np.float32)
    overlaps = np.concatenate([overlaps, np.full((1, 5, 1), 0.9, np.float32)], axis=-1)  # a row that fills the array
    is_true = np.array([[True, True, False]])
    source, is_positive, is_negative = match(overlaps, is_true, 0.65, 0.3)
    assert source.numpy().tolist() == [[0, 0, 1, 0, 1]]
    assert is_positive.numpy().tolist() == [[True, False, False, False, True]]
    assert is_negative.numpy().tolist() == [[False, False, True, True, False]]


def test_the_best_box_of_a_faint_neighbour_is_not_taken_by_the_brighter_one():
    overlaps = np.array([[[0.9, 0.1], [0.4, 0.35], [0.2, 0.0]]], np.float32)
    is_true = np.array([[True, True]])
    source, is_positive, is_negative = match(overlaps, is_true, 0.7, 0.3, keep_best=True)
    assert source.numpy().tolist()[0][:2] == [0, 1]
    assert is_positive.numpy().tolist() == [[True, True, False]]
    assert is_negative.numpy().tolist() == [[False, False, True]]


def test_without_sources_every_box_is_negative():
    _, is_positive, is_negative = match(np.zeros((1, 4, 2), np.float32), np.zeros((1, 2), bool), 0.7, 0.3, True)
    assert not is_positive.numpy().any() and is_negative.numpy().all()


def test_a_sample_has_at_most_its_fraction_of_positives_and_negatives_fill_it():
    is_positive = np.zeros((3, 100), bool)
    is_positive[0, :40] = is_positive[1, :3] = True
    is_negative = np.ones((3, 100), bool) & ~is_positive
    is_negative[2, 5:] = False
    index, positive, used = (np.array(values) for values in sample(is_positive, is_negative, 20, 0.25, step=7))
    assert positive.sum(axis=1).tolist() == [5, 3, 0] and used.sum(axis=1).tolist() == [20, 20, 5]
    for row in range(3):
        assert len(set(index[row][used[row]])) == used[row].sum()
        assert is_positive[row, index[row][positive[row]]].all()
        assert is_negative[row, index[row][used[row] & ~positive[row]]].all()
    assert positive[0, :5].all()  # positive ones first


def test_the_choice_follows_from_the_step_alone_and_spreads_over_the_boxes():
    negatives = np.ones((4, 500), bool)
    first, again = (np.array(sample(~negatives, negatives, 50, 0.5, step=3)[0]) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    one = negatives[:1]
    np.testing.assert_array_equal(first, np.array(sample(~one, one, 50, 0.5, step=3)[0]).repeat(4, axis=0))
    counts = np.bincount(np.concatenate([sample(~one, one, 50, 0.5, step)[0][0] for step in range(200)]))
    assert len(counts) == 500 and counts.min() > 3 and counts.max() < 45  # 20 +- 4 by chance


def test_the_order_is_without_repeats_and_even():
    for step in (0, 1, 46336, 10**6):
        places = np.array(shuffled(46337, step))
        assert len(np.unique(places)) == 46337
        part = np.array(shuffled(2000, step))
        assert abs(part.mean() - 0.5) < 0.03
        assert abs(np.corrcoef(part[1:], part[:-1])[0, 1]) < 0.08
