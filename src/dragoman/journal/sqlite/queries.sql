-- The statements of the SQLite journal, by name (statements.py reads them).
-- Each put_ statement takes all rows of one table and transaction as one JSON array (?1), so that
-- the interpreter's lock is taken once a statement and not once a row.

-- name: put_entries
INSERT INTO entries (seq, at, action, case_id, order_id, robot_id, desk, body)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
       json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]'),
       json_extract(value, '$[6]'), json_extract(value, '$[7]')
FROM json_each(?1);

-- name: put_cases
INSERT INTO cases (id, desk, external_id, number, kind, order_id, received_at, state, since,
                   due_at, body)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
       json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]'),
       json_extract(value, '$[6]'), json_extract(value, '$[7]'), json_extract(value, '$[8]'),
       json_extract(value, '$[9]'), json_extract(value, '$[10]')
FROM json_each(?1) WHERE true
ON CONFLICT (id) DO UPDATE SET
    number = excluded.number, kind = excluded.kind, order_id = excluded.order_id,
    state = excluded.state, since = excluded.since, due_at = excluded.due_at,
    body = excluded.body;

-- name: put_assignments
INSERT INTO assignments (order_id, case_id, desk, external_id, attempt, robot_id, assigned_at,
                         state, sent_at, accepted_at, started_at, ended_at, body)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
       json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]'),
       json_extract(value, '$[6]'), json_extract(value, '$[7]'), json_extract(value, '$[8]'),
       json_extract(value, '$[9]'), json_extract(value, '$[10]'), json_extract(value, '$[11]'),
       json_extract(value, '$[12]')
FROM json_each(?1) WHERE true
ON CONFLICT (order_id) DO UPDATE SET
    state = excluded.state, sent_at = excluded.sent_at, accepted_at = excluded.accepted_at,
    started_at = excluded.started_at, ended_at = excluded.ended_at, body = excluded.body;

-- name: put_robots
INSERT INTO robots (id, fleet, bound, body)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
       json_extract(value, '$[3]')
FROM json_each(?1) WHERE true
ON CONFLICT (id) DO UPDATE SET
    fleet = excluded.fleet, bound = excluded.bound, body = excluded.body;

-- name: put_reports
INSERT INTO reports (robot_id, received_at, body)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')
FROM json_each(?1) WHERE true
ON CONFLICT (robot_id) DO UPDATE SET received_at = excluded.received_at, body = excluded.body;

-- name: put_deliveries
INSERT INTO deliveries (id, target, lane, case_id, order_id, created_at, state, ended_at, body)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
       json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]'),
       json_extract(value, '$[6]'), json_extract(value, '$[7]'), json_extract(value, '$[8]')
FROM json_each(?1) WHERE true
ON CONFLICT (id) DO UPDATE SET
    state = excluded.state, ended_at = excluded.ended_at, body = excluded.body;

-- name: put_faults
INSERT INTO faults (id, robot_id, settled, body)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
       json_extract(value, '$[3]')
FROM json_each(?1) WHERE true
ON CONFLICT (id) DO UPDATE SET settled = excluded.settled, body = excluded.body;

-- name: put_cursors
INSERT INTO cursors (desk, cursor)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?1) WHERE true
ON CONFLICT (desk) DO UPDATE SET cursor = excluded.cursor;

-- name: put_seen
INSERT INTO seen (id, until)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?1) WHERE true
ON CONFLICT (id) DO UPDATE SET until = excluded.until;

-- name: forget_seen
DELETE FROM seen WHERE until < ?1;

-- name: probe
INSERT INTO meta (key, value) VALUES ('probe', ?1)
ON CONFLICT (key) DO UPDATE SET value = excluded.value;

-- name: site
SELECT value FROM meta WHERE key = 'site';

-- name: missing_entries
SELECT coalesce(max(seq), 0) - count(*) FROM entries;

-- name: count_cases
SELECT state, count(*) FROM cases GROUP BY state;

-- name: last_seq
SELECT coalesce(max(seq), 0) FROM entries;

-- name: load_cases
SELECT body FROM cases WHERE state IN (SELECT value FROM json_each(?1)) ORDER BY n;

-- name: load_assignments
SELECT body FROM assignments WHERE state IN (SELECT value FROM json_each(?1))
UNION
SELECT a.body FROM cases AS c JOIN assignments AS a ON a.order_id = c.order_id
WHERE c.state IN (SELECT value FROM json_each(?2)) AND c.order_id <> '';

-- name: load_robots
SELECT body FROM robots ORDER BY n;

-- name: load_reports
SELECT body FROM reports;

-- name: load_deliveries
SELECT body FROM deliveries WHERE state IN (SELECT value FROM json_each(?1)) ORDER BY n;

-- name: load_faults
SELECT body FROM faults WHERE settled = 0;

-- name: load_cursors
SELECT desk, cursor FROM cursors;

-- name: load_seen
SELECT id, until FROM seen WHERE until >= ?1;

-- name: tallies
SELECT t.target, t.matched,
       t.archived_delivered + (SELECT count(*) FROM deliveries AS d
                               WHERE d.state = 'delivered' AND d.target = t.target),
       t.archived_failed + (SELECT count(*) FROM deliveries AS d
                            WHERE d.state = 'failed' AND d.target = t.target),
       (SELECT count(*) FROM deliveries AS d WHERE d.state = 'in_flight' AND d.target = t.target),
       (SELECT count(*) FROM deliveries AS d WHERE d.state = 'queued' AND d.target = t.target),
       (SELECT count(*) FROM deliveries AS d WHERE d.state = 'dead' AND d.target = t.target)
FROM targets AS t ORDER BY t.target;
