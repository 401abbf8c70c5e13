import numpy as np
import tensorflow as tf

from photoz_morph.datasets import batches


def galaxies(n):
    return tf.data.Dataset.range(n).map(lambda obj_id: {"obj_id": obj_id})


def order_of(n, is_cached, seed):
    return [galaxy["obj_id"] for galaxy in batches.shuffled(galaxies(n), n, is_cached, seed).as_numpy_iterator()]


def test_an_order_is_a_permutation_that_follows_from_its_seed():
    orders = [order_of(300, True, seed) for seed in (5, 5, 6)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == list(range(300)) != orders[0]


def test_galaxies_on_disk_are_shuffled_within_a_buffer(monkeypatch):
    monkeypatch.setattr(batches, "SHUFFLE_BUFFER", 10)
    places = np.argsort(order_of(300, False, 5))  # where each galaxy comes out
    assert np.all(places > np.arange(300) - 10)  # none is drawn before it is in the buffer
    assert np.any(np.argsort(order_of(300, True, 5)) <= np.arange(300) - 10)


def test_batches_are_full_and_their_galaxies_are_named_by_number():
    order = batches.shuffled(galaxies(23), 23, True, 5)
    found = [list(ids) for ids in batches.full_batches(order, 5, lambda batch: batch["obj_id"]).as_numpy_iterator()]
    assert [len(ids) for ids in found] == [5, 5, 5, 5]  # the remainder of 3 is left out
    assert [batches.obj_ids(order, number, 5) for number in range(4)] == found


def test_streams_of_randomness_are_independent():
    keys = [(seed, epoch, stream) for seed in (1, 2) for epoch in (0, 1, 2) for stream in range(6)]
    seeds = {key: batches.stream_seeds(*key)[0] for key in keys}
    assert len(set(seeds.values())) == len(keys)
    assert all(batches.stream_seeds(*key, n=3)[0] == seeds[key] for key in keys)  # more seeds leave the first as it is


def test_the_order_does_not_depend_on_the_seed_of_the_process():
    def order():
        return list(batches.shuffled(tf.data.Dataset.range(50), 50, True, 7).as_numpy_iterator())

    unset = order()
    try:
        tf.random.set_seed(3)
        assert order() == unset
        assert tf.compat.v1.get_seed(0)[0] == 3  # as the user left it
    finally:
        tf.random.set_seed(None)
    assert order() == unset and unset != sorted(unset)
