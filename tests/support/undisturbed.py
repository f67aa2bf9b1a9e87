"""What a simulator does that nothing disturbs, to compare those with that were killed or lost their database."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from connectors.simulate import Population, Simulator
from connectors.simulate.changer import Changer
from connectors.simulate.executor import Executor
from connectors.simulate.truth import Truth


def reference(
    dsns: dict[str, str],
    truth_folder: Path,
    transactions: int,
    people: int,
    seed: int,
    departments: tuple[str, ...],
) -> None:
    """Fill the databases and change them up to a transaction, with the truth beside."""
    Simulator(dsns, people, seed, truth_folder).load()
    with Truth(truth_folder, seed, people, departments) as truth, closing(Executor(dsns)) as executor:
        executor.open()
        changer = Changer(Population(seed, people, truth.progress.census()))
        while changer.number < transactions:
            batch = changer.next()
            while changer.number < transactions and len(batch) < 100:
                batch += changer.next()
            executor.execute(batch)
            truth.committed(batch)
        assert changer.number == transactions
