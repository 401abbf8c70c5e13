"""Prepared TFDS datasets to tf.data batches."""
