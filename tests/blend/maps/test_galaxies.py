import shutil

import keras
import numpy as np
import pytest

from photoz_morph.blend.maps.galaxies import open_map_dataset, read_mapped_galaxies
from photoz_morph.blend.maps.targets import HEAD, evaluate_maps, map_targets, maps_of_outputs
from photoz_morph.models.detection.losses import KnownPixelsLoss
from photoz_morph.models.layers.image_scaling import ArcsinhScaling, fit_scaling
from photoz_morph.models.unet import unet
from photoz_morph.shards.galaxy_maps import map_shard_path, read_map_shard


def trained(galaxies, epochs, batch_size=8, seed=1, **options):
    """A U-Net from images to maps, as it would be trained; for tests and as an example."""
    scaling = ArcsinhScaling(softness=1000.0)
    scaling.set_quantiles(fit_scaling([galaxies.images]))
    network = unet(galaxies.images.shape[1:], HEAD, seed=seed, scaling=scaling, **options)
    schedule = keras.optimizers.schedules.CosineDecay(5e-3, epochs * (len(galaxies.images) // batch_size))
    network.compile(keras.optimizers.Adam(schedule), {"maps": KnownPixelsLoss()}, jit_compile=False)
    keras.utils.set_random_seed(seed)
    targets = map_targets(galaxies.maps, galaxies.inside)
    network.fit({"image": galaxies.images}, {"maps": targets}, batch_size, epochs, verbose=0)
    return network


def test_galaxies_of_a_split_are_those_of_the_shards(maps_dir, maps_data_dir):
    builder = open_map_dataset(maps_data_dir)
    images, maps, brightness, catalog, _ = read_map_shard(map_shard_path(maps_dir, 0))
    rows = {int(obj_id): row for row, obj_id in enumerate(catalog["obj_id"])}
    galaxies = read_mapped_galaxies(builder, "test")
    order = [rows[int(obj_id)] for obj_id in galaxies.obj_id]
    np.testing.assert_array_equal(galaxies.images, images[order])
    np.testing.assert_array_equal(galaxies.maps, maps[order])
    np.testing.assert_array_equal(galaxies.group_id, catalog["group_id"][order])
    bright = brightness[order] > 0.16 * 10 ** (0.4 * 6.4)  # 25 mag/arcsec^2 in nJy per pixel of 0.4 arcsec
    np.testing.assert_array_equal(galaxies.inside, bright & np.isfinite(maps[order]).all(axis=-1))
    assert read_mapped_galaxies(builder, "test", faintest=22).inside.sum() < galaxies.inside.sum()
    assert len(read_mapped_galaxies(builder, "test[:3]").images) == 3


def test_a_small_network_learns_the_maps_of_its_galaxies(maps_data_dir):
    galaxies = read_mapped_galaxies(open_map_dataset(maps_data_dir), "train")
    network = trained(galaxies, epochs=25, width=8, depth=2)
    maps = maps_of_outputs(network.predict({"image": galaxies.images}, verbose=0)["maps"])
    scores = evaluate_maps(galaxies.maps, maps, galaxies.inside, galaxies.group_id, 50)
    assert scores["mass"]["r2"][0] > 0.8, scores
    assert min(scores[name]["r2"][0] for name in ("age", "a_v")) > 0.3, scores


def test_other_datasets_are_refused(maps_data_dir, blend_data_dir, tmp_path):
    with pytest.raises(FileNotFoundError, match="no prepared dataset found.*`blend build MAPS --data-dir"):
        open_map_dataset(blend_data_dir)
    shutil.copytree(maps_data_dir, tmp_path / "data")
    (path,) = (tmp_path / "data" / "lsst_maps" / "1.0.0").glob("*train*")
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)
    with pytest.raises(RuntimeError, match="1.0.0, train: TensorFlow: .*; build the dataset again with --overwrite"):
        read_mapped_galaxies(open_map_dataset(tmp_path / "data"), "train")
