import math
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specaug.speech.chance import generator
from specaug.speech.corpora import grammar as module
from specaug.speech.corpora.grammar import GRAMMARS, Scene, Subject, Verb, parse_scenes, sentence, vocabulary


def many(size: str, count: int, least: int = 110, most: int = 190) -> list[str]:
    chance = generator("test", size)
    return [sentence(GRAMMARS[size], chance, least, most) for _ in range(count)]


@pytest.mark.parametrize("size", ["small", "full"])
def test_a_vocabulary_is_exactly_the_words_of_the_sentences(size):
    said = {word for text in many(size, 4000) for word in text.split(" ")}
    assert said == vocabulary(GRAMMARS[size])


def test_vocabularies_are_as_large_as_their_names_say():
    assert 40 <= len(vocabulary(GRAMMARS["small"])) <= 70
    assert 500 <= len(vocabulary(GRAMMARS["full"])) <= 1000


@given(seed=st.integers(0, 2**32), least=st.integers(60, 200), room=st.integers(45, 90))
@pytest.mark.parametrize("size", ["small", "full"])
def test_a_sentence_is_as_long_as_asked_and_of_plain_words(size, seed, least, room):
    text = sentence(GRAMMARS[size], generator(seed), least, least + room)
    assert least <= len(text) <= least + room
    assert re.fullmatch("[a-z]+( [a-z]+)*", text)


@pytest.mark.parametrize(("least", "most"), [(3, 5), (3000, 5000)])
def test_a_length_that_no_sentence_has_is_refused(monkeypatch, least, most):
    monkeypatch.setattr(module, "ATTEMPTS", 50)
    with pytest.raises(ValueError, match=f"{least} to {most} characters"):
        sentence(GRAMMARS["small"], generator(0), least, most)


def test_the_same_chance_gives_the_same_sentences():
    assert many("full", 20) == many("full", 20)


# The small grammar once more, as a person would explain it.
SAYS = {
    "baker": ("he", ["bake", "bakes", "baked"], ["brown bread in the oven", "white bread in the oven"]),
    "farmer": (
        "she",
        ["feed", "feeds", "fed"],
        ["the brown cows in the barn", "the white sheep in the barn"],
    ),
    "sailor": (
        "he",
        ["sail", "sails", "sailed"],
        ["the old boat across the sea", "the white ship across the sea"],
    ),
    "teacher": ("she", ["teach", "teaches", "taught"], ["the children at school", "a song at school"]),
}
REASON = {
    "baker": ("the children", "are", "were", "hungry"),
    "farmer": ("the cows", "are", "were", "hungry"),
    "sailor": ("the wind", "is", "was", "strong"),
    "teacher": ("the school", "is", "was", "old"),
}
THEN = {
    "baker": (["sing", "sings", "sang"], "a song"),
    "farmer": (["go", "goes", "went"], "home"),
    "sailor": (["go", "goes", "went"], "home"),
    "teacher": (["sing", "sings", "sang"], "a song"),
}


def form_by_hand(forms: list[str], time: str, plural: bool) -> str:
    if time == "yesterday":
        return forms[2]
    if time == "tomorrow":
        return "will " + forms[0]
    return forms[0] if plural else forms[1]


def clauses_by_hand(who: str, time: str, plural: bool) -> tuple[list[str], str, str]:
    """What may be said of one subject at one time: main clauses, the reason, what follows."""
    pronoun, verb, rests = SAYS[who]
    subjects = [f"the {who}s", f"two {who}s"] if plural else [f"the {who}"]
    main = [f"{s} {form_by_hand(verb, time, plural)} {rest}" for s in subjects for rest in rests]
    cause, now, then, how = REASON[who]
    after, rest = THEN[who]
    pronoun = "they" if plural else pronoun
    return (
        main,
        f" because {cause} {then if time == 'yesterday' else now} {how}",
        f" and then {pronoun} {form_by_hand(after, time, plural)} {rest}",
    )


def is_grammatical_by_hand(text: str) -> bool:
    """Read the sentence from the left; at no point is there more than one way to go on."""
    time, rest = text.split(" ", 1)
    kinds = [clauses_by_hand(who, time, plural) for who in SAYS for plural in (False, True)]
    while True:
        found = [(m, kind) for kind in kinds for m in kind[0] if (rest + " ").startswith(m + " ")]
        if len(found) != 1:
            return False
        main, (_, because, then) = found[0]
        rest = rest[len(main) :]
        for tail in sorted((because, then), key=lambda t: not rest.startswith(t)):
            rest = rest.removeprefix(tail)
        if not rest:
            return True
        joint = re.match(" (and|while) ", rest)
        if not joint:
            return False
        rest = rest[joint.end() :]


def test_every_small_sentence_agrees_in_tense_number_pronoun_and_sense():
    wrong = [text for text in many("small", 1500) if not is_grammatical_by_hand(text)]
    assert wrong == []


def test_the_table_is_read_as_it_is_explained():
    table = """
ox oxen it : eat eats ate
grass; hay : in ~ barn; there
it was/is good; ~ time had/has come : go goes went : to ~ bed
"""
    (ox,) = parse_scenes(table)
    assert ox == Scene(
        one="ox",
        many="oxen",
        pronoun="it",
        verb=Verb("eat", "eats", "ate"),
        objects=("grass", "hay"),
        places=("in ~ barn", "there"),
        reasons=("it was/is good", "~ time had/has come"),
        after=Verb("go", "goes", "went"),
        rest="to ~ bed",
    )
    assert Subject(ox, False, "past").agree(ox.reasons[1]) == "its time had come"
    assert Subject(ox, True, "future").agree(ox.reasons[1]) == "their time has come"


def test_no_sentence_tells_of_one_scene_twice():
    told = [
        re.compile(
            rf"\b({s.one}|{s.many}) (will {s.verb.base}|{s.verb.base}|{s.verb.present}|{s.verb.past})\b"
        )
        for s in GRAMMARS["full"].scenes
    ]
    for text in many("full", 300):
        times = [len(pattern.findall(text)) for pattern in told]
        assert max(times) == 1, text


def bits_by_hand(train: list[str], test: list[str], order: int) -> float:
    """Cross entropy of a word of `test`, in bits, by counting words after `order - 1` others, add 0.02."""
    counts: dict[tuple[str, ...], Counter[str]] = {}
    for text in train:
        words = ["<s>"] * (order - 1) + text.split()
        for i in range(order - 1, len(words)):
            counts.setdefault(tuple(words[i - order + 1 : i]), Counter())[words[i]] += 1
    size = len({word for text in train for word in text.split()})
    bits, number = 0.0, 0
    for text in test:
        words = ["<s>"] * (order - 1) + text.split()
        for i in range(order - 1, len(words)):
            after = counts.get(tuple(words[i - order + 1 : i]), Counter())
            bits -= math.log2((after[words[i]] + 0.02) / (after.total() + 0.02 * size))
            number += 1
    return bits / number


@pytest.mark.parametrize(("size", "alone", "in_context"), [("small", 4.5, 1.2), ("full", 7.0, 3.0)])
def test_a_word_is_hard_to_guess_alone_and_easy_in_context(size, alone, in_context):
    texts = many(size, 3000)
    train, test = texts[:2500], [text for text in texts[2500:] if text not in set(texts[:2500])]
    assert bits_by_hand(train, test, 1) > alone
    assert bits_by_hand(train, test, 3) < in_context
