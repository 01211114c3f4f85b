"""Five utterances of real speech are learned by heart: what each network and its training owe together."""

from dataclasses import replace

import pytest
import torch
from standins import Plan

from models.ast import ASTCTC
from models.bilstm import BiLSTMCTC
from models.conformer import ConformerCTC
from models.las import LAS
from models.transducer import ConformerTransducer
from specaug.speech.corpora.fsdd import fsdd
from specaug.speech.corpora.options import Fsdd
from specaug.speech.options import Features, Text
from specaug.speech.prepare import Prepared, prepare
from specaug.training.fit import train

pytestmark = pytest.mark.corpus
MEL = 40


@pytest.fixture(scope="module")
def digits(fsdd_source, tmp_path_factory) -> Prepared:
    """The five shortest of some strings of digits, 1.2 to 1.6 seconds long, to train on and to test."""
    cache = tmp_path_factory.mktemp("digits")
    corpus = fsdd(Fsdd(train=40, dev=1, test=1), fsdd_source, cache)
    five = sorted(corpus.parts["train"], key=lambda u: u.duration)[:5]
    corpus = replace(corpus, parts={"train": five})
    learned = prepare(corpus, Features(mel=MEL), Text(), lambda frames: frames // 4, cache)
    return replace(learned, parts=dict.fromkeys(("train", "dev"), learned.parts["train"]))


@pytest.mark.parametrize(
    ("kind", "arguments", "peak", "steps"),
    [
        pytest.param(BiLSTMCTC, {"width": 64, "depth": 1}, 1e-2, 100, id="bilstm"),
        pytest.param(ConformerCTC, {"width": 32, "depth": 1}, 1e-2, 100, id="conformer"),
        pytest.param(
            ASTCTC, {"width": 64, "depth": 2, "heads": 2, "frames": 256, "slope": 1.0}, 5e-3, 150, id="ast"
        ),
        pytest.param(
            LAS, {"width": 64, "depth": 1, "channels": 8}, 1e-2, 100, id="las", marks=pytest.mark.slow
        ),
        pytest.param(
            ConformerTransducer,
            {"width": 64, "depth": 1, "predictor": 64},
            1e-2,
            200,
            id="transducer",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_five_strings_of_real_digits_are_learned_to_wer_0(digits, tmp_path, kind, arguments, peak, steps):
    torch.manual_seed(0)
    network = kind(mel=MEL, vocab=digits.units.size, dropout=0.0, **arguments)
    options = {"batch": 5, "peak": peak, "evaluate_every": steps}
    plan = Plan(folder=tmp_path, prepared=digits, network=network, steps=steps, options=options)
    scores = train(plan.job()).parts["dev"]
    assert [t.hypothesis for t in scores.transcripts] == [t.reference for t in scores.transcripts]
    assert (scores.words.rate, scores.words.total, len(scores.transcripts)) == (0, 16, 5)
