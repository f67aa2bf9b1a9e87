"""Splink on records of the register, as its documentation shows it: `PYTHON splink_register.py RECORDS.csv`.

Needs a venv with `splink` (4.x) alone. Parameters are estimated without labels, pairs predicted and clustered: what an
hourly batch has to do. Prints one line of JSON: seconds, processor seconds, and the cluster of each record.
"""

from __future__ import annotations

import json
import sys
import time

import pandas as pd
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

THRESHOLD = 0.5


def main(path: str) -> None:
    """Estimate, predict, cluster, print."""
    records = pd.read_csv(path, dtype=str)
    began, used = time.monotonic(), time.process_time()
    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="rec_id",
        comparisons=[
            cl.DamerauLevenshteinAtThresholds("id_number", [1, 2]),
            cl.JaroWinklerAtThresholds("name", [0.9]).configure(term_frequency_adjustments=True),
            cl.DamerauLevenshteinAtThresholds("birth_date", [1, 2]),
            cl.ExactMatch("sex"),
            cl.ExactMatch("phone"),
            cl.LevenshteinAtThresholds("address", [2]),
        ],
        blocking_rules_to_generate_predictions=[
            block_on("id_number"), block_on("name", "birth_date"), block_on("phone", "name"),
            block_on("address", "name"),
        ],
        retain_intermediate_calculation_columns=False,
    )  # fmt: skip
    linker = Linker(records, settings, DuckDBAPI())
    linker.training.estimate_probability_two_random_records_match([block_on("id_number")], recall=0.8)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    for rule in (block_on("id_number"), block_on("name", "birth_date")):
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    pairs = linker.inference.predict(threshold_match_probability=THRESHOLD)
    found = linker.clustering.cluster_pairwise_predictions_at_threshold(pairs, THRESHOLD)
    clusters = found.as_pandas_dataframe()
    answer = {
        "seconds": time.monotonic() - began,
        "cpu": time.process_time() - used,
        "clusters": dict(zip(clusters["rec_id"], clusters["cluster_id"].astype(str), strict=True)),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1])
