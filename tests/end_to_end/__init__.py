"""Tests of whole chains, from an empty folder, and of broken input on the way."""
