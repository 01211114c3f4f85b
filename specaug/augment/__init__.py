"""Augmentation: a policy is drawn from, and the draws are applied.

`policy` knows nothing but Python; `philox`, `draws`, `apply` and `transform` know torch.
"""

import os

# Who imported this: a fork()ed child has none of its threads, and would wait for them for ever
OWNER = os.getpid()
