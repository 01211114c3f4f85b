"""The corpora that a recipe can name, each a function from a source to manifests."""
