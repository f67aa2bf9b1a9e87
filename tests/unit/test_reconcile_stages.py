"""What is lost between two stages is counted, and what is only on its way is not."""

from __future__ import annotations

from monitoring.reconcile.stages import Fold, compare_stages


def fold(*entries: tuple[str, int, bool]) -> Fold:
    made = Fold()
    made.add_all(entries)
    return made


LOG = (("a", 1, True), ("b", 2, True), ("a", 3, True), ("c", 4, True), ("c", 5, False))


def test_equal_contents_have_one_count_and_checksum() -> None:
    report = compare_stages("f", "s", fold(*LOG), fold(("b", 2, True), ("c", 5, False), ("a", 3, True)), {})
    assert (report.live_in, report.live_out, report.lost, report.unknown) == (2, 2, 0, 0)
    assert report.checksum_in == report.checksum_out
    assert report.is_clean


def test_what_is_missing_older_or_resurrected_is_lost() -> None:
    report = compare_stages("f", "s", fold(*LOG), fold(("a", 1, True), ("c", 5, True)), {})
    assert report.lost == 3
    assert report.checksum_in != report.checksum_out


def test_what_is_newer_behind_is_not_lost_and_what_came_since_is_not_unknown() -> None:
    behind = fold(("a", 9, False), ("b", 2, True), ("c", 5, False), ("new", 7, True), ("nowhere", 1, True))
    report = compare_stages("f", "s", fold(*LOG), behind, {"new": None})
    assert (report.lost, report.unknown) == (0, 1)


def test_entries_below_a_truncation_need_not_be_anywhere() -> None:
    log = fold(*LOG)
    log.truncate(4)
    assert compare_stages("f", "s", log, fold(("c", 5, False)), {}).is_clean


def test_a_delete_of_what_never_was_leaves_no_trace() -> None:
    assert compare_stages("f", "s", fold(("d", 1, False)), fold(), {}).is_clean
