"""Splink on a FEBRL data set, as its examples do it: `PYTHON splink_febrl.py RECORDS.csv dedupe|link [ssn]`.

Needs a venv with `splink` (4.x) alone. Prints JSON lines: one a pair above a probability of a half, as two record ids.
Parameters are estimated without labels: random sampling for u, expectation maximisation in two passes for m.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import pandas as pd
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

THRESHOLD = 0.5
COLUMNS = (
    "given_name",
    "surname",
    "street_number",
    "address_1",
    "suburb",
    "postcode",
    "state",
    "date_of_birth",
)


def settings(kind: str, *, ssn: bool) -> Any:
    """Return the model: names and addresses by Jaro-Winkler and Levenshtein, numbers by Damerau-Levenshtein."""
    comparisons: list[Any] = [
        cl.NameComparison("given_name"),
        cl.NameComparison("surname"),
        cl.DamerauLevenshteinAtThresholds("date_of_birth", [1, 2]),
        cl.LevenshteinAtThresholds("address_1", [2]),
        cl.ExactMatch("suburb").configure(term_frequency_adjustments=True),
        cl.LevenshteinAtThresholds("postcode", [1]),
        cl.ExactMatch("street_number"),
        cl.ExactMatch("state"),
    ]
    blocks = [
        block_on("given_name", "surname"), block_on("date_of_birth"), block_on("surname", "postcode"),
        block_on("given_name", "postcode"), block_on("address_1", "street_number"),
    ]  # fmt: skip
    if ssn:
        comparisons.append(cl.DamerauLevenshteinAtThresholds("soc_sec_id", [1, 2]))
        blocks.append(block_on("soc_sec_id"))
    return SettingsCreator(
        link_type="dedupe_only" if kind == "dedupe" else "link_only",
        unique_id_column_name="rec_id",
        comparisons=comparisons,
        blocking_rules_to_generate_predictions=blocks,
        retain_intermediate_calculation_columns=False,
    )


def main(path: str, kind: str, *, ssn: bool) -> None:
    """Estimate, predict, print."""
    records = pd.read_csv(path, dtype=str)
    frames = [part.drop(columns="source") for _, part in records.groupby("source")]
    linker = Linker(frames, settings(kind, ssn=ssn), DuckDBAPI())
    linker.training.estimate_probability_two_random_records_match(
        [block_on("date_of_birth", "surname")], recall=0.6
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=2e6, seed=1)
    for rule in (block_on("date_of_birth"), block_on("postcode", "surname")):
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    pairs = linker.inference.predict(threshold_match_probability=THRESHOLD).as_pandas_dataframe()
    for left, right in zip(pairs["rec_id_l"], pairs["rec_id_r"], strict=True):
        print(json.dumps([left, right]))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], ssn="ssn" in sys.argv[3:])
