-- What is over and old enough to go is found without reading what is not.
CREATE INDEX partie_sagas_ended ON partie_sagas (updated_at) WHERE phase IN ('done', 'failed');
CREATE INDEX partie_commands_compensated ON partie_commands (updated_at) WHERE state = 'compensated';
-- Sagas that stand still until somebody helps are few.
CREATE INDEX partie_sagas_parked ON partie_sagas (id) WHERE parked IS NOT NULL;
