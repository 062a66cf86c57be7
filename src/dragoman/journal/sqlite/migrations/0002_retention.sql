-- Retention: closed cases go to an archive file, and the sums of the outbox still add up.

ALTER TABLE targets ADD COLUMN archived_delivered INTEGER NOT NULL DEFAULT 0;
ALTER TABLE targets ADD COLUMN archived_failed INTEGER NOT NULL DEFAULT 0;

CREATE INDEX cases_closed ON cases (since) WHERE state = 'closed';
CREATE INDEX deliveries_alone ON deliveries (ended_at)
WHERE case_id = '' AND state IN ('delivered', 'failed');
