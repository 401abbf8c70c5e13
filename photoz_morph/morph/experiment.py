"""Morphology experiment for the training loop: data, network, losses and validation scores.

All arms of a comparison, with and without adaptation or a defence, share one scaling fitted on the Y10 training images,
the batch-norm statistics, optimizer, weight decay and number of epochs. They differ in the weights of the adaptation
losses and in the augmentation of the images, and in nothing else.
"""

import dataclasses

import keras
import numpy as np

from photoz_morph.adaptation.adapted_classifier import DomainAdaptedClassifier
from photoz_morph.adaptation.losses import LOSSES, losses_of
from photoz_morph.datasets import reading
from photoz_morph.metrics.classification import predicted_class
from photoz_morph.models.layers.domain_batch_norm import with_domain_batch_norm
from photoz_morph.models.layers.image_scaling import fit_scaling, scaling_preset
from photoz_morph.models.loading import load_network
from photoz_morph.models.registry import build_classifier, layer_precision
from photoz_morph.morph import dataset
from photoz_morph.morph.classify import ImageClassifier
from photoz_morph.morph.transfer import Source
from photoz_morph.training.auxiliary import AuxiliaryTargets, KnownTargetsLoss, with_auxiliary_head
from photoz_morph.training.schedules import learning_rate_schedule
from photoz_morph.transfer.fine_tuning import copy_merged_weights, prepared
from photoz_morph.transfer.rates import adam

BATCH_SIZE = 64  # images, without gradients


class MorphExperiment:
    """A config and its dataset.

    Parameters
    ----------
    config : MorphConfig
    data_dir : path-like
        Prepared dataset.
    """

    n_folds = 1  # one split into training, validation and test, as in Ciprijanovic et al. (2021)
    columns = None  # the galaxies of a training are cached by tf.data

    def __init__(self, config, data_dir):
        self.config, self.builder = config, dataset.open_dataset(data_dir)
        self._source = None if config.transfer.source is None else Source(config, self.builder)

    def dataset_description(self):
        """Description of the dataset for the run folder."""
        transfer = self._source and self._source.description()
        return dataset.describe(self.builder) | ({"transfer": transfer} if transfer else {})

    def check_start(self, n_members):
        """Raise a ValueError if the networks cannot be trained, or have no network to start from."""
        if self.n_training(0) < self.config.data.batch_size:
            raise ValueError(
                f"data.batch_size is {self.config.data.batch_size}, there are {self.n_training(0)} training galaxies; "
                "lower it"
            )
        if self._source:
            self._source.check(n_members)
        if self.config.train.class_weights:
            self.fold(0).class_weights()  # of few labels none may be of a rare class

    def n_training(self, fold):
        """Number of training galaxies, each seen at both depths."""
        return reading.n_galaxies(self.builder, dataset.labelled_split(self.builder, self.config.data))

    def fold(self, fold):
        """Data, network and scores of the one split."""
        return MorphFold(self.config, self.builder, self._source)

    def member_name(self, fold, member):
        """Name of a network in messages."""
        return f"seed {member + 1}"


class MorphFold:
    """Training and validation galaxies, with the network and its scores."""

    def __init__(self, config, builder, source=None):
        self.config, self.builder, self._source = config, builder, source
        self._domains = dataset.domains_of(config.data)
        adaptation = config.adaptation.name
        is_paired = adaptation != "none" and LOSSES[adaptation].is_paired
        self._auxiliary = self._auxiliary_targets() if config.train.auxiliary_weight else None
        self.train = dataset.MorphBatches(builder, config.data, is_paired, self._auxiliary)
        self._validation = {
            domain: dataset.domain_images(builder, "validation", domain, BATCH_SIZE)
            for domain in dataset.DOMAINS
        }
        self._label = {
            domain: self._labels(dataset.split_of(builder, "validation", domain)) for domain in dataset.DOMAINS
        }
        unknown = self._labels(dataset.labelled_split(builder, config.data)) < 0
        if unknown.any():
            raise ValueError(
                f"{builder.data_dir}: {unknown.sum()} of {len(unknown)} galaxies to train on have no label; build it "
                "without these"
            )
        self._quantiles = self._classify = None

    def new_network(self, n_iterations, seed):
        """Build and compile a classifier in its training wrapper, its scaling fitted."""
        config, adaptation = self.config, self.config.adaptation
        classifier, factors = new_classifier(config, dataset.image_shape(self.builder), seed), {}
        if self._source:
            self._source.give_weights(classifier, seed)
        if not (self._source and self._source.keeps_scaling):
            if self._quantiles is None:
                self._quantiles = self._fit_scaling()
            classifier.get_layer("arcsinh_scaling").set_quantiles(self._quantiles)
        if self._source:
            classifier, factors = prepared(classifier, config.transfer, seed)
        if self._auxiliary:
            classifier = with_auxiliary_head(classifier, len(self._auxiliary.names), seed)
        model = DomainAdaptedClassifier(
            classifier,
            losses=losses_of(adaptation),
            warmup_iterations=round(adaptation.warmup_epochs * self.train.steps_per_epoch),
            ramp_iterations=round(adaptation.ramp_epochs * self.train.steps_per_epoch),
            class_weights=self.class_weights() if config.train.class_weights else None,
            batch_norm="source" if config.train.batch_norm == "source" else "both",
            l2=config.train.weight_decay if config.train.decay == "coupled" else 0.0,
            weighting=adaptation.weighting,
            auxiliary_loss=KnownTargetsLoss() if self._auxiliary else None,
            auxiliary_weight=config.train.auxiliary_weight,
            seed=seed,
        )
        model.compile(self._optimizer(n_iterations, factors))
        return model

    def load_checkpoint(self, path):
        """Load a wrapped classifier with its optimizer."""
        return load_network(path, compile=True)

    def trained_network(self, model):
        """The classifier, without wrapper, optimizer and second head."""
        if self._source is None and self._auxiliary is None:
            return model.classifier
        network = new_classifier(self.config, dataset.image_shape(self.builder))
        copy_merged_weights(model.classifier, network)
        return network

    def validate(self, model):
        """Cross-entropy and accuracy at Y10, and accuracy at Y1, whose labels are not used in training.

        With `data.labels_of` target it is the other way round.
        """
        if self._classify is None or self._classify.network is not model.classifier:
            self._classify = ImageClassifier(model.classifier)
        source, target = (
            self._classify(self._validation[domain], dataset.DOMAINS.index(domain))[0] for domain in self._domains
        )
        label, of_target = (self._label[domain] for domain in self._domains)
        source, label = source[label >= 0], label[label >= 0]
        known = of_target >= 0  # a galaxy of the real sky may have no label
        right = source[np.arange(len(source)), label]
        return {
            "validation_loss": float(-np.mean(np.log(np.maximum(right, keras.config.epsilon())))),
            "validation_accuracy": float(np.mean(predicted_class(source) == label)),
            "validation_accuracy_target":
                float(np.mean(predicted_class(target)[known] == of_target[known])) if known.any() else float("nan"),
        }  # fmt: skip

    def _auxiliary_targets(self):
        """Gini and M20 of the training galaxies, standardised."""
        columns = reading.read_columns(self.builder, dataset.labelled_split(self.builder, self.config.data))
        return AuxiliaryTargets.of_training_set(columns, dataset.STRUCTURE, self.builder.data_dir)

    def _labels(self, split):
        label = dataset.class_index(reading.read_columns(self.builder, split)["label"], self.config.data.classes)
        if label.max() >= len(self.config.class_names):
            raise ValueError(
                f"{self.builder.data_dir}: holds mergers, but 'data.classes' is {self.config.data.classes}; choose "
                "other classes, or build the dataset without mergers"
            )
        return label

    def class_weights(self):
        """N / (n_classes n_class) of the training labels, as in the code of Ciprijanovic et al. (2021)."""
        split = dataset.labelled_split(self.builder, self.config.data)
        counts = np.bincount(self._labels(split), minlength=len(self.config.class_names))
        if not counts.all():
            missing = self.config.class_names[int(np.argmin(counts))]
            raise ValueError(f"{self.builder.data_dir}: no training galaxy is labelled {missing}; give more galaxies")
        return tuple(float(weight) for weight in counts.sum() / (len(counts) * counts))

    def _fit_scaling(self):
        """Low and high quantile of the pixels of the training images, for each domain of the scaling.

        They need no labels: those of all images count, with few labels as well.
        """
        domains = self._domains[: scaling_preset(self.config.scaling.preset).n_domains]
        images = (dataset.domain_images(self.builder, "train", domain, BATCH_SIZE) for domain in domains)
        return [fit_scaling(batches) for batches in images]

    def _optimizer(self, n_iterations, factors):
        train = self.config.train
        options = {
            "learning_rate": learning_rate_schedule(train, n_iterations),
            "beta_1": train.beta_1,
            "beta_2": train.beta_2,
            "factors": factors,
        }
        if train.decay == "decoupled":
            return adam(weight_decay=train.weight_decay, **options)
        return adam(epsilon=1e-8, **options)  # PyTorch's, as in the published code


def new_classifier(config, image_shape=(100, 100, 3), seed=0):
    """Build the network of a config, its scaling not yet fitted.

    Parameters
    ----------
    config : MorphConfig
    image_shape : tuple of int
        Rows, columns, bands of a stamp.
    seed : int
        Of weights and dropout.

    Returns
    -------
    keras.Model
    """
    options = dataclasses.asdict(config.model)
    name = options.pop("name")
    scaling = scaling_preset(config.scaling.preset, config.scaling.softness)
    with layer_precision(config.train.precision):
        network = build_classifier(name, image_shape, len(config.class_names), seed, scaling=scaling, **options)
        return with_domain_batch_norm(network) if config.train.batch_norm == "domain" else network
