"""Whether spaCy and its English model are at hand; PyPI has the one and not the other."""

from importlib.util import find_spec

import pytest

ABSENT = [name for name in ("spacy", "en_core_web_sm") if find_spec(name) is None]

needs_spacy = pytest.mark.skipif(bool(ABSENT), reason=f"not installed: {', '.join(ABSENT)}")
