-- The statements of the SQLite journal, by name (statements.py reads them).

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
