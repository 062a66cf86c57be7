"""Names that a mapping reads and that the desk is never asked for."""

from pathlib import Path

import pytest

from dragoman import plugins
from dragoman.config.load import load
from dragoman.config.problems import ConfigInvalid

BASIC = 'auth = { type = "basic", username = "u", password = { env = "X" } }\n'
TOKEN = 'auth = { type = "token", token = { env = "X" } }\n'
SNOW = f'type = "servicenow"\nurl = "http://127.0.0.1:9"\nmapping = "none"\n{BASIC}'
JIRA = f'type = "jira"\nurl = "http://127.0.0.1:9"\nproject = "FM"\nmapping = "none"\n{BASIC}'
FORCE = f'type = "salesforce"\nurl = "http://127.0.0.1:9"\nmapping = "none"\n{TOKEN}'


def problems(folder: Path, table: str, fields: str, read: str) -> list[tuple[str, str, str]]:
    file = folder / "dragoman.toml"
    chosen = f"fields = {fields}\n" if fields else ""
    file.write_text(f'[desks.d]\n{table}{chosen}[desks.d.read]\nkind = {{ const = "a" }}\n{read}')
    try:
        load(file, plugins)
    except ConfigInvalid as error:
        return [(one.field, one.text, one.mend) for one in error.problems]
    return []


@pytest.mark.parametrize(
    ("table", "fields", "read", "name"),
    [
        (SNOW, '["number", "u_bay"]', 'title = "u_bai.value"', "u_bai"),
        (SNOW, '["number"]', "when = \"active.value == 'true'\"", "active"),
        (SNOW, '["number"]', '[desks.d.read.fields]\nbay = "u_bay || `1`"', "u_bay"),
        (JIRA, '["summary"]', 'title = "fields.sumary"', "fields.sumary"),
        (JIRA, '["summary"]', '[desks.d.read.fields]\na = "text.description"', "text.description"),
        (FORCE, '["CaseNumber", "Owner.Name"]', 'title = "Owner.Email"', "Owner.Email"),
        (FORCE, "", 'title = "Bay__c"', "Bay__c"),
    ],
)
def test_a_name_that_is_not_asked_for_is_a_problem(
    tmp_path: Path, table: str, fields: str, read: str, name: str
) -> None:
    ((field, text, mend),) = problems(tmp_path, table, fields, read)
    assert field.startswith("desks.d.read.")
    assert text == f"the desk isn't asked for {name}, so no record has it"
    assert mend.startswith("add it to the setting fields of this desk")
    assert ("did you mean" in mend) is (name in {"u_bai", "fields.sumary"})


@pytest.mark.parametrize(
    ("table", "fields", "read"),
    [
        (SNOW, "", 'title = "u_bay.value"'),
        (SNOW, '["number", "caller_id.name"]', 'title = "\\"caller_id.name\\".value"'),
        (SNOW, '["number"]', 'title = "u_bay || sys_updated_on.value"'),
        (JIRA, '["summary"]', 'number = "key"\ntitle = "fields.summary || fields.status.name"'),
        (FORCE, '["Owner.Name"]', 'title = "Owner.Name"\nnumber = "Id"'),
    ],
)
def test_what_is_asked_for_may_be_read(tmp_path: Path, table: str, fields: str, read: str) -> None:
    assert problems(tmp_path, table, fields, read) == []
