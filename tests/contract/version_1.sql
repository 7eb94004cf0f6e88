BEGIN TRANSACTION;
CREATE TABLE campaigns (
	number INTEGER NOT NULL, 
	campaign_id VARCHAR NOT NULL, 
	declared TEXT NOT NULL, 
	content VARCHAR NOT NULL, 
	facts TEXT DEFAULT '{}' NOT NULL, 
	revision INTEGER DEFAULT '0' NOT NULL, 
	state VARCHAR NOT NULL, 
	submitted_at BIGINT NOT NULL, 
	boost FLOAT DEFAULT '1' NOT NULL, 
	pinned BOOLEAN DEFAULT 0 NOT NULL, 
	estimate JSON, 
	estimated_at BIGINT, 
	model_version VARCHAR, 
	source VARCHAR, 
	score FLOAT, 
	preemptions INTEGER DEFAULT '0' NOT NULL, 
	units FLOAT DEFAULT '0' NOT NULL, 
	units_done FLOAT DEFAULT '0' NOT NULL, 
	chunks_done INTEGER DEFAULT '0' NOT NULL, 
	tasks INTEGER DEFAULT '0' NOT NULL, 
	queued INTEGER DEFAULT '0' NOT NULL, 
	leased INTEGER DEFAULT '0' NOT NULL, 
	done INTEGER DEFAULT '0' NOT NULL, 
	dead INTEGER DEFAULT '0' NOT NULL, 
	worked_at BIGINT, 
	launched_at BIGINT, 
	PRIMARY KEY (number), 
	UNIQUE (campaign_id)
);
INSERT INTO "campaigns" VALUES(1,'done','{"campaign_id":"done","account":"acme","kind":"flash_sale","channel":"email","released_at":"2026-11-27T12:00:00Z","work_units":100.0,"launch_by":null,"starts_at":null,"ends_at":"2026-11-28T12:00:00Z","targets":{},"planned_revenue":500.0,"urgency":null,"brand":null,"tags":[],"value_shape":"window","late_fraction":null,"half_life_h":null,"delivers":"at_end","exclusive":[],"after":[],"on_failure":"hold","holdout":null}','62ec18565274745cb4a3fc3044d54b636d34878ab1d1bce4494376044f368901','{}',0,'done',1795780800000000,1.0,0,'{"campaign_id": "done", "value": 500.0, "points": 70.0, "p50_h": 2.0, "p90_h": 3.0, "fallback": null}',1795780801000000,'3','champion',50.0,0,10.0,10.0,2,1,0,0,1,0,1795780820000000,1795780820000000);
INSERT INTO "campaigns" VALUES(2,'running','{"campaign_id":"running","account":"acme","kind":"flash_sale","channel":"email","released_at":"2026-11-27T12:00:00Z","work_units":100.0,"launch_by":null,"starts_at":null,"ends_at":"2026-11-28T12:00:00Z","targets":{"vip":10.0},"planned_revenue":null,"urgency":0.2,"brand":null,"tags":[],"value_shape":"window","late_fraction":null,"half_life_h":null,"delivers":"at_end","exclusive":[],"after":["done"],"on_failure":"hold","holdout":null}','07739493ac6637b6b21404f4f6cf485aaa4afc0966c6b8c9d89d1e5782aae94d','{"urgency": 0.9}',1,'running',1795780830000000,2.0,1,'{"campaign_id": "running", "value": null, "points": 40.0, "p50_h": 1.0, "p90_h": 2.0, "fallback": "no champion"}',1795780831000000,NULL,'matrix',NULL,0,60.0,15.0,2,6,2,1,1,1,1795780839000000,NULL);
INSERT INTO "campaigns" VALUES(3,'to follow','{"campaign_id":"to follow","account":"acme","kind":"flash_sale","channel":"email","released_at":"2026-11-27T12:00:00Z","work_units":100.0,"launch_by":null,"starts_at":null,"ends_at":"2026-11-28T12:00:00Z","targets":{},"planned_revenue":null,"urgency":null,"brand":null,"tags":[],"value_shape":"window","late_fraction":null,"half_life_h":null,"delivers":"at_end","exclusive":[],"after":["running","unknown"],"on_failure":"hold","holdout":null}','e65fa1482a2aeeab7006afb8bc0d1f7bc5980fae3fe450d5dd21a79cb5929dec','{}',0,'submitted',1795780840000000,1.0,0,NULL,NULL,NULL,NULL,NULL,0,10.0,0.0,0,1,1,0,0,0,NULL,NULL);
INSERT INTO "campaigns" VALUES(4,'cancelled','{"campaign_id":"cancelled","account":"acme","kind":"flash_sale","channel":"email","released_at":"2026-11-27T12:00:00Z","work_units":100.0,"launch_by":null,"starts_at":null,"ends_at":"2026-11-28T12:00:00Z","targets":{},"planned_revenue":null,"urgency":null,"brand":null,"tags":[],"value_shape":"window","late_fraction":null,"half_life_h":null,"delivers":"at_end","exclusive":[],"after":[],"on_failure":"hold","holdout":null}','b1a43103f0ed18b8def023e02ff14dc573339b6d258568cb3ceda8cf94c8f7d8','{}',0,'cancelled',1795780841000000,1.0,0,NULL,NULL,NULL,NULL,NULL,0,10.0,0.0,0,1,1,0,0,0,NULL,NULL);
CREATE TABLE decisions (
	id INTEGER NOT NULL, 
	campaign_id VARCHAR NOT NULL, 
	at BIGINT NOT NULL, 
	chosen VARCHAR NOT NULL, 
	reason TEXT NOT NULL, 
	model_version VARCHAR, 
	source VARCHAR, 
	value FLOAT, 
	processing_h FLOAT, 
	"index" FLOAT, 
	score FLOAT, 
	rank INTEGER, 
	PRIMARY KEY (id)
);
INSERT INTO "decisions" VALUES(1,'running',1795780832000000,'start','first in rank',NULL,NULL,NULL,NULL,1.5,NULL,1);
CREATE TABLE dependencies (
	campaign_id VARCHAR NOT NULL, 
	after_id VARCHAR NOT NULL, 
	PRIMARY KEY (campaign_id, after_id), 
	FOREIGN KEY(campaign_id) REFERENCES campaigns (campaign_id)
);
INSERT INTO "dependencies" VALUES('running','done');
INSERT INTO "dependencies" VALUES('to follow','running');
INSERT INTO "dependencies" VALUES('to follow','unknown');
CREATE TABLE kpis (
	id INTEGER NOT NULL, 
	campaign_id VARCHAR NOT NULL, 
	target_id VARCHAR, 
	at BIGINT NOT NULL, 
	known_at BIGINT NOT NULL, 
	metric VARCHAR NOT NULL, 
	value FLOAT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "kpis" VALUES(1,'done',NULL,1795780850000000,1795780860000000,'revenue',12.5);
CREATE TABLE locks (
	name VARCHAR NOT NULL, 
	owner VARCHAR NOT NULL, 
	until BIGINT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "locks" VALUES('scheduler','a',1795780810000000);
CREATE TABLE meta (
	"key" VARCHAR NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('schema','1');
INSERT INTO "meta" VALUES('clock','kept');
CREATE TABLE runs (
	id INTEGER NOT NULL, 
	campaign_id VARCHAR NOT NULL, 
	task_id VARCHAR NOT NULL, 
	chunk INTEGER NOT NULL, 
	enqueued_at BIGINT NOT NULL, 
	started_at BIGINT NOT NULL, 
	finished_at BIGINT NOT NULL, 
	units FLOAT NOT NULL, 
	attempts INTEGER NOT NULL, 
	capacity FLOAT NOT NULL, 
	outcome VARCHAR NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "runs" VALUES(1,'done','send',0,1795780800000000,1795780805000000,1795780810000000,4.0,1,1.0,'checkpoint');
INSERT INTO "runs" VALUES(2,'done','send',1,1795780800000000,1795780810000000,1795780820000000,6.0,1,1.0,'done');
INSERT INTO "runs" VALUES(3,'running','a',0,1795780830000000,1795780832000000,1795780833000000,10.0,1,1.0,'done');
INSERT INTO "runs" VALUES(4,'running','b',0,1795780830000000,1795780834000000,1795780835000000,5.0,1,1.0,'checkpoint');
INSERT INTO "runs" VALUES(5,'running','c',0,1795780830000000,1795780836000000,1795780837000000,0.0,1,1.0,'failed');
INSERT INTO "runs" VALUES(6,'running','d',0,1795780830000000,1795780838000000,1795780839000000,0.0,1,1.0,'failed');
CREATE TABLE signals (
	id INTEGER NOT NULL, 
	entity VARCHAR NOT NULL, 
	at BIGINT NOT NULL, 
	known_at BIGINT NOT NULL, 
	name VARCHAR NOT NULL, 
	value FLOAT NOT NULL, 
	source VARCHAR NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "signals" VALUES(1,'market:us',1795780800000000,1795780800000000,'sentiment',-0.2,'manual');
CREATE TABLE tasks (
	"key" INTEGER NOT NULL, 
	campaign_id VARCHAR NOT NULL, 
	task_id VARCHAR NOT NULL, 
	handler VARCHAR NOT NULL, 
	payload JSON NOT NULL, 
	units FLOAT NOT NULL, 
	"after" JSON NOT NULL, 
	state VARCHAR NOT NULL, 
	checkpoint JSON, 
	units_done FLOAT DEFAULT '0' NOT NULL, 
	chunk INTEGER DEFAULT '0' NOT NULL, 
	attempts INTEGER DEFAULT '0' NOT NULL, 
	not_before BIGINT, 
	enqueued_at BIGINT NOT NULL, 
	chunk_from BIGINT, 
	fence INTEGER DEFAULT '0' NOT NULL, 
	owner VARCHAR, 
	lease_until BIGINT, 
	error TEXT, 
	ended_at BIGINT, 
	PRIMARY KEY ("key"), 
	UNIQUE (campaign_id, task_id), 
	FOREIGN KEY(campaign_id) REFERENCES campaigns (campaign_id)
);
INSERT INTO "tasks" VALUES(1,'done','send','simulate','{"to": ["\u00e9"]}',10.0,'[]','done','{"sent": 4}',10.0,1,0,NULL,1795780800000000,1795780810000000,1,'here',1795780870000000,NULL,1795780820000000);
INSERT INTO "tasks" VALUES(2,'running','last','simulate','{}',10.0,'["a", "b"]','waiting',NULL,0.0,0,0,NULL,1795780830000000,NULL,0,NULL,NULL,NULL,NULL);
INSERT INTO "tasks" VALUES(3,'running','a','simulate','{}',10.0,'[]','done',NULL,10.0,0,0,NULL,1795780830000000,1795780832000000,1,'here',1795780892000000,NULL,1795780833000000);
INSERT INTO "tasks" VALUES(4,'running','b','simulate','{}',10.0,'[]','leased',2,5.0,1,0,NULL,1795780830000000,1795780835000000,1,'here',1795781400000000,NULL,NULL);
INSERT INTO "tasks" VALUES(5,'running','c','simulate','{}',10.0,'[]','queued',NULL,0.0,0,1,1795781100000000,1795780837000000,1795780836000000,1,'here',1795780896000000,'throttled',NULL);
INSERT INTO "tasks" VALUES(6,'running','d','simulate','{}',10.0,'[]','dead',NULL,0.0,0,1,NULL,1795780830000000,1795780838000000,1,'here',1795780898000000,'ValueError: no such list',1795780839000000);
INSERT INTO "tasks" VALUES(7,'running','e','simulate','{}',10.0,'[]','queued',NULL,0.0,0,0,NULL,1795780830000000,NULL,0,NULL,NULL,NULL,NULL);
INSERT INTO "tasks" VALUES(8,'to follow','send','simulate','{}',10.0,'[]','queued',NULL,0.0,0,0,NULL,1795780840000000,NULL,0,NULL,NULL,NULL,NULL);
INSERT INTO "tasks" VALUES(9,'cancelled','send','simulate','{}',10.0,'[]','queued',NULL,0.0,0,0,NULL,1795780841000000,NULL,0,NULL,NULL,NULL,NULL);
CREATE INDEX campaigns_by_state ON campaigns (state);
CREATE INDEX tasks_leased ON tasks (lease_until) WHERE state = 'leased';
CREATE INDEX tasks_backing_off ON tasks (not_before) WHERE not_before IS NOT NULL;
CREATE INDEX tasks_by_campaign ON tasks (campaign_id, state, "key");
COMMIT;
