"""Masked-spectrogram pretraining: its recipes and its runs, and what ordinary runs take from them."""
