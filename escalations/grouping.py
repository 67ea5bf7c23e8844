"""Many texts at once, compared more deeply than word by word: which are about the same, and which belong to nothing.

Words, pairs of words and pieces of words, weighed by how rare they are, and then reduced to what goes together in many
texts (latent semantic analysis), so that "card has not come" and "still waiting for my card" are near. Needs much
memory for a moment: only for the queue whose processes end with their task.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import FeatureUnion
from sklearn.preprocessing import normalize

Vectors = NDArray[np.float64]

ENOUGH = 300  # texts, below which nothing can be said of what goes together
DIMENSIONS, TEXTS_A_DIMENSION = 200, 5
NEIGHBOURS, NEAR = 3, 0.68  # a text whose nearest others are on average less like it belongs to nothing


def vectors(texts: Sequence[str], background: Sequence[str] = ()) -> Vectors:
    """A row of length one for each text; likeness of two is their product. `background`: others of the same desk, by
    which it is learnt what goes together."""
    everything = [*texts, *background]
    parts: Any = FeatureUnion(
        [
            ("words", TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2, max_df=0.3)),
            (
                "pieces",
                TfidfVectorizer(analyzer="char_wb", sublinear_tf=True, ngram_range=(3, 5), min_df=3, max_df=0.3),
            ),
        ],
        transformer_weights={"words": 1.0, "pieces": 0.7},
    )
    found = parts.fit_transform(everything)
    size = max(2, min(DIMENSIONS, len(everything) // TEXTS_A_DIMENSION, found.shape[1] - 1))
    reduced = TruncatedSVD(size, n_iter=5, random_state=0).fit(found)
    rows: Vectors = normalize(reduced.transform(found[: len(texts)]))
    return rows


def groups(rows: Vectors, count: int) -> list[int]:
    """The number of each one's group, where it is known how many there are: joined by what spreads least (Ward), and
    then each text to the nearest middle."""
    first = AgglomerativeClustering(count, linkage="ward").fit_predict(rows)
    middles = np.array([rows[first == number].mean(axis=0) for number in range(count)])
    return [int(each) for each in KMeans(count, init=middles, n_init=1).fit_predict(rows)]


def lonely(rows: Vectors) -> list[bool]:
    """Which belong to nothing that is there."""
    likeness = rows @ rows.T
    np.fill_diagonal(likeness, -1.0)
    most = min(NEIGHBOURS, len(rows) - 1)
    nearest = np.sort(likeness, axis=1)[:, -most:] if most else np.zeros((len(rows), 1))
    return [bool(each) for each in nearest.mean(axis=1) < NEAR]
