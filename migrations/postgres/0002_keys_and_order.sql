-- A creator's key is found where the approval was archived, too.
CREATE INDEX approval_archive_key ON approval_archive (tenant_id, created_by, key_hash);

-- Which version of its approval a delivery tells of: they go in that order, whatever clocks made their ids.
ALTER TABLE delivery ADD COLUMN approval_version BIGINT NOT NULL DEFAULT 0;
