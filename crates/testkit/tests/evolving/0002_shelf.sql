-- partie: readable-from 0001
ALTER TABLE items ADD COLUMN shelf TEXT NOT NULL DEFAULT 'by the door';
