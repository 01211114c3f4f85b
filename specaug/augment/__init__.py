"""Augmentation: a policy is drawn from, and the draws are applied.

`policy` knows nothing but Python; `philox`, `draws`, `apply` and `transform` know torch.
"""
