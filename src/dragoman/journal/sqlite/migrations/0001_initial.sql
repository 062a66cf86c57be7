-- The first layout. Bodies are the domain's values as JSON (UTF-8); columns exist only for what
-- is looked up. `n` numbers the rows of a table in the order of their creation.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- What happened. Append-only and gapless: the triggers below hold it, whoever writes.
CREATE TABLE entries (
    seq      INTEGER PRIMARY KEY,
    at       TEXT NOT NULL,
    action   TEXT NOT NULL,
    case_id  TEXT NOT NULL,
    order_id TEXT NOT NULL,
    robot_id TEXT NOT NULL,
    desk     TEXT NOT NULL,
    body     TEXT NOT NULL
);
CREATE INDEX entries_action ON entries (action);
CREATE INDEX entries_case ON entries (case_id) WHERE case_id <> '';
CREATE INDEX entries_order ON entries (order_id) WHERE order_id <> '';
CREATE INDEX entries_robot ON entries (robot_id) WHERE robot_id <> '';

CREATE TRIGGER entries_gapless BEFORE INSERT ON entries
WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM entries)
BEGIN
    SELECT RAISE(ABORT, 'entries are gapless: seq must follow the last one');
END;
CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries
BEGIN
    SELECT RAISE(ABORT, 'entries are append-only: no update');
END;
CREATE TRIGGER entries_no_delete BEFORE DELETE ON entries
BEGIN
    SELECT RAISE(ABORT, 'entries are append-only: no delete');
END;

CREATE TABLE cases (
    n           INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    desk        TEXT NOT NULL,
    external_id TEXT NOT NULL,
    number      TEXT NOT NULL,
    kind        TEXT NOT NULL,
    order_id    TEXT NOT NULL,
    received_at TEXT NOT NULL,
    state       TEXT NOT NULL,
    since       TEXT NOT NULL,
    due_at      TEXT,
    body        TEXT NOT NULL
);
CREATE INDEX cases_key ON cases (desk, external_id);
CREATE INDEX cases_number ON cases (number);
CREATE INDEX cases_state ON cases (state);
CREATE INDEX cases_due ON cases (due_at) WHERE due_at IS NOT NULL;

-- Every deadline of every case. A view, so that it can't differ from the cases.
CREATE VIEW due AS
SELECT id AS case_id, due_at, state FROM cases WHERE due_at IS NOT NULL;

-- Which task was whose work: desk's record, case, attempt, order, robot, and when.
CREATE TABLE assignments (
    n           INTEGER PRIMARY KEY,
    order_id    TEXT NOT NULL UNIQUE,
    case_id     TEXT NOT NULL,
    desk        TEXT NOT NULL,
    external_id TEXT NOT NULL,
    attempt     INTEGER NOT NULL,
    robot_id    TEXT NOT NULL,
    assigned_at TEXT NOT NULL,
    state       TEXT NOT NULL,
    sent_at     TEXT,
    accepted_at TEXT,
    started_at  TEXT,
    ended_at    TEXT,
    body        TEXT NOT NULL
);
CREATE INDEX assignments_case ON assignments (case_id);
CREATE INDEX assignments_key ON assignments (desk, external_id);
CREATE INDEX assignments_robot ON assignments (robot_id);
CREATE INDEX assignments_state ON assignments (state);

CREATE TABLE robots (
    n     INTEGER PRIMARY KEY,
    id    TEXT NOT NULL UNIQUE,
    fleet TEXT NOT NULL,
    bound TEXT NOT NULL,
    body  TEXT NOT NULL
);

-- The last state of each robot that was worth keeping.
CREATE TABLE reports (
    robot_id    TEXT PRIMARY KEY,
    received_at TEXT NOT NULL,
    body        TEXT NOT NULL
) WITHOUT ROWID;

-- The outbox.
CREATE TABLE deliveries (
    n          INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    target     TEXT NOT NULL,
    lane       TEXT NOT NULL,
    case_id    TEXT NOT NULL,
    order_id   TEXT NOT NULL,
    created_at TEXT NOT NULL,
    state      TEXT NOT NULL,
    ended_at   TEXT,
    body       TEXT NOT NULL
);
CREATE INDEX deliveries_state ON deliveries (state, target);
CREATE INDEX deliveries_case ON deliveries (case_id) WHERE case_id <> '';
CREATE INDEX deliveries_order ON deliveries (order_id) WHERE order_id <> '';

-- How many deliveries each target ever got. Counted at insertion and never from the rows, so
-- that the sum of the rows proves that none was lost.
CREATE TABLE targets (
    target  TEXT PRIMARY KEY,
    matched INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TRIGGER deliveries_matched AFTER INSERT ON deliveries
BEGIN
    INSERT INTO targets (target, matched) VALUES (NEW.target, 1)
    ON CONFLICT (target) DO UPDATE SET matched = matched + 1;
END;

CREATE TABLE faults (
    id       TEXT PRIMARY KEY,
    robot_id TEXT NOT NULL,
    settled  INTEGER NOT NULL,
    body     TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX faults_open ON faults (id) WHERE settled = 0;

-- How far each desk's feed of changes was read.
CREATE TABLE cursors (
    desk   TEXT PRIMARY KEY,
    cursor TEXT NOT NULL
) WITHOUT ROWID;

-- Ids of webhook calls, so that a repeated one has no effect.
CREATE TABLE seen (
    id    TEXT PRIMARY KEY,
    until TEXT NOT NULL
) WITHOUT ROWID;
