"""Import of the network of Pasquet et al. (2019) from the authors' TensorFlow 1 checkpoint.

Reads the files of a TensorFlow 1 `Saver`, `PREFIX.index` and `PREFIX.data-00000-of-00001`, or the single file of its
first format, and gives the Keras network with their weights, or the SavedModel for `photoz infer`. Names, shapes and
wiring are those of the authors' public code (github.com/jpasquet/Photoz, `network.py`).

That repository holds only the size and SHA-256 of the file. A checkpoint written by TensorFlow with the names expected
here, and Adam's two slots per variable and two powers in a scope `Optimizer`, has its 10,663 bytes of index and
331,156,472 bytes of data exactly; that the weights give the published redshifts cannot be shown without the file.
"""

import hashlib
import re
from pathlib import Path

import numpy as np
import tensorflow as tf

from photoz_morph.models.inception_photoz import BLOCKS, inception_photoz, trainable_parameter_count
from photoz_morph.photoz.export import export_network
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.surveys import SDSS

# SHA-256 of the published files, from the large-file pointers of the authors' repository (iteration 120,000).
PUBLISHED_SHA256 = {
    ".index": "33242039e194950729dbda6591157813073991cf330850eab9efd39f2710eca4",
    ".data-00000-of-00001": "bdea5b4e8344f9227c522a55afba89c65f8c9e81e234ffa72e8df211dcdeb5b3",
}
TRAINED_ON = {"name": "SDSS Main Galaxy Sample of Pasquet et al. (2019)", "origin": "stacked"}
# Scopes of an inception block in the order in which our network makes its convolutions: bottlenecks of the 3x3, of the
# 5x5 and of the pool, the direct 1x1, the 3x3, the 5x5. The first three have one shape, so only the wiring tells them
# apart. The last block has no 5x5.
BRANCHES = ("S1_0", "S1_1", "S1_2", "S2_2", "S2_0", "S2_1")
BRANCHES_OF_5X5 = ("S1_1", "S2_1")
DENSE = {"fc0": "FC1", "fc0b": "FC2", "fc1": "redshift_pdf"}
OF_NETWORK = ("weights", "biases", "prelu")  # last part of a variable's name; all others are the optimizer's
LARGE_FILE_POINTER = b"version https://git-lfs"
REMEDY = "download the authors' pretrained model again"


def import_checkpoint(checkpoint, out_dir, z_phot_bins="midpoints"):
    """Export the authors' network from their checkpoint.

    Parameters
    ----------
    checkpoint : path-like
        See `read_network`.
    out_dir : path-like
        Folder of the SavedModel; must not exist.
    z_phot_bins : {"midpoints", "left-edges"}
        Redshifts averaged in z_phot: as in Eq. 2 of the paper, or as in the authors' inference script. The PDF is
        the same.

    Returns
    -------
    dict
        Content of `estimator.json`; "source" describes the checkpoint.

    Raises
    ------
    ValueError, FileNotFoundError
        See `read_network`; or if the folder exists.
    """
    network, source = read_network(checkpoint)
    facts = {
        "model": network.name,
        "with_ebv": True,
        "photometric_inputs": False,
        "n_members": 1,
        "trained_on": TRAINED_ON if source["is_published"] else {"name": "unknown", "origin": "unknown"},
        "source": source,
    }
    return export_network(network, SDSS, RedshiftGrid(), out_dir, facts, z_phot_bins)


def read_network(checkpoint, conv1_filters=64, blocks=BLOCKS, dense_units=1096, n_bins=180):
    """Read the network with the weights of a TensorFlow 1 checkpoint.

    Parameters
    ----------
    checkpoint : path-like
        Prefix of its files (`pretrained_model/-120000`), one of them, or the folder that holds them.
    conv1_filters, blocks, dense_units, n_bins
        Of `inception_photoz`; by default the published network.

    Returns
    -------
    network : keras.Model
        {"image", "ebv"} to `redshift_pdf`; takes raw nanomaggies and E(B-V) in mag, as the authors feed theirs.
    source : dict
        "checkpoint" (name of the prefix), "sha256" of each file, "is_published" (whether these are the bytes of the
        authors' repository), "n_variables", "n_parameters", and "n_left_out", the variables of the optimizer.

    Raises
    ------
    FileNotFoundError
        If there is no checkpoint.
    ValueError
        If a file is truncated or a large-file pointer, or a variable is missing, of another shape, not finite, or of a
        layer that this network does not have.
    """
    prefix = _prefix(Path(checkpoint))
    files = _files(prefix)
    network = inception_photoz(
        "sdss", n_bins, conv1_filters=conv1_filters, blocks=blocks, dense_units=dense_units
    )
    variables = _keras_variables(network, len(blocks))
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        stored = reader.get_variable_to_shape_map()
        _check_names_and_shapes(stored, variables, prefix)
        for name, variable in variables.items():
            value = reader.get_tensor(name)
            if not np.isfinite(value).all():
                raise ValueError(f"{prefix}: variable {name} has values that are not finite; {REMEDY}")
            variable.assign(value.reshape(variable.shape))
    except (tf.errors.OpError, RuntimeError, IndexError, UnicodeDecodeError) as error:  # of TensorFlow's reader
        reason = " ".join(str(error).split())
        raise ValueError(f"{prefix}: not a TensorFlow 1 checkpoint, or truncated ({reason}); {REMEDY}") from error
    sha256 = {path.name: _sha256(path) for path in files}
    return network, {
        "checkpoint": prefix.name,
        "sha256": sha256,
        "is_published": set(PUBLISHED_SHA256.values()) == set(sha256.values()),
        "n_variables": len(variables),
        "n_parameters": trainable_parameter_count(network),
        "n_left_out": len(stored) - len(variables),
    }


def layer_scopes(n_blocks):
    """Scope of each layer in the authors' checkpoint, and the name of the layer of `inception_photoz`.

    Parameters
    ----------
    n_blocks : int

    Returns
    -------
    dict of str to str
        "conv0", "I0_/I0_S1_0" ... "fc1" to "C1", "C2" ... "redshift_pdf".
    """
    scopes = ["conv0"]
    for block in range(n_blocks):
        branches = [name for name in BRANCHES if block < n_blocks - 1 or name not in BRANCHES_OF_5X5]
        scopes += [f"I{block}_/I{block}_{name}" for name in branches]
    return {scope: f"C{number}" for number, scope in enumerate(scopes, start=1)} | DENSE


def _keras_variables(network, n_blocks):
    """Name of each variable of the checkpoint -> variable of the network."""
    variables = {}
    for scope, name in layer_scopes(n_blocks).items():
        layer = network.get_layer(name)
        variables |= {f"{scope}/weights": layer.kernel, f"{scope}/biases": layer.bias}
        if scope not in DENSE:
            variables[f"{scope}/prelu"] = network.get_layer(f"{name}_prelu").alpha
    return variables


def _check_names_and_shapes(stored, variables, prefix):
    """Raise a ValueError about the first variable that is missing, of another shape, or of an unknown layer."""
    for name, variable in variables.items():
        # Keras keeps a PReLU slope as (1, 1, maps), the checkpoint as (maps,); kernels and biases are alike.
        expected = list(variable.shape[-1:] if name.endswith("prelu") else variable.shape)
        if name not in stored:
            raise ValueError(
                f"{prefix}: no variable {name} of shape {expected} among its {len(stored)}; this is not a checkpoint "
                f"of the published network; {REMEDY}"
            )
        if stored[name] != expected:
            raise ValueError(
                f"{prefix}: variable {name} has shape {stored[name]}, the published network needs {expected}; {REMEDY}"
            )
    unknown = sorted(name for name in set(stored) - set(variables) if name.rpartition("/")[2] in OF_NETWORK)
    if unknown:
        raise ValueError(
            f"{prefix}: variable {unknown[0]} of shape {stored[unknown[0]]} belongs to a layer that the published "
            f"network does not have ({len(unknown)} such variables); {REMEDY}"
        )


def _prefix(path):
    """Prefix of a checkpoint's files, from the prefix, one of the files or their folder."""
    if path.is_dir():
        found = sorted(path.glob("*.index"))
        if len(found) != 1:
            names = f" ({', '.join(index.stem for index in found)})" if found else ""
            raise FileNotFoundError(f"{path}: holds {len(found)} checkpoints (.index files){names}; name one of them")
        path = found[0]
    return path.with_name(re.sub(r"\.(index|meta|data-\d{5}-of-\d{5})$", "", path.name))


def _files(prefix):
    """Files that hold the variables; raises an error for a missing file or a Git LFS pointer."""
    index = prefix.with_name(f"{prefix.name}.index")
    if prefix.is_file():
        files = [prefix]  # the first format, in which TensorFlow wrote until 2016
    elif not index.is_file():
        raise FileNotFoundError(f"{prefix}: no checkpoint there, {index.name} is missing; check the path")
    else:
        parts = sorted(path for path in prefix.parent.iterdir() if path.name.startswith(f"{prefix.name}.data-"))
        if not parts:
            raise FileNotFoundError(
                f"{index}: {prefix.name}.data-00000-of-00001, which holds the weights, is not beside it; {REMEDY}"
            )
        files = [index, *parts]
    for path in files:
        with path.open("rb") as file:
            if file.read(len(LARGE_FILE_POINTER)) == LARGE_FILE_POINTER:
                raise ValueError(
                    f"{path}: a Git LFS pointer of {path.stat().st_size} bytes instead of the weights; "
                    "run `git lfs pull` there, or download the authors' pretrained model"
                )
    return files


def _sha256(path):
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
