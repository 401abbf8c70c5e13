import json
import zipfile
from dataclasses import replace

import pytest

from photoz_morph.rail import NetworkModelHandle, model_from_run, read_model, write_model
from photoz_morph.runs.folder import start_run


def test_model_file_is_read_without_pickle(model_path, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("pickle was used")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(f"pickle.{name}", refuse)
    network = read_model(model_path).network
    assert network.output_shape == (None, 180)
    with zipfile.ZipFile(model_path) as archive:
        assert sorted(archive.namelist()) == ["config.yaml", "member_0.keras", "member_1.keras", "model.json"]
        assert zipfile.is_zipfile(model_path)
        with zipfile.ZipFile(archive.open("member_0.keras")) as network:
            assert sorted(network.namelist()) == ["config.json", "metadata.json", "model.weights.h5"]


def test_model_survives_write_and_read(model_path, tmp_path):
    model = read_model(model_path)
    write_model(model, tmp_path / "copy.zip")
    assert read_model(tmp_path / "copy.zip") == model


def test_run_folder_becomes_the_same_model(model_path, tmp_path):
    model = read_model(model_path)
    dataset = {"path": "data", "name": "sdss_ugriz/1.0.0", "origin": "simulated", "galaxies_per_fold": [12] * 5}
    start_run(tmp_path, model.config, dataset, devices=[])
    for index, content in enumerate(model.members):
        path = tmp_path / f"fold_0/member_{index}/model.keras"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    from_run = model_from_run(tmp_path)
    assert replace(from_run, trained_on=model.trained_on) == model
    assert from_run.trained_on["origin"] == "simulated"
    with pytest.raises(ValueError, match=r"fold 3 has no finished network; finished are folds \[0\]"):
        model_from_run(tmp_path, fold=3)


def test_network_with_code_in_it_is_not_loaded(model_path):
    import keras

    inputs = keras.Input((64, 64, 5), name="image")
    path = model_path.parent / "lambda.keras"
    keras.Model(inputs, keras.layers.Lambda(lambda image: image[:, 0, :, 0])(inputs)).save(path)
    model = replace(read_model(model_path), members=(path.read_bytes(),))
    with pytest.raises(ValueError, match="a network of the model cannot be loaded: member_0.keras: .*[Ll]ambda"):
        model.network  # noqa: B018


def damage(path, content):
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    if content == "truncated":
        return path.read_bytes()[:5000]
    if content == "pickle":
        return b"\x80\x05]\x94."
    if content == "size":  # in the entry of the last member in the central directory
        whole = bytearray(path.read_bytes())
        entry = whole.rindex(b"PK\x01\x02")
        whole[entry + 24 : entry + 28] = (2**31).to_bytes(4, "little")
        return bytes(whole)
    damaged = path.with_name("damaged_parts.zip")
    described = json.loads(files["model.json"])
    described["redshift"]["z_max"] = 0.5
    with zipfile.ZipFile(damaged, "w") as archive:
        archive.writestr("model.json", json.dumps(described))
        for name in ("config.yaml", "member_0.keras", "member_1.keras"):
            archive.writestr(name, files[name])
    return damaged.read_bytes()


@pytest.mark.parametrize(
    "content, message",
    [
        ("truncated", "cannot be read as a model of photoz-morph"),
        ("pickle", "cannot be read as a model of photoz-morph"),
        ("size", "member member_1.keras declares 2.15 GB, the archive has .*; inform again"),
        ("other grid", "'redshift' of its model.json is .*0.5"),
    ],
)
def test_damaged_model_is_refused_in_one_line(content, message, model_path, tmp_path):
    path = tmp_path / "model.zip"
    path.write_bytes(damage(model_path, content))
    with pytest.raises(ValueError, match=message) as refusal:
        NetworkModelHandle("model", path=str(path)).read()
    assert str(refusal.value).startswith(f"{path}: ") and "\n" not in str(refusal.value)


def test_a_model_that_is_missing_or_of_another_kind_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.zip: no such file; give the model that Photoz"):
        read_model(tmp_path / "none.zip")
    with pytest.raises(TypeError, match="a NetworkModel is needed, got dict; inform with PhotozMorphInformer"):
        NetworkModelHandle("model", data={})
