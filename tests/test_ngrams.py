import math
import pickle

import pytest
import torch

from models.search import END

pytest.importorskip("kenlm", reason="no kenlm (pip install specaug[lm])")

from models.ngrams import NGrams

ARPA = """\\data\\
ngram 1=5
ngram 2=4

\\1-grams:
-1.0\t<unk>
-99\t<s>\t-0.5
-0.9\t</s>
-0.4\ta\t-0.3
-0.7\t<space>\t-0.2

\\2-grams:
-0.1\t<s> a
-0.6\ta a
-0.2\ta </s>
-0.8\t<space> a

\\end\\
"""
UNIGRAMS = {"</s>": -0.9, "a": -0.4, "<space>": -0.7}
BACKOFF = {"<s>": -0.5, "a": -0.3, "<space>": -0.2}
BIGRAMS = {("<s>", "a"): -0.1, ("a", "a"): -0.6, ("a", "</s>"): -0.2, ("<space>", "a"): -0.8}
TOKENS = ["<space>", "a"]  # labels 1 and 2


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "two.arpa"
    file.write_text(ARPA)
    return str(file)


def by_hand(before: str) -> list[float]:
    """What may come after a word, by the file as it is written (Katz's back-off), in nats: the end, space, a."""
    words = ("</s>", "<space>", "a")
    logs = [BIGRAMS.get((before, word), BACKOFF[before] + UNIGRAMS[word]) for word in words]
    return [log * math.log(10) for log in logs]


def test_each_label_is_as_likely_as_the_file_says(path):
    lm = NGrams(path, TOKENS)
    first = lm(torch.tensor([END, END]), lm.start(2))
    assert first.log_probs[0].tolist() == pytest.approx(by_hand("<s>"), abs=1e-5)
    then = lm(torch.tensor([2, 1]), first.state)
    assert then.log_probs[0].tolist() == pytest.approx(by_hand("a"), abs=1e-5)
    assert then.log_probs[1].tolist() == pytest.approx(by_hand("<space>"), abs=1e-5)


def test_it_can_be_sent_to_another_process(path):
    lm = pickle.loads(pickle.dumps(NGrams(path, TOKENS)))  # noqa: S301 (our own)
    assert lm(torch.tensor([END]), lm.start(1)).log_probs[0].tolist() == pytest.approx(
        by_hand("<s>"), abs=1e-5
    )


def test_a_file_of_other_tokens_is_refused(path):
    with pytest.raises(ValueError, match="1 of 2 tokens are not in it, 'b' for one"):
        NGrams(path, ["a", "b"])


def test_a_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "no.arpa").write_text("nothing of the kind")
    with pytest.raises(OSError, match=r"no\.arpa"):
        NGrams(str(tmp_path / "no.arpa"), TOKENS)
