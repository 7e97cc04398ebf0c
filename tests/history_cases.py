"""
Which test holds each condition of the days after the first (``shared/field-cases-history.md``).

As in ``field_cases.py``; a row without a test is one that no test holds yet.
"""

from __future__ import annotations

CHANGES = "faults/test_incremental.py"
REFRESH = "faults/test_incremental_refresh.py"
LIVING = "faults/test_living_org.py::test_what_others_write_between_two_calls_loses_nothing"
LISTS = "unit/org/test_changes.py"
POLICY = "unit/backup/test_policy.py"
SETTLE = "unit/store/test_settle.py"
BODIES = "faults/test_bodies.py"
METADATA = "faults/test_metadata.py"
PACKAGE = "unit/backup/test_metadata_package.py"
COMPACTION = "unit/store/compaction/test_compaction.py"
WHEN_SOUND = f"{POLICY}::test_an_object_is_read_by_its_changes_only_where_that_is_sound"
ERASED = "faults/test_erase.py::test_an_erasure_leaves_nothing_and_says_what_it_did"

CASES: dict[str, dict[str, tuple[str, ...]]] = {
    "A": {
        "becomes the watermark": (
            f"{CHANGES}::test_late_commits_and_equal_stamps_are_found_by_the_next_backup",
            LIVING,
        ),
        "15,000 and more rows one stamp": (
            f"{CHANGES}::test_late_commits_and_equal_stamps_are_found_by_the_next_backup",
        ),
        "taken from the own clock": (
            WHEN_SOUND,
            f"{CHANGES}::test_a_sweep_finds_what_no_stamp_and_no_list_tells",
        ),
        "added to a running backup": (WHEN_SOUND,),
        "`filterable:false`": (
            "unit/backup/test_schema_changes.py::test_the_change_mark_follows_describes_flags",
        ),
        "Stamps of millions of rows move": (
            f"{SETTLE}::test_what_is_the_same_is_stored_once",
            f"{SETTLE}::test_a_stamp_that_moved_alone_is_known_at_the_next_sweep",
        ),
        "drop the seconds": (
            f"{LISTS}::test_a_window_has_whole_minutes_and_stays_within_what_the_org_keeps",
            f"{LISTS}::test_an_answer_is_believed_within_its_window_only",
        ),
        "INVALID_REPLICATION_DATE": (
            f"{LISTS}::test_a_window_has_whole_minutes_and_stays_within_what_the_org_keeps",
            f"{LISTS}::test_one_refused_list_is_its_own",
        ),
        "Page 3 of 5": (f"{CHANGES}::test_a_page_that_fails_for_good_moves_no_watermark",),
    },
    "B": {
        "never use the recycle bin": (
            f"{CHANGES}::test_a_sweep_finds_what_no_stamp_and_no_list_tells",
            f"{CHANGES}::test_where_neither_list_nor_statistic_tells_of_deletions_the_org_counts",
        ),
        '"not replicable"': (
            f"{LISTS}::test_one_refused_list_is_its_own",
            "faults/test_lean_orgs.py::test_a_refusal_is_paid_for_once_a_week",
        ),
        "Closed tasks and events": (
            "contracts/test_restore_proof.py"
            "::test_archived_activities_are_alive_and_deleted_ones_are_not",
        ),
        "loses View All Data": (
            f"{CHANGES}::test_half_of_the_records_out_of_sight_are_not_deleted",
            "contracts/test_partial_visibility.py::test_the_check_the_plan_and_the_outcome_warn",
        ),
        "A merge": (
            "unit/store/history/test_record.py::test_the_bin_a_merge_and_the_end_are_versions",
            "contracts/test_history_json.py::test_a_records_history_and_a_diff",
        ),
    },
    "C": {
        "A parent's name changes": (
            f"{REFRESH}::test_a_refresh_reads_the_computed_columns_of_all_rows_and_no_other",
            f"{SETTLE}::test_a_refresh_touches_no_other_column",
        ),
        "definition of a formula": (
            f"{REFRESH}::test_an_edited_formula_is_read_for_all_rows",
            "unit/store/history/test_diff.py::test_a_change_of_schema_is_said_once",
        ),
        "no formula by describe": (
            f"{REFRESH}::test_a_field_that_drifts_and_is_no_formula_is_found_by_samples",
        ),
        "Exchange rates": (f"{REFRESH}::test_an_exchange_rate_that_was_edited_brings_new_amounts",),
    },
    "D": {
        "`SELECT Id FROM ContentDocument`": (),
        "have one title": (
            "unit/store/test_bodies_written_out.py::test_no_two_bodies_share_a_name",
            f"{BODIES}::test_files_of_one_title_are_all_written_out",
        ),
        "answers 200 with an error page": (
            f"{BODIES}::test_what_is_not_the_file_is_never_taken_for_it",
        ),
        "Links and files outside": (f"{BODIES}::test_a_body_is_fetched_once",),
        "Images pasted": (f"{BODIES}::test_images_in_rich_text_are_kept_once",),
        "three known objects": (f"{BODIES}::test_a_body_is_fetched_once",),
    },
    "E": {
        "leaves out all standard objects": (
            f"{METADATA}::test_all_metadata_is_in_the_snapshot_and_can_be_written_out",
        ),
        "stand in `messages` only": (f"{PACKAGE}::test_what_could_not_be_had_is_not_removed",),
        "without the second namespace": (
            f"{PACKAGE}::test_packaged_components_are_known_by_both_names",
            f"{METADATA}::test_all_metadata_is_in_the_snapshot_and_can_be_written_out",
        ),
        "in the *same* request": (
            f"{PACKAGE}::test_packages_have_each_member_and_each_profile_with_everything",
            f"{PACKAGE}::test_a_profile_is_joined_from_what_several_retrieves_say",
            f"{PACKAGE}::test_a_profile_changes_only_in_what_both_snapshots_have",
        ),
        "Over 10,000 files": (
            f"{PACKAGE}::test_packages_are_cut_by_the_sizes_of_the_last_run",
            f"{METADATA}::test_a_retrieve_that_fails_as_a_whole_loses_nothing",
        ),
        "UNKNOWN_EXCEPTION": (f"{METADATA}::test_a_broken_type_is_named_and_the_others_are_kept",),
        "INVALID_LOCATOR": (f"{METADATA}::test_a_retrieve_that_fails_as_a_whole_loses_nothing",),
        "StandardValueSet is in describeMetadata": (
            f"{METADATA}::test_all_metadata_is_in_the_snapshot_and_can_be_written_out",
        ),
        "need a list of folders first": (
            f"{METADATA}::test_all_metadata_is_in_the_snapshot_and_can_be_written_out",
        ),
        "Flows: by API version": (
            f"{METADATA}::test_every_version_of_a_flow_is_there_and_says_whether_it_runs",
            f"{METADATA}::test_versions_of_flows_that_cannot_be_listed_are_said",
        ),
        "newer than the org's": (
            f"{METADATA}::test_an_org_of_an_older_release_is_asked_in_a_version_that_it_knows",
            f"{METADATA}::test_success_with_nothing_in_it_is_no_metadata",
        ),
        "order of repeated elements": (f"{PACKAGE}::test_order_is_no_change_and_a_value_is",),
        "is the epoch": (f"{METADATA}::test_a_change_is_found_and_only_its_bytes_are_stored",),
        "The org is upgraded": (
            f"{METADATA}::test_what_a_new_release_drops_is_not_taken_for_deleted",
            f"{PACKAGE}::test_what_could_not_be_had_is_not_removed",
        ),
        "Retired picklist values": (
            f"{CHANGES}::test_a_retired_value_of_a_picklist_stays_in_the_records",
            "faults/test_restore_companions.py"
            "::test_a_value_that_the_record_type_does_not_allow_is_named_beforehand",
        ),
        "A static resource says": (
            f"{METADATA}::test_an_archive_in_a_static_resource_is_bytes_like_any_others",
        ),
    },
    "F": {
        "A field becomes visible": (
            f"{REFRESH}::test_a_new_field_is_read_for_all_rows_without_the_other_columns",
            f"{CHANGES}::test_changes_of_the_schema_are_named_and_new_fields_read_for_all_rows",
        ),
        "the stream is reset": (f"{SETTLE}::test_an_org_that_counts_otherwise_commits_nothing",),
    },
    "G": {
        "Vacuum (`full`)": (f"{COMPACTION}::test_replaced_files_stay_an_hour",),
        "log clean-up": (
            "unit/store/test_log_retention.py"
            "::test_a_snapshot_older_than_the_retention_is_exported",
        ),
        "vacuum returns the names": (ERASED,),
        "stays in the older Parquet files": (ERASED,),
        "Compaction beside an append": (
            f"{COMPACTION}::test_a_reading_that_commits_meanwhile_goes_first",
            f"{COMPACTION}::test_two_compactions_do_not_meet",
        ),
        "Two versions of the library": (
            "faults/test_format2.py"
            "::test_the_paused_job_of_the_second_format_ends_equal_to_an_undisturbed_backup",
        ),
    },
}
