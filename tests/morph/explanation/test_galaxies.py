import numpy as np

from photoz_morph.morph.explanation.galaxies import Seen, picked


def test_each_reason_takes_its_galaxy():
    own = np.array([[0.9, 0.1], [0.2, 0.8], [0.95, 0.05], [0.6, 0.4], [0.55, 0.45]])
    other = own.copy()
    other[3] = [0.3, 0.7]
    columns = {"label": np.array([0, 1, 1, 0, 0]), "obj_id": np.arange(5)}
    seen = Seen(np.zeros((5, 1, 1, 1)), columns, own[None], other, np.zeros((5, 1)))
    reasons = picked(seen, {4}, 4)
    assert reasons == {0: "surest right", 2: "surest wrong", 4: "flipped by one pixel", 3: "differs between depths"}
    assert picked(seen, {4}, 5)[1] == "random"


def test_a_galaxy_without_a_class_is_neither_right_nor_wrong():
    own = np.array([[0.9, 0.1], [0.7, 0.3]])
    seen = Seen(np.zeros((2, 1, 1, 1)), {"label": np.array([-1, -1]), "obj_id": np.arange(2)}, own[None], own, own)
    assert set(picked(seen, set(), 2).values()) == {"random"}
