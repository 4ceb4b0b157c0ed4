"""Faults that were found and are not mended yet: each test fails until its fault is gone."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from soc import plugins
from soc.respond.check import check
from soc.respond.playbook import OnSchedule

ACTIONS: dict[str, Any] = plugins.load("soc.actions")
READS_WHAT_MAY_BE_SKIPPED = """\
schema: commonwatch.playbook/1
playbook: reads-what-may-be-skipped
version: 1
title: Read a step of a group that was skipped
description: The group has a when, so the step inside it may never have begun.
owner: role:security
status: test
created: 2026-11-26
reviewed: 2026-11-26
references: [https://attack.mitre.org/]
on: {incident: {rules: [qf-common-funder]}}
steps:
  - id: group
    when: ${{ incident.wallets | length > 0 }}
    do:
      - {id: decide, approval: {ask: "?", approvers: [role:approver]}}
  - id: note
    use: incident.note
    with: {text: "${{ steps.decide.state | default('nobody was asked') }}"}
"""


# FOUND: a step inside a group that is skipped is not in `steps` at all, so reading anything of it
# fails the run, even under `default`; `soc playbooks check` says that it is there. Either check
# names it, or a skipped group writes its inner steps as skipped.
@pytest.mark.xfail(strict=True, reason="check takes steps of a group with when for ended")
def test_a_step_that_may_be_skipped_with_its_group_is_not_taken_for_ended(tmp_path: Path) -> None:
    path = tmp_path / "reads-what-may-be-skipped.yml"
    path.write_text(READS_WHAT_MAY_BE_SKIPPED)

    assert [problem.message for problem in check([path], ACTIONS)] != []


# FOUND: ZoneInfo raises ZoneInfoNotFoundError, a KeyError, for most zones that do not exist;
# OnSchedule catches ValueError and OSError alone. tests/web/test_fuzz.py meets it, too, since a
# packaged playbook has a tz.
@pytest.mark.xfail(strict=True, raises=KeyError, reason="a KeyError escapes from OnSchedule")
def test_a_zone_that_does_not_exist_is_a_mistake_with_a_hint() -> None:
    with pytest.raises(ValidationError, match="no zone"):
        OnSchedule(every="1h", tz="x: y")  # type: ignore[arg-type]
