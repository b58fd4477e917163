-- Approvals, their history, and what is to be told of them. Times are microseconds since 1970, UTC.

CREATE TABLE store_meta (
    name  TEXT   NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
-- A restore raises it: what was created in an earlier epoch is expired.
INSERT INTO store_meta (name, value) VALUES ('epoch', 1);

CREATE TABLE approval (
    id                TEXT   NOT NULL PRIMARY KEY,
    tenant_id         TEXT   NOT NULL,
    version           BIGINT NOT NULL,
    status            TEXT   NOT NULL,
    target_kind       TEXT   NOT NULL,
    target_hash       TEXT   NOT NULL,
    tier              BIGINT NOT NULL,
    required_level    BIGINT NOT NULL,
    snapshot          TEXT   NOT NULL,
    policy            TEXT   NOT NULL,
    requested_by      TEXT   NOT NULL,
    on_behalf_of      TEXT   NOT NULL,
    created_by        TEXT   NOT NULL,
    justification     TEXT   NOT NULL,
    cost_cents        BIGINT,
    correlation_id    TEXT   NOT NULL,
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL,
    escalates_at      BIGINT,
    expires_at        BIGINT NOT NULL,
    resolved_at       BIGINT,
    consumed_at       BIGINT,
    token_hash        BYTEA  NOT NULL,
    key_hash          BYTEA  NOT NULL,
    body_hash         BYTEA  NOT NULL,
    epoch             BIGINT NOT NULL,
    webhook_endpoints TEXT   NOT NULL,
    progress          TEXT   NOT NULL,
    -- Until then a worker has it.
    claimed_until     BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX approval_token ON approval (token_hash);
CREATE UNIQUE INDEX approval_key ON approval (tenant_id, created_by, key_hash);
CREATE INDEX approval_newest ON approval (tenant_id, created_at, id);
CREATE INDEX approval_open ON approval (tenant_id, created_by) WHERE status IN ('PENDING', 'ESCALATED');
CREATE INDEX approval_escalation ON approval (escalates_at) WHERE status = 'PENDING' AND escalates_at IS NOT NULL;
CREATE INDEX approval_expiry ON approval (expires_at) WHERE status IN ('PENDING', 'ESCALATED', 'APPROVED', 'AUTO_APPROVED');
CREATE INDEX approval_epoch ON approval (epoch) WHERE status IN ('PENDING', 'ESCALATED', 'APPROVED', 'AUTO_APPROVED');
CREATE INDEX approval_final ON approval (updated_at) WHERE status IN ('REJECTED', 'CONSUMED', 'EXPIRED', 'CANCELLED');

-- Large and never changed, so that a change of the approval does not write it again.
CREATE TABLE approval_target (
    approval_id TEXT NOT NULL PRIMARY KEY,
    target      BYTEA NOT NULL,
    view        BYTEA NOT NULL
);

-- Where final approvals go when they are old.
CREATE TABLE approval_archive (
    id                TEXT   NOT NULL PRIMARY KEY,
    tenant_id         TEXT   NOT NULL,
    version           BIGINT NOT NULL,
    status            TEXT   NOT NULL,
    target_kind       TEXT   NOT NULL,
    target_hash       TEXT   NOT NULL,
    tier              BIGINT NOT NULL,
    required_level    BIGINT NOT NULL,
    snapshot          TEXT   NOT NULL,
    policy            TEXT   NOT NULL,
    requested_by      TEXT   NOT NULL,
    on_behalf_of      TEXT   NOT NULL,
    created_by        TEXT   NOT NULL,
    justification     TEXT   NOT NULL,
    cost_cents        BIGINT,
    correlation_id    TEXT   NOT NULL,
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL,
    escalates_at      BIGINT,
    expires_at        BIGINT NOT NULL,
    resolved_at       BIGINT,
    consumed_at       BIGINT,
    token_hash        BYTEA  NOT NULL,
    key_hash          BYTEA  NOT NULL,
    body_hash         BYTEA  NOT NULL,
    epoch             BIGINT NOT NULL,
    webhook_endpoints TEXT   NOT NULL,
    progress          TEXT   NOT NULL
);
CREATE INDEX approval_archive_token ON approval_archive (token_hash);
CREATE INDEX approval_archive_newest ON approval_archive (tenant_id, created_at, id);

CREATE TABLE approval_history (
    approval_id TEXT   NOT NULL,
    version     BIGINT NOT NULL,
    tenant_id   TEXT   NOT NULL,
    from_status TEXT,
    to_status   TEXT   NOT NULL,
    actor       TEXT   NOT NULL,
    reason      TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    PRIMARY KEY (approval_id, version)
);
CREATE INDEX approval_history_newest ON approval_history (tenant_id, at, approval_id, version);
CREATE INDEX approval_history_actor ON approval_history (tenant_id, actor, at);

-- Who approved or rejected what.
CREATE TABLE approval_voter (
    approval_id TEXT NOT NULL,
    principal   TEXT NOT NULL,
    PRIMARY KEY (approval_id, principal)
);

-- Events that wait for the journal.
CREATE TABLE outbox (
    position       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id             TEXT   NOT NULL UNIQUE,
    kind           TEXT   NOT NULL,
    tenant_id      TEXT   NOT NULL,
    actor          TEXT   NOT NULL,
    correlation_id TEXT   NOT NULL,
    snapshot       TEXT   NOT NULL,
    at             BIGINT NOT NULL,
    payload        TEXT   NOT NULL,
    -- The instance that journals it, how far its journal was then, and until when nobody else may.
    owner          TEXT,
    after_sequence BIGINT NOT NULL DEFAULT 0,
    claimed_until  BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE delivery (
    id            TEXT   NOT NULL PRIMARY KEY,
    endpoint      TEXT   NOT NULL,
    tenant_id     TEXT   NOT NULL,
    approval_id   TEXT   NOT NULL,
    event_id      TEXT   NOT NULL,
    event_type    TEXT   NOT NULL,
    payload       BYTEA  NOT NULL,
    state         TEXT   NOT NULL,
    attempts      BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    next_at       BIGINT NOT NULL,
    attempted_at  BIGINT,
    last_status   BIGINT,
    last_error    TEXT   NOT NULL,
    claimed_until BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX delivery_due ON delivery (endpoint, next_at) WHERE state = 'PENDING';
CREATE INDEX delivery_done ON delivery (attempted_at) WHERE state = 'DELIVERED';
CREATE INDEX delivery_dead ON delivery (id) WHERE state = 'DEAD';
CREATE INDEX delivery_approval ON delivery (approval_id, endpoint, state);
