import inspect
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from specaug.augment.keys import CELLS, PATCHES, cell_words, id_words, make_keys, random_words
from specaug.augment.operation import MOST
from specaug.augment.operations import KINDS
from specaug.augment.philox import philox


def test_the_words_of_an_id_are_its_sha_256():
    # FIPS 180-2, appendix B.1: SHA-256 of "abc" begins ba7816bf 8f01cfea; read with the low byte first
    assert id_words("abc") == (0xBF1678BA, 0xEACF018F)


def test_a_key_is_two_words_of_seed_the_epoch_and_two_words_of_the_id():
    keys = make_keys(0x1_2345_6789, 7, ["abc", "abc"])
    assert keys.tolist() == [[0x2345_6789, 1, 7, 0xBF1678BA, 0xEACF018F]] * 2


def test_no_utterances_have_no_keys():
    assert make_keys(0, 0, []).shape == (0, 5)


@pytest.mark.parametrize("ids", [["a", 2], [b"a", "b"][::-1]], ids=["number", "bytes"])
def test_an_id_is_text(ids):
    with pytest.raises(TypeError, match=r"utterances\[1\] is (2|b'a'); expected an id, which is a str"):
        inspect.unwrap(make_keys)(0, 0, ids)  # without the tests' own checks of types


@pytest.mark.parametrize("kind", [np.int32, np.uint8, torch.tensor], ids=["signed", "unsigned", "torch"])
def test_seed_and_epoch_are_whole_numbers_of_any_kind(kind):
    assert torch.equal(make_keys(kind(7), kind(5), ["a"]), make_keys(7, 5, ["a"]))


@pytest.mark.parametrize(
    ("seed", "epoch", "said"),
    [(0, 1.0, "epoch is 1.0"), ("0", 1, "seed is '0'"), (None, 1, "seed is None")],
)
def test_other_numbers_are_no_seed_and_no_epoch(seed, epoch, said):
    with pytest.raises(TypeError, match=f"{said}; expected a whole number"):
        inspect.unwrap(make_keys)(seed, epoch, ["a"])


def test_keys_do_not_depend_on_the_hash_seed_of_python(root):
    program = "from specaug import make_keys; print(make_keys(1, 2, ['a', 'b']).tolist(), hash('a'))"
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=root,
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    one, two = (run.communicate()[0].rsplit(" ", 1) for run in runs)
    assert one[0] == two[0] == str(make_keys(1, 2, ["a", "b"]).tolist())
    assert one[1] != two[1]  # the two did have different hashes


def test_the_words_of_a_block_are_philox_of_the_block_and_the_key_one_utterance_at_a_time():
    keys, blocks = make_keys(2**40 + 3, 5, ["a", "b"]), [0, 1, 2**16, 2**31 + 7]
    got = random_words(keys, torch.tensor(blocks))
    for key, rows in zip(keys, got, strict=True):
        seed_low, seed_high, epoch, id_low, id_high = key
        for block, words in zip(blocks, rows, strict=True):
            counter = torch.tensor(block), epoch, id_low, id_high
            assert words.tolist() == [int(word) for word in philox(counter, (seed_low, seed_high))]


def test_the_words_of_a_cell_are_those_of_its_key_and_its_block():
    keys, blocks = make_keys(2**40 + 3, 5, "abc"), torch.tensor([0, 2**16, 2**31 + 7])
    assert torch.equal(cell_words(keys, blocks), random_words(keys, blocks)[range(3), range(3)])
    assert cell_words(keys[:0], blocks[:0]).shape == (0, 4)


@pytest.mark.parametrize("column", range(5))
def test_every_word_of_a_key_matters_to_every_word(column):
    keys = make_keys(0, 0, ["a"])
    changed = keys.clone()
    changed[0, column] ^= 1
    blocks = torch.arange(8)
    assert (random_words(keys, blocks) != random_words(changed, blocks)).all()


def test_the_regions_of_the_block_number_do_not_overlap():
    assert (1 + max(kind.stream for kind in KINDS)) * MOST <= PATCHES < CELLS < 2**32
