"""Reconciliation: what the departments have against what the store says, by value, all the time."""

from monitoring.reconcile.difference import Difference, Kind
from monitoring.reconcile.report import FeedReport
from monitoring.reconcile.verifier import Pace, Verifier

__all__ = ["Difference", "FeedReport", "Kind", "Pace", "Verifier"]
