-- What a function was made with, so that the same request makes no second one.
ALTER TABLE function ADD COLUMN idempotency_key TEXT;
ALTER TABLE function ADD COLUMN idempotency_digest BLOB;
CREATE UNIQUE INDEX function_by_key ON function (tenant, idempotency_key) WHERE idempotency_key IS NOT NULL;
