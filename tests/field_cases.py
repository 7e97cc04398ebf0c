"""
Which test holds each condition that people met in the field (``shared/field-cases.md``, tables A to F).

A row is named by words that stand in its first column; the tests by their file below ``tests`` and
their name. ``tests/unit/test_field_cases.py`` compares this with the page and with the files.
"""

from __future__ import annotations

READING = "faults/test_field_cases_reading.py"
BACKUP = "faults/test_backup_faults.py"
BOUNDS = "unit/org/test_org_bounds.py"
VALUES = "unit/org/test_values.py"
TRANSPORT = "unit/org/test_org_transport.py"
OUTPUT = "contracts/test_cli_output.py"
RUN = "contracts/test_cli_run.py"

CASES: dict[str, dict[str, tuple[str, ...]]] = {
    "A": {
        "no `nextRecordsUrl`": (f"{READING}::test_rows_that_are_always_lost_fail_their_object",),
        "after 5 of 592 rows": (
            f"{READING}::test_rows_lost_once_are_read_again",
            f"{READING}::test_rows_that_are_always_lost_fail_their_object",
            "faults/test_odd_servers.py::test_a_count_that_is_wrong_by_one_is_never_complete",
        ),
        "not asked for": (f"{READING}::test_rows_lost_once_are_read_again",),
        "a row twice and another missing": (
            f"{READING}::test_rows_that_are_always_lost_fail_their_object",
            "unit/backup/test_readers.py::test_a_locator_is_read_once",
        ),
        "share one Id": (f"{READING}::test_objects_of_shared_ids_and_hard_queries_are_whole",),
        "of type `long`": (
            f"{VALUES}::test_whole_numbers_are_read_exactly",
            f"{READING}::test_values_that_fit_no_column_are_kept",
        ),
        "Knowledge hides versions": (
            f"{READING}::test_objects_of_shared_ids_and_hard_queries_are_whole",
            "unit/backup/test_readers.py::test_a_refusal_leads_to_another_way",
        ),
        "is **not exact**": (
            "contracts/test_gate_lag.py::test_no_call_passes_the_line_however_old_the_header",
            "contracts/test_gate_lag.py::test_our_own_calls_of_two_minutes_go_on_top",
            "faults/test_old_numbers.py::test_no_call_passes_the_line_however_old_the_orgs_numbers",
        ),
    },
    "B": {
        "four empty objects": (f"{READING}::test_one_objects_trouble_is_its_own",),
        "QUERY_TIMEOUT": (f"{READING}::test_one_objects_trouble_is_its_own",),
        "describe of one listed object": (
            f"{READING}::test_one_objects_trouble_is_its_own",
            f"{BACKUP}::test_an_object_that_cannot_be_described_is_recorded",
        ),
        "503 for 90 s": (
            f"{READING}::test_an_org_that_is_away_pauses_the_job_which_goes_on",
            "faults/test_away_at_start.py::test_the_job_waits_for_an_org_that_refuses_connections",
        ),
        "named `../x`": (f"{READING}::test_an_impossible_name_is_left_out",),
        "renews at another instance": (
            f"{BOUNDS}::test_an_org_that_has_moved_is_found_by_its_login",
            f"{BOUNDS}::test_a_login_into_another_org_is_never_used",
        ),
        "410 on the pinned": (
            f"{BOUNDS}::test_an_api_version_that_is_gone_is_replaced",
            f"{BOUNDS}::test_no_common_api_version_is_one_sentence",
        ),
        "API_CURRENTLY_DISABLED": (f"{BOUNDS}::test_a_user_without_the_api_is_a_login_error",),
        "a maximum ≥ 2": (
            f"{BOUNDS}::test_limits_that_cannot_be_are_not_known",
            f"{BOUNDS}::test_json_that_no_org_sends_is_no_answer",
            f"{BOUNDS}::test_a_redirect_to_no_web_address_is_refused",
            f"{BOUNDS}::test_a_token_that_cannot_be_sent_is_refused_unquoted",
            "unit/org/test_fuzz.py::test_damaged_answers_raise_errors_of_ours_only",
            "unit/org/test_fuzz.py::test_each_parser_meets_each_recorded_answer",
        ),
    },
    "C": {
        "anyType": (
            f"{VALUES}::test_both_readers_give_the_same_table",
            f"{READING}::test_values_that_fit_no_column_are_kept",
        ),
        "described as int": (
            "faults/test_values_kept.py::test_a_whole_number_that_is_none_widens_its_column",
        ),
        "16147805824397": ("unit/store/test_store_exports.py::test_numbers_have_no_exponent",),
    },
    "D": {
        "INVALID_FIELD": (f"{READING}::test_a_refused_field_does_not_lose_its_object",),
        "QUERY_TOO_COMPLICATED": (f"{READING}::test_a_query_too_complicated_is_split",),
        "900 long fields": (
            "unit/backup/test_plan.py::test_a_query_too_long_for_an_address_goes_by_bulk",
            "faults/test_wide_objects.py::test_a_query_too_long_for_an_address",
            "faults/test_wide_objects.py::test_a_query_longer_than_queries_may_be",
        ),
        "neither sortable": (
            f"{READING}::test_what_describe_says_is_in_the_plan",
            "unit/backup/test_readers.py::test_ids_that_cannot_be_sorted_go_by_a_cursor",
        ),
        "by a **single** Id": (
            f"{READING}::test_objects_of_shared_ids_and_hard_queries_are_whole",
            "faults/test_lean_orgs.py::test_votes_are_read_by_the_types_of_their_parents",
        ),
        "InternalServerError": (f"{READING}::test_one_new_bulk_job_after_an_internal_error",),
    },
    "E": {
        "number to text": ("unit/store/test_retyped.py::test_number_to_text_and_back",),
        "no `Interval` field": (
            "contracts/test_usage_history.py::test_with_the_event_log_each_hour_is_exact",
        ),
        "all objects of a snapshot are empty": (
            "unit/store/test_store_exports.py::test_an_empty_object_is_an_empty_file",
        ),
        "API Usage Last 7 Days": (
            "contracts/test_usage_history.py::test_the_usage_report_wants_permissions",
        ),
        "registered no more": (
            "unit/store/test_stored_orgs.py::test_every_reading_command_works_from_the_store_alone",
        ),
    },
    "F": {
        "over its line when `sfnb run": (
            "contracts/test_cli_run.py::test_make_demo_pauses_and_resumes_in_sight",
        ),
        "`make demo` on a busy": (f"{RUN}::test_make_demo_pauses_and_resumes_in_sight",),
        "cp1252": (f"{OUTPUT}::test_a_letter_that_the_terminal_lacks_does_not_end_a_job",),
        "four `org add`": ("faults/test_registrations.py::test_no_registration_is_lost",),
        "`demo start` twice": (
            "faults/test_registrations.py::test_two_demo_orgs_that_start_at_once_are_one",
        ),
        "several threads": (
            f"{BOUNDS}::test_another_threads_lost_answer_is_no_quota_pause",
            f"{TRANSPORT}::test_a_dead_session_is_renewed_once_for_all",
        ),
        "kernel of a notebook": (f"{RUN}::test_a_killed_kernel_is_one_sentence",),
        "clock put back": (
            "faults/test_clock_back.py::test_a_job_paused_by_a_later_clock_is_resumed",
        ),
        "stopped process wakes": (
            "faults/test_stopped_process.py::test_a_process_that_lost_its_job_writes_nothing",
        ),
        "a file mode": (
            "unit/store/test_store_modes.py::test_folders_are_0700_and_files_0600",
            "faults/test_registrations.py::test_only_its_user_may_read_a_home",
        ),
        "`sfnb dashboard`": (
            "unit/dashboard/test_server.py::test_without_the_key_nothing_is_served",
            "unit/dashboard/test_server.py::test_another_host_is_refused",
        ),
        "redirect to another host": (f"{BOUNDS}::test_a_redirect_to_another_host_goes_nowhere",),
        "ANSI escapes": (
            f"{BOUNDS}::test_an_orgs_message_obeys_no_terminal",
            f"{OUTPUT}::test_an_org_cannot_write_on_the_terminal",
        ),
        "`manifest.json` deleted": (
            "faults/test_store_damage.py::test_every_file_deleted_or_cut_is_found",
            "faults/test_store_damage.py::test_every_exchange_is_found",
            "faults/test_store_damage.py::test_every_action_of_a_commit_counts",
            "unit/store/test_verify_state.py::test_what_the_jobs_know_is_missed",
        ),
        "five `resume --all": (
            "contracts/test_gate_lag.py::test_five_starting_jobs_look_once_above_the_line",
        ),
        "result page of 300 MB": (
            f"{BOUNDS}::test_an_answer_without_an_end_is_cut_off",
            f"{BOUNDS}::test_a_gzip_bomb_is_noticed_while_it_unfolds",
        ),
    },
}
"""By table and row: the tests."""
