import math
import pickle
import sys

import arpa
import pytest
import torch

from models import ngrams
from models.ngrams import NGrams
from models.search import END

UNIGRAMS = """\\1-grams:
-1.0\t<unk>
-99\t<s>\t-0.5
-0.9\t</s>
-0.4\ta\t-0.3
-0.7\t<space>\t-0.2
"""
BIGRAMS = f"""\\data\\
ngram 1=5
ngram 2=4

{UNIGRAMS}
\\2-grams:
-0.1\t<s> a
-0.6\ta a
-0.2\ta </s>
-0.8\t<space> a

\\end\\
"""
TRIGRAMS = f"""\\data\\
ngram 1=5
ngram 2=5
ngram 3=2

{UNIGRAMS}
\\2-grams:
-0.1\t<s> a\t-0.15
-0.6\ta a\t-0.25
-0.2\ta </s>
-0.5\ta <space>\t-0.35
-0.8\t<space> a\t-0.05

\\3-grams:
-0.3\t<s> a a
-0.45\ta <space> a

\\end\\
"""
TOKENS = ["<space>", "a"]  # labels 1 and 2

# What may come after labels, by the file as it is written (Katz's back-off): the end, space, a. A sum begins with the back-offs.
AFTER_BIGRAMS = {
    (): (-0.5 - 0.9, -0.5 - 0.7, -0.1),
    (2,): (-0.2, -0.3 - 0.7, -0.6),
    (1,): (-0.2 - 0.9, -0.2 - 0.7, -0.8),
    (2, 1): (-0.2 - 0.9, -0.2 - 0.7, -0.8),
}
AFTER_TRIGRAMS = {
    (): (-0.5 - 0.9, -0.5 - 0.7, -0.1),
    (2,): (-0.15 - 0.2, -0.15 - 0.5, -0.3),
    (1,): (-0.2 - 0.9, -0.2 - 0.7, -0.8),  # "<s> <space>" is not there, and has no back-off
    (2, 2): (-0.25 - 0.2, -0.25 - 0.5, -0.25 - 0.6),
    (2, 1): (-0.35 - 0.2 - 0.9, -0.35 - 0.2 - 0.7, -0.45),
    (1, 2): (-0.05 - 0.2, -0.05 - 0.5, -0.05 - 0.6),
    (2, 1, 2): (-0.05 - 0.2, -0.05 - 0.5, -0.05 - 0.6),
}
CASES = [
    *((BIGRAMS, labels, logs) for labels, logs in AFTER_BIGRAMS.items()),
    *((TRIGRAMS, labels, logs) for labels, logs in AFTER_TRIGRAMS.items()),
]


@pytest.fixture(autouse=True, params=["by hand", "kenlm"])
def _kenlm(request, monkeypatch):
    """Once by a reader of our own, and once by kenlm where it is there."""
    if request.param == "kenlm":
        pytest.importorskip("kenlm", reason="no kenlm (README: n-grams)")
    else:
        monkeypatch.setitem(sys.modules, "kenlm", arpa)


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "two.arpa"
    file.write_text(BIGRAMS)
    return str(file)


def nats(logs: tuple[float, ...]) -> object:
    return pytest.approx([log * math.log(10) for log in logs], abs=1e-5)


@pytest.mark.parametrize(("written", "labels", "logs"), CASES)
def test_each_label_is_as_likely_as_the_file_says(tmp_path, written, labels, logs):
    (tmp_path / "some.arpa").write_text(written)
    lm = NGrams(str(tmp_path / "some.arpa"), TOKENS)
    step = lm(torch.tensor([END]), lm.start(1))
    for label in labels:
        step = lm(torch.tensor([label]), step.state)
    assert step.log_probs.dtype == torch.float32
    assert step.log_probs[0].tolist() == nats(logs)


def test_each_hypothesis_has_a_context_of_its_own(path):
    lm = NGrams(path, TOKENS)
    first = lm(torch.tensor([END, END]), lm.start(2))
    then = lm(torch.tensor([2, 1]), first.state)
    assert [row.tolist() for row in then.log_probs] == [nats(AFTER_BIGRAMS[2,]), nats(AFTER_BIGRAMS[1,])]


def test_rows_are_kept_of_the_contexts_that_were_asked_for_last(path, monkeypatch):
    asked, scored = [], NGrams.scored

    def counted(self, context):
        asked.append(context)
        return scored(self, context)

    monkeypatch.setattr(NGrams, "scored", counted)
    monkeypatch.setattr(ngrams, "KEPT", 2)
    lm = NGrams(path, TOKENS)
    for label in (END, 1, END, 2, END, 1):
        lm(torch.tensor([label]), lm.start(1))
    assert asked == [(END,), (1,), (2,), (1,)]


def test_it_can_be_sent_to_another_process(path):
    lm = pickle.loads(pickle.dumps(NGrams(path, TOKENS)))  # noqa: S301 (our own)
    assert lm(torch.tensor([END]), lm.start(1)).log_probs[0].tolist() == nats(AFTER_BIGRAMS[()])


def test_a_file_of_other_tokens_is_refused(path):
    with pytest.raises(ValueError, match="1 of 2 tokens are not in it, 'b' for one"):
        NGrams(path, ["a", "b"])


def test_a_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "no.arpa").write_text("nothing of the kind")
    with pytest.raises(OSError, match=r"no\.arpa"):
        NGrams(str(tmp_path / "no.arpa"), TOKENS)
