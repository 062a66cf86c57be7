-- What retention moves to an archive file (archive.py), by name. A chunk has to cost the same
-- however large the journal is, so no statement may read a whole table, nor all rows of a state:
-- hence the named indices, the `case_id <> ''` (without it the index on it, which has no row
-- without a case, isn't used), and the `+`, which keeps an index from being used.

-- name: closed_cases
SELECT c.id FROM cases AS c INDEXED BY cases_closed
WHERE c.state = 'closed' AND c.since < ?1
  AND NOT EXISTS (SELECT 1 FROM deliveries AS d
                  WHERE d.case_id = c.id AND d.case_id <> ''
                    AND d.state NOT IN ('delivered', 'failed'))
  AND NOT EXISTS (SELECT 1 FROM assignments AS a
                  WHERE a.case_id = c.id AND a.state IN (SELECT value FROM json_each(?2)))
ORDER BY c.since LIMIT ?3;

-- name: deliveries_of_cases
SELECT id FROM deliveries
WHERE case_id IN (SELECT value FROM json_each(?1)) AND case_id <> '' ORDER BY n;

-- name: lone_deliveries
SELECT id FROM deliveries INDEXED BY deliveries_alone
WHERE case_id = '' AND state IN ('delivered', 'failed') AND ended_at < ?1
ORDER BY ended_at LIMIT ?2;

-- name: bodies
SELECT 'case', body FROM cases WHERE id IN (SELECT value FROM json_each(?1))
UNION ALL
SELECT 'assignment', body FROM assignments WHERE case_id IN (SELECT value FROM json_each(?1))
UNION ALL
SELECT 'delivery', body FROM deliveries WHERE id IN (SELECT value FROM json_each(?2));

-- name: remember_cases
INSERT INTO past_cases (desk, external_id, case_id, body)
SELECT desk, external_id, id,
       json_object('desk', desk, 'external_id', external_id, 'case_id', id, 'number', number,
                   'outcome', json_extract(body, '$.outcome'),
                   'version', json_extract(body, '$.version'),
                   'desk_updated_at', json_extract(body, '$.desk_updated_at'))
FROM cases WHERE id IN (SELECT value FROM json_each(?1)) ORDER BY n
ON CONFLICT (desk, external_id) DO UPDATE SET case_id = excluded.case_id, body = excluded.body;

-- name: count_archived
UPDATE targets SET
    archived_delivered = archived_delivered
        + (SELECT count(*) FROM deliveries AS d WHERE +d.target = targets.target
           AND +d.state = 'delivered' AND d.id IN (SELECT value FROM json_each(?1))),
    archived_failed = archived_failed
        + (SELECT count(*) FROM deliveries AS d WHERE +d.target = targets.target
           AND +d.state = 'failed' AND d.id IN (SELECT value FROM json_each(?1)));

-- name: delete_deliveries
DELETE FROM deliveries WHERE id IN (SELECT value FROM json_each(?1));

-- name: delete_assignments
DELETE FROM assignments WHERE case_id IN (SELECT value FROM json_each(?1));

-- name: delete_cases
DELETE FROM cases WHERE id IN (SELECT value FROM json_each(?1));
