"""The register simulator: an invented population in the departments' real tables, and changes that never end.

From the truth to the tables: `families` and `people` (who there is) → `views` (how each department recorded them)
→ `loader` and `changer` (transactions as values) → `executor` → `sessions` (PostgreSQL and MariaDB). `truth` writes
beside them who every row is about. Without any database `capture` and `events` write what Kafka would hold,
`deliveries` the files. On a `course` the province has hours and seasons (`rhythm`), and a `courier` brings the files on
their dates.
"""

from connectors.simulate.courier import Courier
from connectors.simulate.course import Course
from connectors.simulate.deliveries import deliver
from connectors.simulate.events import TRUTH, Written
from connectors.simulate.events import write as write_events
from connectors.simulate.loader import Filled
from connectors.simulate.population import Population
from connectors.simulate.profiles import PROFILES
from connectors.simulate.simulator import ROWS, Pace, Simulator
from connectors.simulate.tables import DEPARTMENTS

__all__ = [
    "DEPARTMENTS",
    "PROFILES",
    "ROWS",
    "TRUTH",
    "Courier",
    "Course",
    "Filled",
    "Pace",
    "Population",
    "Simulator",
    "Written",
    "deliver",
    "write_events",
]
