import numpy as np
from astropy.table import Table

from photoz_morph.explain.files import Stored
from photoz_morph.report.explanations.anatomy import FILTERS, LATENT, MADE, anatomy_entries

RNG = np.random.default_rng(0)


def stored(meta, **arrays):
    return Stored(Table({"obj_id": [1]}, meta=meta), arrays)


def test_each_part_has_its_section_and_the_map_its_galaxies():
    images = RNG.normal(size=(2, 8, 8, 3))
    raised = {name: images for name in ("higher", "lower", "from_noise", "dream")}
    raised |= {f"{name}_change": images for name in ("higher", "lower", "from_noise")}
    latent = Table({"obj_id": [7, 8], "z": [0.1, 0.2], "position": RNG.normal(size=(2, 2)), "alike": [[1], [0]]},
                   meta={"method": "isomap", "trust": 0.9})  # fmt: skip
    parts = {
        "kernels": stored({"layer": "C1"}, kernels=RNG.normal(size=(2, 3, 3, 3))),
        "strongest": stored({"layer": "C2"}, patches=RNG.random((2, 9, 4, 4, 3)), filters=np.array([0, 1]),
                            projections=RNG.normal(size=(2, 9, 4, 4, 3))),
        "feature_maps": stored({"layer": "C2"}, maps=RNG.normal(size=(1, 4, 4, 6))),
        "raised": stored({}, dream_detail=images, target=np.arange(10.0).reshape(2, 5), **raised),
        "latent": Stored(latent, {"image": images}),
    }  # fmt: skip

    def colour_of(given):
        return np.clip(given[..., :3], 0, 1)

    def describe(row):
        return f"no {row['obj_id']}"

    entries = anatomy_entries(parts, images, ("g", "r", "i"), colour_of, "redshift", ("z",), describe)
    assert list(dict.fromkeys(entry.section for entry in entries)) == [FILTERS, MADE, LATENT]
    figures = {entry.name: entry.draw() for entry in entries if entry.draw}
    assert list(figures) == ["kernels", "strongest", "feature_maps", "made"]
    below = [axes.get_xlabel() for axes in figures["made"].axes[:4]]
    assert below == ["0", "5", "1", "6"]  # the target of the galaxies, and of what raises it
    assert "no 7" in entries[-1].html and "isomap" in entries[-2].caption
