"""Noise paths, predictions, denoisers, and sampling as a stream: tensors in, tensors out."""
