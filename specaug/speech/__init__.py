"""Speech data: manifests, corpora, features, text, batches."""
