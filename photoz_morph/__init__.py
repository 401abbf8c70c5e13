"""Redshifts and morphologies straight from survey images.

Modules in the order in which data flow through them:

`surveys`, `redshift_grid`, `config`: facts of the instruments, the redshift bins, the choices of a run.
`catalogs`, `dust`, `frames`, `swarp`, `stacking`: galaxy tables, Galactic reddening, survey frames to 64x64x5 *ugriz*
stacks.
`simulation`: the embedded default, stacks of galaxies with known truth.
`shards`: stacks on disk.
`pipeline`, `models`: prepared dataset to batches; the networks.
`training`, `workers`, `ensemble`, `run_folder`: fit one network, several at once, members x folds, where they lie.
`inference`, `estimator`: predictions of the test galaxies; the exported model and predictions of new ones.
`predictions`, `compact_pdfs`: the table of PDFs, as FITS, Parquet, qp HDF5 or HATS.
`metrics`, `evaluation`, `trials`: its scores in the dialects of the paper and of RAIL, and the paper's trials.
`baselines`, `boosting`, `photometric_catalog`: what photometry alone achieves.
`rail`, `tf1_checkpoint`: the stages for RAIL; the authors' own network.
`report`, `report_run`: tables, figures and the HTML page. `cli`: the commands `photoz` and `morph`.
"""

__version__ = "0.1.0"
