"""YAML files of experiments, installed with the package."""
