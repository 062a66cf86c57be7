-- What stays of a case that retention has moved away, so that its record isn't taken for a new one.

CREATE TABLE past_cases (
    n           INTEGER PRIMARY KEY,
    desk        TEXT NOT NULL,
    external_id TEXT NOT NULL,
    case_id     TEXT NOT NULL,
    body        TEXT NOT NULL
);
CREATE UNIQUE INDEX past_cases_key ON past_cases (desk, external_id);
