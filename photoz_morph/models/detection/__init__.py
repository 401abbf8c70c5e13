"""Boxes, anchors, matching, suppression and losses of networks that detect sources, in keras.ops.

Boxes are (y0, x0, y1, x1), the outer edges of their pixels: x is the column, y the row, and the first pixel reaches
from -0.5 to 0.5. Classes count from 1; class 0 is the background, and marks rows that are only there to fill an array.
Detections are a dict of `boxes` (n, k, 4), `scores`, `classes` and `is_valid` (n, k), best first.
"""
