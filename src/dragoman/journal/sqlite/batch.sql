-- How the writer writes: each transaction is one row for this view, and so one statement.
-- A column per table holds the rows as one JSON array of arrays; the trigger spreads them out.
-- One statement, because a thread that comes back from SQLite has to wait for the interpreter's
-- lock, and a busy event loop lets it wait long (docs/adr/0006-the-writer-of-the-journal.md).

CREATE TEMP VIEW batch AS
SELECT '[]' AS entries, '[]' AS cases, '[]' AS assignments, '[]' AS robots, '[]' AS reports,
       '[]' AS deliveries, '[]' AS faults, '[]' AS cursors, '[]' AS seen, '' AS forget_before;

CREATE TEMP TRIGGER batch_write INSTEAD OF INSERT ON batch
BEGIN
    INSERT INTO entries (seq, at, action, case_id, order_id, robot_id, desk, body)
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
           json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]'),
           json_extract(value, '$[6]'), json_extract(value, '$[7]')
    FROM json_each(NEW.entries);

    INSERT INTO cases (id, desk, external_id, number, kind, order_id, received_at, state, since,
                       due_at, body)
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
           json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]'),
           json_extract(value, '$[6]'), json_extract(value, '$[7]'), json_extract(value, '$[8]'),
           json_extract(value, '$[9]'), json_extract(value, '$[10]')
    FROM json_each(NEW.cases) WHERE true
    ON CONFLICT (id) DO UPDATE SET
        number = excluded.number, kind = excluded.kind, order_id = excluded.order_id,
        state = excluded.state, since = excluded.since, due_at = excluded.due_at,
        body = excluded.body;

    INSERT INTO assignments (order_id, case_id, desk, external_id, attempt, robot_id, assigned_at,
                             state, sent_at, accepted_at, started_at, ended_at, body)
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
           json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]'),
           json_extract(value, '$[6]'), json_extract(value, '$[7]'), json_extract(value, '$[8]'),
           json_extract(value, '$[9]'), json_extract(value, '$[10]'), json_extract(value, '$[11]'),
           json_extract(value, '$[12]')
    FROM json_each(NEW.assignments) WHERE true
    ON CONFLICT (order_id) DO UPDATE SET
        state = excluded.state, sent_at = excluded.sent_at, accepted_at = excluded.accepted_at,
        started_at = excluded.started_at, ended_at = excluded.ended_at, body = excluded.body;

    INSERT INTO robots (id, fleet, bound, body)
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
           json_extract(value, '$[3]')
    FROM json_each(NEW.robots) WHERE true
    ON CONFLICT (id) DO UPDATE SET
        fleet = excluded.fleet, bound = excluded.bound, body = excluded.body;

    INSERT INTO reports (robot_id, received_at, body)
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')
    FROM json_each(NEW.reports) WHERE true
    ON CONFLICT (robot_id) DO UPDATE SET received_at = excluded.received_at, body = excluded.body;

    INSERT INTO deliveries (id, target, lane, case_id, order_id, created_at, state, ended_at, body)
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
           json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]'),
           json_extract(value, '$[6]'), json_extract(value, '$[7]'), json_extract(value, '$[8]')
    FROM json_each(NEW.deliveries) WHERE true
    ON CONFLICT (id) DO UPDATE SET
        state = excluded.state, ended_at = excluded.ended_at, body = excluded.body;

    INSERT INTO faults (id, robot_id, settled, body)
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
           json_extract(value, '$[3]')
    FROM json_each(NEW.faults) WHERE true
    ON CONFLICT (id) DO UPDATE SET settled = excluded.settled, body = excluded.body;

    INSERT INTO cursors (desk, cursor)
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(NEW.cursors) WHERE true
    ON CONFLICT (desk) DO UPDATE SET cursor = excluded.cursor;

    INSERT INTO seen (id, until)
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(NEW.seen) WHERE true
    ON CONFLICT (id) DO UPDATE SET until = excluded.until;

    DELETE FROM seen WHERE until < NEW.forget_before;
END;
