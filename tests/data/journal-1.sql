BEGIN TRANSACTION;
CREATE TABLE entries (
	sequence INTEGER NOT NULL, 
	time VARCHAR NOT NULL, 
	kb VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	"key" VARCHAR NOT NULL, 
	payload TEXT NOT NULL, 
	previous VARCHAR NOT NULL, 
	digest VARCHAR NOT NULL, 
	PRIMARY KEY (sequence)
);
INSERT INTO "entries" VALUES(1,'2026-03-01T12:00:00+00:00','docs','release','18178f0cfeeb2168','{"kind": "first", "reason": "first release", "release": {"adapter_digest": "", "base": "package:base", "base_digest": "b", "content_digest": "c1", "embedder": "e", "kb": "docs", "model_name": "driftline-docs", "model_version": 1, "prompt_digest": "p", "snapshot": "docs@1", "trained_on": "docs@1"}}','','332c410536515dfcdbe4225f48a3d0a05d660b900466a8303d9efa136b12ac96');
CREATE TABLE format (
	version INTEGER NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "format" VALUES(1);
CREATE TABLE leases (
	name VARCHAR NOT NULL, 
	epoch INTEGER NOT NULL, 
	holder TEXT NOT NULL, 
	renewed FLOAT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "leases" VALUES('docs',2,'me',0.0);
CREATE INDEX entries_by_kind ON entries (kb, kind, "key", sequence);
COMMIT;
