"""Prepared TFDS datasets as tf.data batches."""
