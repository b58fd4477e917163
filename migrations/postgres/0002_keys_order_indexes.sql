-- A creator's key is found where the approval was archived, too.
CREATE INDEX approval_archive_key ON approval_archive (tenant_id, created_by, key_hash);

-- Which version of its approval a delivery tells of: they go in that order, whatever clocks made their ids.
ALTER TABLE delivery ADD COLUMN approval_version BIGINT NOT NULL DEFAULT 0;

-- Conditions written out: SQLite would make a table of each list of more than two, with each change of a row. One index for
-- what expires by its time and by its epoch.
DROP INDEX approval_expiry;
DROP INDEX approval_epoch;
DROP INDEX approval_final;
CREATE INDEX approval_expiry ON approval (epoch, expires_at)
    WHERE status = 'PENDING' OR status = 'ESCALATED' OR status = 'APPROVED' OR status = 'AUTO_APPROVED';
CREATE INDEX approval_final ON approval (updated_at)
    WHERE status = 'REJECTED' OR status = 'CONSUMED' OR status = 'EXPIRED' OR status = 'CANCELLED';
