"""Builds and inference as Apache Beam pipelines, which a cluster can run; the only folder that imports Beam."""
