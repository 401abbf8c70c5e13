import json
from functools import partial

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

from photoz_morph.cli.photoz import main
from photoz_morph.models.inception_photoz import BLOCKS, paper_parameter_count
from photoz_morph.photoz import tf1_checkpoint
from photoz_morph.photoz.exported_model import load_exported_model
from photoz_morph.photoz.predictions import read_predictions
from photoz_morph.photoz.report.model_card import model_card
from photoz_morph.photoz.tf1_checkpoint import layer_scopes, read_network
from photoz_morph.shards.stacks import shard_path, write_shard
from photoz_morph.surveys import SDSS
from tests.support.broken_input import cut_short
from tests.support.samples import colour_stacks

v1 = tf.compat.v1
SMALL = {"conv1_filters": 3, "blocks": ((3, 4), (2, 5), (4, 3), (3, 5), (4, 6)), "dense_units": 7, "n_bins": 180}
HALF_A_BIN = 0.4 / 180 / 2


class AuthorsNetwork:
    """The network in TensorFlow 1, from the paper's Table A1 and the published variable names, with its Saver.

    It shares no line with the package: weights and biases are random, and so are the slopes, so that nothing swapped
    can go unseen.
    """

    def __init__(self, conv1_filters=64, blocks=BLOCKS, dense_units=1096, n_bins=180, with_adam=False, seed=1):
        self.seeds = iter(range(1000 * seed, 1000 * seed + 1000))
        with tf.Graph().as_default():
            self.image = v1.placeholder(tf.float32, (None, 64, 64, 5))
            self.ebv = v1.placeholder(tf.float32, (None, 1))
            maps = self.pool(self.convolution("conv0", self.image, conv1_filters, 5), 2)
            for k, (s1, s2) in enumerate(blocks):
                with v1.variable_scope(f"I{k}_"):
                    maps = self.block(f"I{k}_", maps, s1, s2, with_5x5=k < 4)
                if k in (1, 3):
                    maps = self.pool(maps, 2)
            flat = tf.reshape(maps, (-1, np.prod(maps.shape[1:])))  # row, column, map
            hidden = tf.nn.relu(self.dense("fc0", tf.concat([flat, self.ebv], 1), dense_units))
            hidden = tf.nn.relu(self.dense("fc0b", hidden, dense_units))
            self.output = tf.nn.softmax(self.dense("fc1", hidden, n_bins))
            if with_adam:  # in this scope the index has the published number of bytes, see the module's docstring
                with v1.variable_scope("Optimizer"):
                    v1.train.AdamOptimizer().minimize(tf.reduce_mean(self.output**2))
            self.session = v1.Session()
            self.session.run(v1.global_variables_initializer())
            self.saver = v1.train.Saver()

    def variable(self, name, shape, low, high):
        return v1.get_variable(name, shape, initializer=v1.random_uniform_initializer(low, high, seed=next(self.seeds)))

    def convolution(self, name, maps, n_maps, size):
        with v1.variable_scope(name):
            scale = (6 / (size**2 * maps.shape[-1])) ** 0.5
            kernel = self.variable("weights", (size, size, maps.shape[-1], n_maps), -scale, scale)
            maps = tf.nn.conv2d(maps, kernel, strides=1, padding="SAME") + self.variable("biases", (n_maps,), -0.3, 0.3)
            slope = self.variable("prelu", (n_maps,), 0.1, 0.9)
        return tf.where(maps > 0, maps, slope * maps)

    def pool(self, maps, stride):
        return tf.nn.avg_pool2d(maps, ksize=2, strides=stride, padding="SAME")

    def block(self, name, maps, s1, s2, with_5x5):
        branches = [self.convolution(f"{name}S2_2", maps, s2, 1)]
        if with_5x5:
            branches.append(
                self.convolution(f"{name}S2_1", self.convolution(f"{name}S1_1", maps, s1, 1), s2, 5)
            )
        branches.append(self.convolution(f"{name}S2_0", self.convolution(f"{name}S1_0", maps, s1, 1), s2, 3))
        branches.append(self.pool(self.convolution(f"{name}S1_2", maps, s1, 1), 1))
        return tf.concat(branches, axis=3)

    def dense(self, name, values, n_units):
        with v1.variable_scope(name):
            scale = (6 / values.shape[-1]) ** 0.5
            weights = self.variable("weights", (values.shape[-1], n_units), -scale, scale)
            return values @ weights + self.variable("biases", (n_units,), -0.3, 0.3)

    def pdf(self, image, ebv):
        return self.session.run(self.output, {self.image: image, self.ebv: ebv[:, None]})

    def save(self, prefix):
        with self.session.graph.as_default():
            self.saver.save(self.session, str(prefix), write_meta_graph=False)
        return prefix


@pytest.fixture(scope="module")
def stacks():
    """Galaxies bright enough to change the PDF of a network that has learnt nothing, and as much E(B-V)."""
    images, table = colour_stacks(6)
    table["ebv"] = np.linspace(0, 3, 6)
    return (30 * images).astype(np.float32), np.asarray(table["ebv"], np.float32), table


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small member of the family with the slots of Adam, and its checkpoint."""
    network = AuthorsNetwork(**SMALL, with_adam=True)
    return network, network.save(tmp_path_factory.mktemp("small") / "-120000")


def small_variables(small):
    reader = tf.train.load_checkpoint(str(small[1]))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def write(prefix, variables, save=tf.raw_ops.SaveV2):
    """A checkpoint of any variables, in the second format or with `Save` in the first."""
    names, values = list(variables), list(variables.values())
    if save is tf.raw_ops.SaveV2:
        save(prefix=str(prefix), tensor_names=names, shape_and_slices=[""] * len(names), tensors=values)
    else:
        save(filename=str(prefix), tensor_names=names, data=values)
    return prefix


def test_imported_network_gives_the_authors_pdf(small, stacks):
    network, source = read_network(small[1], **SMALL)
    expected = small[0].pdf(*stacks[:2])
    assert np.ptp(expected, axis=0).max() > 0.01  # the galaxies differ, so a constant would not do
    np.testing.assert_allclose(network({"image": stacks[0], "ebv": stacks[1]}), expected, atol=1e-5)
    assert source["n_left_out"] == 2 * source["n_variables"] + 2 and not source["is_published"]


def test_published_size_is_imported(stacks, tmp_path):
    published = AuthorsNetwork()
    network, source = read_network(published.save(tmp_path / "-120000"))  # 110 MB
    assert (source["n_variables"], source["n_parameters"], source["n_left_out"]) == (93, 27_596_372, 0)
    assert paper_parameter_count(network) == 27_391_464
    images, ebv = stacks[0][:2], stacks[1][:2]
    pdf = network({"image": images, "ebv": ebv})
    np.testing.assert_allclose(pdf, published.pdf(images, ebv), atol=1e-5)


@pytest.mark.parametrize("a, b", [("S1_0", "S1_1"), ("S1_0", "S1_2"), ("S1_1", "S1_2")])
def test_swapped_bottlenecks_of_one_shape_would_be_seen(small, stacks, tmp_path, a, b):
    variables = small_variables(small)
    names = [f"I2_/I2_{branch}/weights" for branch in (a, b)]
    variables |= dict(zip(names, (variables[names[1]], variables[names[0]])))
    network, _ = read_network(write(tmp_path / "swapped", variables), **SMALL)
    pdf = network({"image": stacks[0], "ebv": stacks[1]})
    assert np.abs(pdf - small[0].pdf(*stacks[:2])).max() > 1e-3


def test_first_format_of_tensorflow_is_read(small, stacks, tmp_path):
    network, _ = read_network(write(tmp_path / "v1.ckpt", small_variables(small), tf.raw_ops.Save), **SMALL)
    pdf = network({"image": stacks[0], "ebv": stacks[1]})
    np.testing.assert_allclose(pdf, small[0].pdf(*stacks[:2]), atol=1e-5)


def test_prefix_folder_and_any_file_name_the_same_checkpoint(small):
    prefix = small[1]
    for path in (prefix.parent, f"{prefix}.index", f"{prefix}.data-00000-of-00001", f"{prefix}.meta"):
        assert read_network(path, **SMALL)[1]["checkpoint"] == "-120000"


def test_every_layer_has_one_scope():
    scopes = layer_scopes(5)
    assert list(scopes.values()) == [f"C{number}" for number in range(1, 30)] + ["FC1", "FC2", "redshift_pdf"]
    assert scopes["I0_/I0_S1_0"] == "C2" and scopes["I4_/I4_S2_0"] == "C29" and "I4_/I4_S1_1" not in scopes


@pytest.fixture(scope="module")
def exports(small, tmp_path_factory):
    """Both conventions, by the command: folder and what was printed. The network is the small one."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf1_checkpoint, "read_network", partial(read_network, **SMALL))
        for bins in ("midpoints", "left-edges"):
            out = tmp_path_factory.mktemp("export") / bins
            words = ["import-checkpoint", str(small[1].parent), "--bins", bins, "--out", str(out)]
            result = CliRunner().invoke(main, words)
            assert result.exit_code == 0, result.output
            found[bins] = out, result.output
    return found


def test_command_says_what_was_imported_and_what_the_other_convention_gives(exports):
    said = exports["midpoints"][1]
    assert "in 93 variables of -120000; 188 variables of the optimizer" in said and "not the files of the" in said
    assert "over left edges it would be 0.00111 less" in said
    assert "over midpoints it would be 0.00111 more" in exports["left-edges"][1]


def test_both_bin_conventions_reach_the_predictions_with_the_same_pdf(exports, small, stacks, tmp_path):
    images, ebv, table = stacks
    write_shard(shard_path(tmp_path, 0), images, table, SDSS, "simulated")
    tables = {}
    for bins, suffix in (("midpoints", "fits"), ("left-edges", "parquet")):
        out = tmp_path / f"{bins}.{suffix}"
        words = ["infer", str(exports[bins][0]), "--stacks", str(tmp_path), "--out", str(out), "-q"]
        assert CliRunner().invoke(main, words).exit_code == 0
        tables[bins] = read_predictions(out)[0]
        assert tables[bins].meta["zphot_at"] == bins
        assert tables[bins]["z_phot"].description == f"mean of the PDF over bin {bins.replace('-', ' ')}"
    served = load_exported_model(exports["left-edges"][0]).predict(images, ebv)  # as TensorFlow alone gives it
    np.testing.assert_allclose(served["z_phot"], tables["left-edges"]["z_phot"], atol=1e-6)
    pdf = small[0].pdf(images, ebv)
    np.testing.assert_allclose(tables["left-edges"]["pdf"], pdf, atol=1e-5)
    np.testing.assert_array_equal(tables["left-edges"]["pdf"], tables["midpoints"]["pdf"])
    edges = np.linspace(0, 0.4, 181)[:180]  # as the authors' script has them
    np.testing.assert_allclose(tables["left-edges"]["z_phot"], np.sum(pdf * edges, axis=1), atol=1e-6)
    np.testing.assert_allclose(tables["midpoints"]["z_phot"], tables["left-edges"]["z_phot"] + HALF_A_BIN, atol=1e-6)
    for name in ("z_median", "z_mode", "z_lower", "z_upper"):
        np.testing.assert_array_equal(tables["left-edges"][name], tables["midpoints"][name])


def test_unknown_convention_is_refused_by_the_estimator(exports, tmp_path):
    description = json.loads((exports["midpoints"][0] / "estimator.json").read_text())
    (tmp_path / "estimator.json").write_text(json.dumps(description | {"z_phot_bins": "right-edges"}))
    with pytest.raises(ValueError, match="estimator.json: describes no exported model .* got 'right-edges'"):
        load_exported_model(tmp_path)


def test_model_card_says_whether_it_is_the_published_file(exports):
    out = exports["left-edges"][0]
    assert "nothing here proves" in (out / "MODEL_CARD.md").read_text()
    description = json.loads((out / "estimator.json").read_text())
    assert description["trained_on"]["origin"] == "unknown"
    description["source"]["is_published"] = True
    card = model_card(description)
    assert "may have been in training" in card and "over bin left edges" in card


def changed(small, folder, **changes):
    """A small checkpoint with variables of other values; None leaves one out."""
    variables = small_variables(small) | {name.replace("__", "/"): value for name, value in changes.items()}
    return write(folder / "changed", {name: value for name, value in variables.items() if value is not None})


def without_data(small, folder):
    prefix = changed(small, folder)
    prefix.with_name("changed.data-00000-of-00001").unlink()
    return prefix


def large_file_pointer(small, folder):
    prefix = changed(small, folder)
    prefix.with_name("changed.data-00000-of-00001").write_text("version https://git-lfs.github.com/spec/v1\n")
    return prefix


def truncated(suffix):
    def damage(small, folder):
        prefix = changed(small, folder)
        cut_short(prefix.with_name(f"changed{suffix}"))
        return prefix

    return damage


def flipped_weights(small, folder):
    prefix = changed(small, folder)
    path = prefix.with_name("changed.data-00000-of-00001")
    content = bytearray(path.read_bytes())
    content[content.index(small_variables(small)["fc0/weights"].tobytes()) + 100] ^= 255
    path.write_bytes(content)
    return prefix


BROKEN = {
    "missing": (
        lambda small, folder: changed(small, folder, fc0__biases=None),
        r"no variable fc0/biases of shape \[7\] among its 280",
    ),
    "wrong_shape": (
        lambda small, folder: changed(small, folder, conv0__prelu=np.zeros((64, 64, 3), np.float32)),
        r"variable conv0/prelu has shape \[64, 64, 3\], the published network needs \[3\]",
    ),
    "another_layer": (
        lambda small, folder: changed(small, folder, fc2__weights=np.zeros((2, 2), np.float32)),
        r"variable fc2/weights of shape \[2, 2\] belongs to a layer that the published network does not have \(1 such",
    ),
    "nan": (
        lambda small, folder: changed(small, folder, fc0b__biases=np.full(7, np.nan, np.float32)),
        "variable fc0b/biases has values that are not finite",
    ),
    "truncated_data": (truncated(".data-00000-of-00001"), "not a TensorFlow 1 checkpoint, or truncated"),
    "truncated_index": (truncated(".index"), "not a TensorFlow 1 checkpoint, or truncated"),
    "flipped_bits": (flipped_weights, "not a TensorFlow 1 checkpoint, or truncated .*[Cc]hecksum"),
    "no_data": (without_data, "changed.data-00000-of-00001, which holds the weights, is not beside it"),
    "pointer": (large_file_pointer, "a Git LFS pointer of 43 bytes instead of the weights; run `git lfs pull`"),
    "none": (lambda small, folder: folder / "nothing", "no checkpoint there, nothing.index is missing"),
    "empty_folder": (lambda small, folder: folder, "holds 0 checkpoints"),
    "not_one": (lambda small, folder: __file__, "not a TensorFlow 1 checkpoint, or truncated"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_checkpoints_are_named_in_one_line(small, tmp_path, name):
    damage, message = BROKEN[name]
    checkpoint = damage(small, tmp_path)
    with pytest.raises((ValueError, FileNotFoundError), match=message) as error:
        read_network(checkpoint, **SMALL)
    assert "\n" not in str(error.value) and str(tmp_path) in str(error.value) or name == "not_one"


def test_command_turns_the_error_into_one_line(small, tmp_path):
    result = CliRunner().invoke(main, ["import-checkpoint", str(small[1]), "--out", str(tmp_path / "out")])
    assert result.exit_code == 1 and result.output.startswith("Error: ") and result.output.count("\n") == 1
    assert "variable conv0/weights has shape [5, 5, 5, 3], the published network needs [5, 5, 5, 64]" in result.output
    assert not (tmp_path / "out").exists()
