-- What a row put into `told` does. `what` says which of these it is, `key` is the ledger key of an action, `number` that of a
-- batch; `word` and `text`, mostly JSON, are the rest of it.

PRAGMA temp_store = MEMORY;

CREATE TEMP VIEW told (what, key, number, word, text) AS SELECT NULL, NULL, NULL, NULL, NULL;

CREATE TEMP TRIGGER told_sign INSTEAD OF INSERT ON told WHEN NEW.what = 'sign' BEGIN
    SELECT RAISE(ABORT, 'the lease is lost')
        WHERE NOT EXISTS (SELECT 1 FROM lease WHERE epoch = NEW.number AND run IS NOT NULL);
    UPDATE lease SET last_sign = NEW.word;
END;

CREATE TEMP TRIGGER told_file INSTEAD OF INSERT ON told WHEN NEW.what = 'file' BEGIN
    INSERT OR IGNORE INTO ledger (key) VALUES (NEW.key);
END;

CREATE TEMP TRIGGER told_progress INSTEAD OF INSERT ON told WHEN NEW.what = 'progress' BEGIN
    UPDATE actions SET
        status = json_extract(NEW.text, '$.status'),
        run = (SELECT run FROM lease),
        why = ifnull(json_extract(NEW.text, '$.why'), why),
        cure = ifnull(json_extract(NEW.text, '$.cure'), cure),
        total_items = ifnull(json_extract(NEW.text, '$.items'), total_items),
        total_bytes = CASE
            WHEN json_extract(NEW.text, '$.items') IS NULL THEN total_bytes ELSE json_extract(NEW.text, '$.bytes')
        END
        WHERE step = NEW.word AND action = (SELECT number FROM ledger WHERE key = NEW.key);
END;

CREATE TEMP TRIGGER told_facts INSTEAD OF INSERT ON told WHEN NEW.what = 'facts' BEGIN
    INSERT INTO facts (action, name, value)
        SELECT ledger.number, json_extract(fact.value, '$[0]'), json_extract(fact.value, '$[1]')
            FROM ledger, json_each(NEW.text) AS fact WHERE ledger.key = NEW.key
        ON CONFLICT (action, name) DO UPDATE SET value = excluded.value;
END;

CREATE TEMP TRIGGER told_intent INSTEAD OF INSERT ON told WHEN NEW.what = 'intent' BEGIN
    INSERT INTO intents (number, action, fence, items)
        SELECT NEW.number, ledger.number, NEW.word, NEW.text FROM ledger WHERE ledger.key = NEW.key;
END;

-- What is being told of items, taken out of its JSON once; empty between two statements.
CREATE TEMP TABLE told_items (key, fate, ref, size, digest, mark, note, cure, things, as_sent, about);

-- Outcomes of a batch, whose intent is struck, or of an action where there was none. Those they replace leave the sums.
CREATE TEMP TRIGGER told_outcomes INSTEAD OF INSERT ON told WHEN NEW.what = 'outcomes' BEGIN
    SELECT RAISE(ABORT, 'the batch is not open')
        WHERE NEW.number IS NOT NULL AND NOT EXISTS (SELECT 1 FROM intents WHERE number = NEW.number);
    INSERT INTO told_items
        SELECT
            json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'), json_extract(value, '$[3]'),
            json_extract(value, '$[4]'), json_extract(value, '$[5]'), json_extract(value, '$[6]'), json_extract(value, '$[7]'),
            json_extract(value, '$[8]'), json_extract(value, '$[9]'), json_extract(value, '$[10]')
            FROM json_each(NEW.text);
    INSERT INTO sums (action, fate, items, bytes)
        SELECT
            (SELECT action FROM intents WHERE number = NEW.number UNION ALL SELECT number FROM ledger WHERE key = NEW.key),
            fate, sum(things), sum(size)
        FROM (
            SELECT fate, things, size FROM told_items
            UNION ALL
            SELECT 'copied', as_sent, 0 FROM told_items WHERE as_sent > 0
            UNION ALL
            SELECT 'copied', -items.as_sent, 0 FROM told_items CROSS JOIN items
                WHERE items.key = told_items.key AND items.as_sent > 0 AND items.action =
                    (SELECT action FROM intents WHERE number = NEW.number UNION ALL SELECT number FROM ledger WHERE key = NEW.key)
            UNION ALL
            SELECT items.fate, -items.things, -items.size FROM told_items CROSS JOIN items
                WHERE items.key = told_items.key AND items.action =
                    (SELECT action FROM intents WHERE number = NEW.number UNION ALL SELECT number FROM ledger WHERE key = NEW.key)
        ) WHERE true GROUP BY fate
        ON CONFLICT (action, fate) DO UPDATE SET items = items + excluded.items, bytes = bytes + excluded.bytes;
    INSERT OR REPLACE INTO items (action, key, fate, ref, size, digest, mark, note, cure, things, as_sent, about)
        SELECT
            (SELECT action FROM intents WHERE number = NEW.number UNION ALL SELECT number FROM ledger WHERE key = NEW.key),
            told_items.* FROM told_items;
    DELETE FROM told_items;
    DELETE FROM intents WHERE number = NEW.number;
END;

CREATE TEMP TRIGGER told_findings INSTEAD OF INSERT ON told WHEN NEW.what = 'findings' BEGIN
    DELETE FROM findings WHERE step = NEW.word AND source = json_extract(NEW.text, '$[0]')
        AND action = (SELECT number FROM ledger WHERE key = NEW.key);
    INSERT INTO findings (step, action, source, code, weight, about, text, remedy)
        SELECT NEW.word, ledger.number, json_extract(NEW.text, '$[0]'),
            json_extract(finding.value, '$[0]'), json_extract(finding.value, '$[1]'), json_extract(finding.value, '$[2]'),
            json_extract(finding.value, '$[3]'), json_extract(finding.value, '$[4]')
            FROM ledger, json_each(NEW.text, '$[1]') AS finding WHERE ledger.key = NEW.key;
END;
