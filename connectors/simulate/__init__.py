"""The register simulator: an invented population in the departments' real tables, and changes that never end.

From the truth to the tables: `families` and `people` (who there is) → `views` (how each department recorded them)
→ `loader` (COPY) and `changer` (transactions as values) → `executor` → PostgreSQL. `truth` writes beside them who
every row is about.
"""

from connectors.simulate.loader import Filled
from connectors.simulate.simulator import Pace, Simulator
from connectors.simulate.tables import DEPARTMENTS

__all__ = ["DEPARTMENTS", "Filled", "Pace", "Simulator"]
