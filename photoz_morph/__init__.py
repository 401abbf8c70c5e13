"""Redshifts and morphologies straight from survey images.

The rooms of the package, in the order in which data flow through them:

- `surveys`, `redshift_grid`, `config`: instruments, redshift bins, the choices of a run.
- `catalogs`, `stacking`, `mocks`, `simulation`, `shards`: galaxy tables; survey frames to *ugriz* stacks; noiseless
  images to LSST mocks; simulated galaxies with known truth; the FITS files between these stages.
- `datasets`, `models`, `adaptation`, `training`, `runs`: prepared dataset to batches; networks; domain adaptation;
  members x folds; run folders.
- `photoz`: the redshift chain: config, dataset, experiment, predict, baselines, evaluation, formats, report, exported
  model.
- `morph`: the morphology chain: the same stages, and the robustness of its classifiers.
- `metrics`, `robustness`, `report`: scores and their errors; attacks, latents and perturbations of arrays; the
  skeleton of a report.
- `cli`, `rail`: the commands `photoz` and `morph`; the stages for RAIL. `system`: files, tables and processes.
"""

__version__ = "0.1.0"
