from pathlib import Path

from setuptools import find_packages, setup

DOCS = ["myst-nb>=1.4", "numpydoc>=1.10", "pydata-sphinx-theme>=0.17", "sphinx>=8.2", "sphinx-click>=6.1"]
ONNX = ["onnx>=1.18", "onnxruntime>=1.20", "tf2onnx>=1.17"]

setup(
    name="photoz-morph",
    version="0.1.0",
    description="Photometric redshifts and galaxy morphologies from survey images",
    long_description=Path(__file__).with_name("README.md").read_text(),
    long_description_content_type="text/markdown",
    license="BSD-3-Clause",
    author="The photoz-morph developers",
    project_urls={
        "Photometric redshifts, paper": "https://doi.org/10.1051/0004-6361/201833617",
        "Morphologies, paper": "https://arxiv.org/abs/2111.00961",
        "Robustness, paper": "https://arxiv.org/abs/2112.14299",
    },
    keywords=[
        "astronomy", "galaxies", "photometric redshifts", "galaxy morphology", "deep learning", "domain adaptation",
        "adversarial attacks", "SDSS", "LSST", "Keras", "TensorFlow",
    ],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Astronomy",
        "Topic :: Scientific/Engineering :: Image Recognition",
    ],
    python_requires=">=3.11,<3.14",  # keras 3.15 needs 3.11, tensorflow 2.21 has no 3.14 wheel
    # The YAML files of configs/ are installed as photoz_morph.configs, so commands work in an empty folder.
    packages=[*find_packages(include=["photoz_morph*", "tfds_builders*"]), "photoz_morph.configs"],
    package_dir={"photoz_morph.configs": "configs"},
    package_data={"photoz_morph": ["data/*", "data/surveys/*"], "photoz_morph.configs": ["*.yaml"]},
    install_requires=[
        "astropy>=7",
        "astropy-healpix>=1.0",
        "click>=8.1",
        "galsim>=2.8",
        "h5py>=3.10",
        "importlib_resources>=6",  # tensorflow-datasets imports it without declaring it
        "keras>=3.15,<3.16",
        "matplotlib>=3.9",
        "numpy>=2.0,<2.5",  # the cap is apache-beam's, so that adding [beam] changes nothing else
        "pillow>=10",  # JPEG compression, a perturbation
        "protobuf>=6.31.1,<7",  # likewise
        "pyarrow>=17",
        "pyyaml>=6",
        "scikit-learn>=1.5",
        "scipy>=1.13",
        "sep>=1.4",  # SExtractor, the baseline of `blend`
        "tensorboard>=2.20",
        "tensorflow>=2.21,<2.22",
        "tensorflow-datasets>=4.9.10,<4.10",
        "threadpoolctl>=3.1",
        "tqdm>=4.66",
    ],
    extras_require={
        "gpu": ["tensorflow[and-cuda]>=2.21,<2.22"],
        "beam": ["apache-beam>=2.77,<2.78"],
        "rail": ["pz-rail-base>=2.0.11", "qp-prob>=1.1"],
        "hats": ["hats>=0.11", "lsdb>=0.11"],
        "onnx": ONNX,
        "dust": ["dustmaps>=1.0.14", "sfdmap2>=0.2.2"],
        "tables": ["kcorrect>=5.1.9", "speclite>=1.0"],  # only scripts/make_sdss_tables.py, which needs SDSS files too
        "docs": DOCS,
        "dev": [
            *DOCS,  # a test builds them
            "pytest>=8",
            "pytest-timeout>=2.3",
            "pytest-xdist>=3.6",
            "jax[cpu]>=0.7",  # this and statmorph are compared with in tests
            "statmorph>=0.7",
            "pycocotools>=2.0.8",  # likewise
            "pz-rail-base>=2.0.11",  # this and what follows as in the extras, which are tested
            "qp-prob>=1.1",
            "hats>=0.11",
            "lsdb>=0.11",
            "apache-beam>=2.77,<2.78",
            *ONNX,
            "dustmaps>=1.0.14",
            "sfdmap2>=0.2.2",
            "hypothesis>=6.100",
        ],
    },
    entry_points={
        "console_scripts": [
            "photoz = photoz_morph.cli.photoz:main",
            "morph = photoz_morph.cli.morph:main",
            "blend = photoz_morph.cli.blend:main",
        ],
    },
)
