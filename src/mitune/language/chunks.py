"""Noun phrases of short English descriptions, by closed lists of words: no parser, no model.

Made for T2I-CompBench's templates and the miniature's captions; of free text it gets most. A
phrase is a run of words that begins at a determiner or after a function word or verb, and ends
before the next. It departs from spaCy on purpose in one thing: compound prepositions (`in front
of`) and openings (`a picture of`) have no noun in them, so nothing is asked about a `front`.
"""

from __future__ import annotations

import re

_OPENING = re.compile(r"\s*an? (?:picture|image|photo|photograph) of\b", re.IGNORECASE)
_TOKEN = re.compile(
    r"\b(?:in front of|in contact with|next to)\b|(?<!the )\b(?:left|right) of\b"
    r"|[^\W_][\w'’-]*|[^\w\s]",
    re.IGNORECASE,
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PRONOUNS = _words(
    """
    he him it she her they them which that i you we us
    """
)
_DETERMINERS = _words(
    """
    a an the its his their my our your some many each every both several another any no this
    these those zero one two three four five six seven eight nine ten
    """
)
_FUNCTION_WORDS = _words(
    """
    about above across against along amid among around as at before behind below beneath
    beside besides between by down during for from in inside into like near of off on onto out
    over through to toward towards under underneath up upon via with within without and or but
    while when where than then there nearby downward upright together apart away not also far
    otherwise is are was were be been being has have had can could will would does do did
    touching covering hidden partly
    """
)
_VERBS = _words(
    """
    looks looked look sit sits sat stand stands stood hang hangs hung hold holds held keep
    keeps kept lay lays lie lies rest rests provide provides make makes made read reads write
    writes features feature serve serves add adds attract attracts adorn adorns complement
    complements complete completes display displays illuminate illuminates decorate decorates
    support supports take takes shows show slide slides bounce bounces float floats fly flies
    flash drift drifts stir stirs yield yields perch perches await awaits clink click creak
    creaks shine shines glow glows glint glints cover covers brighten open opens wear wears
    flank flanks boil simmer simmers cut cuts fasten measure jot play plays protect contrast
    lean leans accompany pose throw throws propel drive drives ride rides eat eats run runs
    walk walks jump jumps chase chases stop stops slice told cast hit lit spills spill pass
    passes offer offers tick ticks unlock unlocks drip drips tighten correct corrects secure
    shift shifts roam nap organize create creates release seems seem became become becomes
    sleeps sleep welcome accommodate
    """
)
_ADJECTIVES = _words(
    """
    red orange yellow green cyan blue purple pink brown black white gray grey tan beige gold
    golden silver colorful dark light bright big large small tiny little tall short long
    narrow wide round square circular oval oblong rectangular triangular pentagonal cubic
    cubical conical cylindrical spherical pyramidal diamond teardrop crescent metallic wooden
    fabric fluffy glass leather plastic rubber plain striped dotted checkered very old new
    young soft cozy clean hot cold unique perfect beautiful stylish empty other same open warm
    single only
    """
)
_AS_NOUNS = _words(
    """
    ring earring string king wing thing building ceiling painting clothing wedding evening
    morning pudding spring railing seating topping opening bed red shed seed weed sled reed
    butterfly fly lily family jelly belly bully doily
    """
)


def noun_chunks(text: str) -> list[str]:
    """Noun phrases of `text` in order, as they are written there."""
    return [text[start:end] for start, end in noun_chunk_spans(text)]


def noun_chunk_spans(text: str) -> list[tuple[int, int]]:
    """Where they stand: (start, end) in characters."""
    opening = _OPENING.match(text)
    chunks: list[tuple[int, int]] = []
    run: list[re.Match[str]] = []
    tokens = list(_TOKEN.finditer(text, opening.end() if opening else 0))
    for token, following in zip(tokens, [*tokens[1:], None], strict=False):
        word = token.group().lower()
        if _lists_adjectives(word, run, following):
            run.append(token)
            continue
        alone = word in _PRONOUNS and not (word == "her" and following)
        if alone or word in _DETERMINERS or _breaks(word, run):
            _close(run, chunks)
            run = []
        if alone:
            chunks.append(token.span())
        elif not _breaks(word, run):
            run.append(token)
    _close(run, chunks)
    return chunks


def is_pronoun(phrase: str) -> bool:
    """Whether a phrase is nothing but a pronoun."""
    return phrase.lower() in _PRONOUNS


def _lists_adjectives(word: str, run: list[re.Match[str]], following: re.Match[str] | None) -> bool:
    """Whether a comma or `and` goes on with the same phrase: `a black and white cat`."""
    if word not in (",", "and") or not run or following is None:
        return False
    before, after = run[-1].group().lower(), following.group().lower()
    goes_on = after in _ADJECTIVES or (word == "," and after == "and")
    return before in _ADJECTIVES | {","} and goes_on


def _breaks(word: str, run: list[re.Match[str]]) -> bool:
    """Whether a word is outside of noun phrases, given the phrase so far."""
    if not word[0].isalnum() or " " in word or word in _FUNCTION_WORDS:
        return True
    modified = bool(run) and run[-1].group().lower() in _DETERMINERS | _ADJECTIVES
    verbal = word in _VERBS or (
        word.endswith(("ing", "ed", "ly")) and word not in _AS_NOUNS and len(word) > 3
    )
    # After an article or adjective such a word is part of the name: `a wooden cutting board`.
    return verbal and not modified


def _close(run: list[re.Match[str]], chunks: list[tuple[int, int]]) -> None:
    """Add what the run says; adjectives alone are a predicate (`is white`), not a thing."""
    words = [token.group().lower() for token in run]
    while words and words[-1] in (",", "and"):
        words.pop()
    named = any(word not in _DETERMINERS | _ADJECTIVES for word in words)
    if named or (len(words) > 1 and words[0] in _DETERMINERS):
        chunks.append((run[0].start(), run[len(words) - 1].end()))
