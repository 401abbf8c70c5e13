"""Example client of TensorFlow Serving: galaxies of a shard, sent to a model exported by `photoz` or `morph export`.

Needs no TensorFlow and nothing of photoz-morph: NumPy, astropy and the standard library. Serve the SavedModel as
version 1 of a model, under a folder whose name is the version,

    mkdir -p /models/photoz && cp -r runs/photoz_sdss/export /models/photoz/1
    tensorflow_model_server --rest_api_port=8501 --model_name=photoz --model_base_path=/models/photoz

and ask it, with the URL of the model:

    python scripts/serving_client.py http://localhost:8501/v1/models/photoz stacks/stacks-00000.fits

The REST interface takes `{"inputs": {"image": [...], "ebv": [...]}}` and answers `{"outputs": {"pdf": [...], "z_phot":
[...], ...}}`; see `predict` below. For mocks the HDU of a depth is named, `--hdu Y10`, and the answer is `probability`
and `latent`.
"""

import argparse
import json
import sys
import urllib.error
import urllib.request

import numpy as np
from astropy.io import fits

BATCH_SIZE = 16  # galaxies in a request: 6 MB of JSON for stamps of 64 x 64 pixels in five bands


def predict(url, inputs, signature="serving_default", timeout_s=60):
    """Outputs of a served model for a batch of inputs.

    Parameters
    ----------
    url : str
        Of the model, such as http://localhost:8501/v1/models/photoz.
    inputs : dict of str to ndarray, first axis n
        `image` and `ebv` for photo-z, `image` for morphologies; finite.
    signature : str
        `serving_default` or, for one-year mocks where there is one, `serve_y1`.
    timeout_s : float

    Returns
    -------
    dict of str to ndarray, first axis n

    Raises
    ------
    RuntimeError
        If the server cannot be reached or refuses the request; with its own words.
    """
    # 9 digits keep float32 exactly.
    body = {"signature_name": signature, "inputs": {name: np.asarray(part).tolist() for name, part in inputs.items()}}
    request = urllib.request.Request(f"{url}:predict", json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as response:
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"{url}: {error.code}, {error.read().decode(errors='replace')}") from error
    except (urllib.error.URLError, TimeoutError) as error:
        raise RuntimeError(f"{url}: no answer ({error}); is the server running?") from error
    return {name: np.asarray(values, np.float32) for name, values in answer["outputs"].items()}


def read_inputs(path, hdu="IMAGE", observing=()):
    """Identifiers and inputs of the galaxies of a shard that have an image: (obj_id, inputs)."""
    with fits.open(path) as hdus:
        table = hdus["CATALOG"].data
        good = table["flag"] == 0
        inputs = {"image": np.asarray(hdus[hdu].data[good], np.float32)}
        if "ebv" in table.names:
            inputs["ebv"] = np.asarray(table["ebv"][good], np.float32)
        for name in observing:  # 0 is unknown: JSON has no NaN
            known = np.nan_to_num(np.asarray(table[name][good], np.float32)) if name in table.names else None
            inputs[name] = np.zeros((good.sum(), inputs["image"].shape[-1])) if known is None else known
        return np.asarray(table["obj_id"][good]), inputs


def main(arguments=None):
    """Print what the server says about the galaxies of a shard, a line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url", help="of the model, such as http://localhost:8501/v1/models/photoz")
    parser.add_argument("shard", help="stacks-*.fits or mocks-*.fits")
    parser.add_argument("--hdu", default="IMAGE", help="HDU of the images: IMAGE of stacks, Y10 or Y1 of mocks")
    parser.add_argument("--signature", default="serving_default")
    parser.add_argument("--observing", nargs="*", default=[], help="observing conditions that estimator.json lists")
    options = parser.parse_args(arguments)
    obj_id, inputs = read_inputs(options.shard, options.hdu, options.observing)
    for start in range(0, len(obj_id), BATCH_SIZE):
        rows = slice(start, start + BATCH_SIZE)
        try:
            outputs = predict(options.url, {name: part[rows] for name, part in inputs.items()}, options.signature)
        except RuntimeError as error:
            sys.exit(str(error))
        for index, number in enumerate(obj_id[rows]):
            values = {name: part[index] for name, part in outputs.items() if name not in ("pdf", "latent")}
            words = (f"{name} {np.array2string(part, precision=5)}" for name, part in values.items())
            print(number, *words, sep="  ")


if __name__ == "__main__":
    main()
