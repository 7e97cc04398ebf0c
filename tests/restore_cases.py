"""
Which test holds each condition of restores, archives and deletions (``shared/field-cases-restore.md``).

As in ``field_cases.py``; a row without a test is one that no test holds yet.
"""

from __future__ import annotations

RESTORE = "faults/test_restore.py"
AROUND = "faults/test_restore_around.py"
AUTOMATION = "faults/test_restore_automation.py"
BULK = "faults/test_restore_bulk.py"
COMPANIONS = "faults/test_restore_companions.py"
FILES = "faults/test_restore_files.py"
LOST = "faults/test_restore_lost_parents.py"
ROADS = "faults/test_restore_roads.py"
RULES = "unit/restore/test_standard_rules.py"
ORDER = "unit/restore/test_order.py"
PLAN = "contracts/test_restore_plan.py"
PROOF = "contracts/test_restore_proof.py"
DEMO = "contracts/test_demo_writing_rules.py"
ARCHIVE = "contracts/test_archive.py"
HOSTILE = "contracts/test_archive_hostile.py"
TABLE = "faults/test_restore_write_faults.py::test_a_fault_at_a_write"
THOUSAND = "faults/test_restore_trouble.py::test_a_thousand_rows_that_are_locked_or_refused"
CAMPAIGN = "faults/test_restore_campaign.py::test_difference_is_nothing_on_restorable_fields"
STAYS = f"{ARCHIVE}::test_what_has_to_stay_stays_whole_and_is_named"

CASES: dict[str, dict[str, tuple[str, ...]]] = {
    "A": {
        "A detail was deleted first": (
            f"{RESTORE}::test_a_refused_undelete_becomes_an_insert_in_the_same_run",
            f"{DEMO}::test_what_left_the_bin_fills_no_lookup_again",
        ),
        "Details that went with their master": (
            f"{PLAN}::test_what_comes_back_with_its_parent_is_planned_and_not_sent",
            f"{RESTORE}::test_children_that_take_no_undelete_come_back_once",
        ),
        "Undelete gives back only some lookups": (
            f"{PLAN}::test_a_lookup_that_the_org_emptied_is_filled",
            f"{COMPANIONS}::test_a_lookup_leads_again_to_what_came_back_with_another_record",
        ),
    },
    "B": {
        "Insert with the self-reference empty": (
            f"{ORDER}::test_only_true_circles_are_cut",
            f"{PLAN}::test_rows_of_one_object_are_made_level_by_level",
        ),
        "Cycle of two objects": (f"{ORDER}::test_a_circle_is_refused_only_without_a_cut",),
        "Parents matched by Name": (
            f"{PLAN}::test_a_second_restore_makes_nothing_again",
            f"{PLAN}::test_a_child_finds_the_parent_that_was_made_again",
        ),
        "A polymorphic field": (CAMPAIGN,),
        "A queue and a public group": (f"{RULES}::test_a_queue_and_a_group_of_one_name_are_two",),
        "Record type not mapped": (
            f"{PLAN}::test_another_org",
            f"{DEMO}::test_record_types_are_given_by_profile",
        ),
    },
    "C": {
        "Contact.AccountId makes": (
            f"{COMPANIONS}::test_what_the_org_makes_by_itself_is_found_and_put_right",
        ),
        "Person accounts": (
            f"{COMPANIONS}::test_what_the_org_makes_by_itself_is_found_and_put_right",
            f"{RULES}::test_a_person_has_two_names_and_a_business_one",
        ),
        "PricebookEntry": (
            f"{COMPANIONS}::test_what_the_org_makes_by_itself_is_found_and_put_right",
        ),
        "activated order": (f"{PLAN}::test_an_order_is_activated_last",),
        "An event with user invitees": (f"{DEMO}::test_invited_users_get_child_events",),
        "once in a campaign": (
            f"{COMPANIONS}::test_what_the_org_makes_by_itself_is_found_and_put_right",
        ),
        "Writing OwnerId of an Account": (
            "faults/test_restore_teams.py::test_a_team_that_an_owner_change_takes_away_is_named",
            f"{DEMO}::test_another_owner_loses_the_account_team",
        ),
        "EmailMessage: updatable only while Draft": (
            f"{COMPANIONS}::test_emails_come_back_with_relations_files_and_one_task",
            f"{COMPANIONS}::test_a_living_task_of_an_email_that_is_made_anew_is_named",
        ),
        "Nulling a JunctionIdList": (f"{RULES}::test_no_list_of_junctions_is_ever_sent",),
        "Line item with UnitPrice": (
            f"{RULES}::test_a_line_has_a_price_or_a_total",
            f"{RULES}::test_an_amount_that_is_a_sum_is_not_written",
        ),
        "Converted leads": (
            f"{RULES}::test_a_lead_is_converted_only_with_both_dates",
            f"{DEMO}::test_converted_leads_are_history",
        ),
        "Feed: tracked changes": (f"{RULES}::test_nobodys_words_are_put_into_anothers_mouth",),
        "Setup and data objects": (f"{DEMO}::test_setup_objects_and_others_in_one_transaction",),
    },
    "D": {
        "The same restore by REST": (
            f"{ROADS}::test_null_absent_and_text_mean_the_same_by_each_road",
            "unit/restore/test_changes.py::test_null_is_sent_only_where_the_org_would_fill_in",
        ),
        "Date fields move by a day": (f"{ROADS}::test_a_day_stays_that_day_in_each_time_zone",),
        "Restricted picklist": (
            f"{COMPANIONS}::test_a_value_that_the_record_type_does_not_allow_is_named_beforehand",
            "unit/restore/test_changes.py::test_bits_of_a_dependent_picklist",
        ),
        "Audit fields are right": (
            f"{PROOF}::test_each_difference_is_named_with_both_values",
            "contracts/test_demo_writing.py::test_audit_fields_where_they_are_enabled",
        ),
        "State and country picklists": (
            "unit/restore/test_room_and_addresses.py::"
            "test_a_state_goes_with_its_country_and_without_its_name",
        ),
    },
    "E": {
        "The answer to an insert is lost": (
            f"{RESTORE}::test_a_lost_answer_is_looked_up",
            f"{RESTORE}::test_a_call_that_is_carried_out_after_it_was_given_up",
            "unit/org/test_writing.py::test_a_lost_answer_is_never_sent_again",
            TABLE,
        ),
        "more than 10 minutes": (f"{BULK}::test_a_job_that_fails_halfway_goes_on_with_the_rest",),
        'taken for "written"': (
            f"{BULK}::test_results_that_are_not_as_they_should_be",
            TABLE,
        ),
        "Bulk 1 gives no Id": (f"{BULK}::test_results_in_any_order_belong_to_their_rows",),
        "The same Id or key twice": (
            "unit/restore/test_written.py::test_written_rows_are_a_mapping_of_what_was_put",
        ),
        "Files split at line breaks": (
            f"{ROADS}::test_null_absent_and_text_mean_the_same_by_each_road",
            THOUSAND,
        ),
    },
    "F": {
        "Children of one parent in parallel": (
            f"{RESTORE}::test_locked_rows_are_sent_later_and_fewer_at_a_time",
            f"{RESTORE}::test_a_row_that_stays_locked_is_refused_alone",
            THOUSAND,
        ),
        "200 rows fail together": (
            f"{RESTORE}::test_limits_of_automation_halve_the_batch",
            THOUSAND,
        ),
    },
    "G": {
        "makes related records": (
            f"{COMPANIONS}::test_what_automation_makes_meanwhile_is_named",
            f"{AROUND}::test_records_come_back_unchanged_by_triggers_flows_and_rules",
        ),
        "cannot be switched off by some products": (
            f"{AUTOMATION}::test_off_and_on_again_leaves_the_org_as_it_was",
            f"{AUTOMATION}::test_killed_at_each_place_everything_comes_back_on",
            f"{AUTOMATION}::test_what_others_changed_meanwhile_stays_and_is_named",
            f"{AROUND}::test_an_org_that_is_away_gets_its_automation_back_when_it_answers",
        ),
        "Mails go out": (f"{AUTOMATION}::test_the_list_names_what_is_active_on_the_objects",),
        "A rule that came after": (
            f"{AUTOMATION}::test_the_list_names_what_is_active_on_the_objects",
            "unit/org/test_writing.py::test_rows_are_done_or_refused_one_by_one",
        ),
    },
    "H": {
        "Several files in one JSON": (f"{FILES}::test_a_large_file_is_sent_in_pieces",),
        "linked to five records": (
            f"{FILES}::test_lost_files_come_back_with_versions_links_and_bytes",
        ),
        "Images in rich text": (
            f"{COMPANIONS}::test_pictures_and_documents_come_back_with_their_bytes",
            f"{PROOF}::test_pictures_in_rich_texts_may_have_other_addresses",
        ),
    },
    "I": {
        "Parent refuses": (STAYS, f"{ARCHIVE}::test_a_refused_record_keeps_its_children"),
        "Cascade takes records": (
            f"{HOSTILE}::test_what_nobody_sees_and_what_cannot_be_noted_stays",
            f"{HOSTILE}::test_a_hold_on_a_grandchild_that_comes_while_it_runs",
        ),
        "Hard delete asked for": (f"{ARCHIVE}::test_hard_deletion_leaves_nothing_in_the_bin",),
        "More rows hang on one parent": (),
        "Lookups of living records": (
            f"{ARCHIVE}::test_a_dry_run_names_the_lookups_that_would_be_emptied",
        ),
        "fills the recycle bin": (),
        "can go but never come back": (STAYS,),
        "ContentDocument refuses deletion": (),
        "ignores the list": (f"{ARCHIVE}::test_who_is_faster_than_the_archive_loses_nothing",),
    },
}
