-- How webhooks are told: several events in one request, and in whose form.

-- batch: {maxEvents, maxWaitMs}.
ALTER TABLE webhooks
    ADD COLUMN batch jsonb,
    ADD COLUMN format text NOT NULL DEFAULT 'terzetto' CHECK (format IN ('terzetto', 'waha'));
