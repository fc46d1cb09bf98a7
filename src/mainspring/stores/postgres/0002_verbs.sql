-- What writes is a function here: one call, one transaction, one round trip. An engine that is stopped (or cut off) in the
-- middle of a verb then holds no lock that others would wait for, as it would between two statements of a transaction.

-- Refuse a session that is over, and keep it from being ended until this transaction is.
CREATE FUNCTION fence(in_epoch BIGINT) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM session WHERE epoch = in_epoch AND NOT over FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this session (epoch %) is over', in_epoch USING ERRCODE = 'MS001';
    END IF;
END $$;

-- Wake the engines that listen: the one whose session it is, or all of them (0).
CREATE FUNCTION tell(in_what TEXT) RETURNS void LANGUAGE sql AS $$
    SELECT pg_notify('mainspring:' || current_schema(), in_what);
$$;

-- End those whose leases have expired. One that is just writing is alive after all, and looked at again the next time: to
-- wait for it could have two wait for each other.
-- After an outage of this server all leases have expired, and nobody is to blame: whoever is back first must not end the
-- others. So only a session judges that had the server itself when the other did not come, or for a whole lease since.
CREATE FUNCTION end_expired(in_now BIGINT, in_own BIGINT) RETURNS void LANGUAGE sql AS $$
    UPDATE session SET over = true WHERE epoch IN (
        SELECT late.epoch FROM session AS late JOIN session AS own
            ON own.epoch = in_own AND own.expires_at > in_now
            AND (own.steady_since <= late.expires_at OR own.steady_since + own.ttl <= in_now)
        WHERE NOT late.over AND late.expires_at <= in_now AND late.epoch <> in_own FOR UPDATE OF late SKIP LOCKED
    );
$$;

-- A session that begins ends those whose leases have expired: mostly it is the same program, started again.
CREATE FUNCTION begin_session(in_holder TEXT, in_now BIGINT, in_ttl BIGINT) RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE given BIGINT;
BEGIN
    UPDATE session SET over = true WHERE epoch IN (
        SELECT epoch FROM session WHERE NOT over AND expires_at <= in_now FOR UPDATE SKIP LOCKED
    );
    INSERT INTO session (holder, expires_at, steady_since, ttl)
        VALUES (in_holder, in_now + in_ttl, in_now, in_ttl) RETURNING epoch INTO given;
    RETURN given;
END $$;

CREATE FUNCTION renew_session(in_epoch BIGINT, in_now BIGINT, in_ttl BIGINT) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE session SET expires_at = in_now + in_ttl, ttl = in_ttl,
                       steady_since = CASE WHEN expires_at < in_now THEN in_now ELSE steady_since END
        WHERE epoch = in_epoch AND NOT over;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this session (epoch %) is over', in_epoch USING ERRCODE = 'MS001';
    END IF;
END $$;

CREATE FUNCTION end_session(in_epoch BIGINT) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE session SET over = true WHERE epoch = in_epoch AND NOT over;
    IF FOUND THEN
        PERFORM tell('0');
    END IF;
END $$;

CREATE FUNCTION reserve_numbers(in_epoch BIGINT, in_count INTEGER) RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE first BIGINT;
BEGIN
    PERFORM fence(in_epoch);
    UPDATE counter SET value = value + in_count WHERE name = 'instance' RETURNING value - in_count INTO first;
    RETURN first;
END $$;

-- Keep each message once, in the order given. 1: it is new, 0: it is known, -1: there is no such instance.
CREATE FUNCTION post_messages(in_ids TEXT[], in_instances BIGINT[], in_bodies BYTEA[], in_times BIGINT[])
RETURNS INTEGER[] LANGUAGE plpgsql AS $$
DECLARE
    ends INTEGER[] := '{}';
    owners BIGINT[] := '{}';
    whose BIGINT;
BEGIN
    FOR place IN 1 .. cardinality(in_ids) LOOP
        SELECT owner INTO whose FROM instance WHERE number = in_instances[place];
        IF NOT FOUND THEN
            ends := ends || -1;
            CONTINUE;
        END IF;
        INSERT INTO inbox (id, instance, body, created_at)
            VALUES (in_ids[place], in_instances[place], in_bodies[place], in_times[place])
            ON CONFLICT (id) DO NOTHING;
        IF FOUND THEN
            ends := ends || 1;
            IF NOT whose = ANY (owners) THEN
                owners := owners || whose;
                PERFORM tell(whose::TEXT);
            END IF;
        ELSE
            ends := ends || 0;
        END IF;
    END LOOP;
    RETURN ends;
END $$;

CREATE FUNCTION forget_sent(in_epoch BIGINT, in_ids TEXT[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM fence(in_epoch);
    DELETE FROM outbox WHERE id = ANY (in_ids);
END $$;

CREATE FUNCTION trim_cache(in_epoch BIGINT, in_now BIGINT, in_max BIGINT, in_limit BIGINT)
RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE
    gone BIGINT;
    surplus BIGINT;
BEGIN
    PERFORM fence(in_epoch);
    DELETE FROM cache WHERE place IN (SELECT place FROM cache WHERE expires_at <= in_now LIMIT in_limit);
    GET DIAGNOSTICS gone = ROW_COUNT;
    SELECT least(greatest(count(*) - in_max, 0), in_limit - gone) INTO surplus FROM cache;
    DELETE FROM cache WHERE place IN (SELECT place FROM cache ORDER BY place LIMIT surplus);
    RETURN gone + surplus;
END $$;

CREATE FUNCTION purge_letters(in_epoch BIGINT, in_ids TEXT[]) RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE gone BIGINT;
BEGIN
    PERFORM fence(in_epoch);
    DELETE FROM dead_letter WHERE id = ANY (in_ids);
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;

CREATE FUNCTION keep_limits(in_epoch BIGINT, in_keys TEXT[], in_states BYTEA[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM fence(in_epoch);
    INSERT INTO limit_state (key, state)
        SELECT * FROM unnest(in_keys, in_states) AS kept (key, state) WHERE kept.state <> '' ORDER BY kept.key
        ON CONFLICT (key) DO UPDATE SET state = excluded.state;
    DELETE FROM limit_state WHERE key IN (SELECT k FROM unnest(in_keys, in_states) AS kept (k, s) WHERE s = '');
END $$;

-- Whether an instance is one of those that are named: by its id, or by how that begins where an entry ends with a slash.
CREATE FUNCTION is_among(in_id TEXT, in_among TEXT[]) RETURNS BOOLEAN LANGUAGE sql IMMUTABLE AS $$
    SELECT in_among IS NULL OR EXISTS (
        SELECT 1 FROM unnest(in_among) AS one
        WHERE one = in_id OR (right(one, 1) = '/' AND starts_with(in_id, one))
    );
$$;

-- Give again what an earlier call gave whose answer was lost.
CREATE FUNCTION claim_lost(in_epoch BIGINT, in_limit BIGINT, in_claim BIGINT, in_lost BIGINT[])
RETURNS SETOF instance LANGUAGE plpgsql AS $$
BEGIN
    PERFORM fence(in_epoch);
    RETURN QUERY WITH due AS MATERIALIZED (
        SELECT number FROM instance WHERE open AND owner = in_epoch AND claim = ANY (in_lost) LIMIT in_limit FOR UPDATE
    ) UPDATE instance SET claim = in_claim FROM due WHERE instance.number = due.number RETURNING instance.*;
END $$;

-- Give due instances to a session, each to one: those of sessions that are over, sleepers whose time has come, sleepers
-- with mail. Where `in_among` is given, only of those that it names.
CREATE FUNCTION claim_due(in_epoch BIGINT, in_now BIGINT, in_limit BIGINT, in_claim BIGINT, in_among TEXT[])
RETURNS SETOF instance LANGUAGE plpgsql AS $$
DECLARE
    room BIGINT := in_limit;
    given BIGINT;
BEGIN
    PERFORM fence(in_epoch);
    PERFORM end_expired(in_now, in_epoch);
    IF EXISTS (SELECT 1 FROM session WHERE over) THEN
        -- (LATERAL, here and below: which table comes first is not left to statistics, which a young table has none of.)
        RETURN QUERY WITH due AS MATERIALIZED (
            SELECT number FROM (SELECT epoch FROM session WHERE over) AS ended
            CROSS JOIN LATERAL (
                SELECT number FROM instance
                WHERE open AND owner = ended.epoch AND is_among(id, in_among) LIMIT room FOR UPDATE SKIP LOCKED
            ) AS orphan
            LIMIT room
        ) UPDATE instance SET owner = in_epoch, wake_at = NULL, claim = in_claim FROM due
            WHERE instance.number = due.number RETURNING instance.*;
        GET DIAGNOSTICS given = ROW_COUNT;
        room := room - given;
        DELETE FROM session WHERE epoch IN (
            SELECT epoch FROM session AS ended
            WHERE over AND NOT EXISTS (SELECT 1 FROM instance WHERE open AND owner = ended.epoch)
            FOR UPDATE SKIP LOCKED
        );
    END IF;
    IF room > 0 THEN
        RETURN QUERY WITH due AS MATERIALIZED (
            SELECT number FROM instance WHERE open AND owner = 0 AND wake_at <= in_now AND is_among(id, in_among)
            LIMIT room FOR UPDATE SKIP LOCKED
        ) UPDATE instance SET owner = in_epoch, wake_at = NULL, claim = in_claim FROM due
            WHERE instance.number = due.number RETURNING instance.*;
        GET DIAGNOSTICS given = ROW_COUNT;
        room := room - given;
    END IF;
    IF room > 0 THEN
        -- Beginning with the mail: there may be very many who sleep, and few of them have some.
        RETURN QUERY WITH due AS MATERIALIZED (
            SELECT number FROM (SELECT DISTINCT inbox.instance AS receiver FROM inbox WHERE NOT consumed) AS waiting
            CROSS JOIN LATERAL (
                SELECT number FROM instance
                WHERE number = receiver AND open AND owner = 0 AND is_among(id, in_among) FOR UPDATE SKIP LOCKED
            ) AS sleeper
            LIMIT room
        ) UPDATE instance SET owner = in_epoch, wake_at = NULL, claim = in_claim FROM due
            WHERE instance.number = due.number RETURNING instance.*;
    END IF;
END $$;

-- Make a group durable. Where instances of it are another session's, nothing is written and they are named: the caller
-- leaves them out and comes again. `in_numbers` are the instances that are written to and not created here.
CREATE FUNCTION commit_writes(
    in_epoch BIGINT,
    in_numbers BIGINT[],
    c_number BIGINT[], c_id TEXT[], c_workflow TEXT[], c_version TEXT[], c_status TEXT[], c_open BOOLEAN[],
    c_created_at BIGINT[], c_ended_at BIGINT[], c_key TEXT[], c_parent TEXT[], c_reason TEXT[], c_owner BIGINT[],
    c_wake_at BIGINT[],
    t_instance BIGINT[], t_seq INTEGER[], t_crc BIGINT[], t_body BYTEA[],
    h_number BIGINT[], h_status TEXT[], h_open BOOLEAN[], h_ended_at BIGINT[], h_reason TEXT[], h_owner BIGINT[],
    h_wake_at BIGINT[],
    consumed_ids TEXT[],
    o_id TEXT[], o_instance BIGINT[], o_kind TEXT[], o_body BYTEA[], o_created_at BIGINT[],
    b_instance BIGINT[], b_seq INTEGER[], b_ordinal INTEGER[], b_body BYTEA[], b_crc BIGINT[],
    s_instance BIGINT[], s_seq INTEGER[], s_body BYTEA[], s_crc BIGINT[],
    r_key BYTEA[], r_expires_at BIGINT[], r_body BYTEA[], r_crc BIGINT[],
    raised_ids TEXT[],
    l_id TEXT[], l_instance BIGINT[], l_kind TEXT[], l_reason TEXT[], l_created_at BIGINT[], l_path TEXT[],
    l_run INTEGER[], l_subject TEXT[], l_body BYTEA[],
    OUT out_position BIGINT, OUT refused BIGINT[]
) LANGUAGE plpgsql AS $$
DECLARE ours BIGINT;
BEGIN
    PERFORM fence(in_epoch);
    SELECT count(*) INTO ours FROM instance WHERE number = ANY (in_numbers) AND owner = in_epoch;
    IF ours < cardinality(in_numbers) THEN
        -- What nobody owns could be claimed meanwhile: hold it. What is ours cannot, since our session is held.
        PERFORM 1 FROM instance WHERE number = ANY (in_numbers) AND owner = 0 ORDER BY number FOR UPDATE;
        SELECT array_agg(given.number) INTO refused
            FROM unnest(in_numbers) AS given (number) LEFT JOIN instance USING (number)
            WHERE owner IS NULL OR owner NOT IN (0, in_epoch);
    END IF;
    IF cardinality(c_number) > 0 THEN
        -- Somebody else has started what we wanted to start.
        SELECT refused || array_agg(given.number) INTO refused
            FROM unnest(c_number, c_id) AS given (number, id) JOIN instance USING (id)
            WHERE instance.number <> given.number AND instance.owner <> in_epoch
            HAVING count(*) > 0 OR refused IS NOT NULL;
    END IF;
    IF cardinality(refused) > 0 THEN
        out_position := 0;
        RETURN;
    END IF;
    IF cardinality(c_number) > 0 THEN
        INSERT INTO instance (number, id, workflow, version, status, open, created_at, ended_at, key, parent, reason,
                              owner, wake_at)
            SELECT * FROM unnest(c_number, c_id, c_workflow, c_version, c_status, c_open, c_created_at, c_ended_at, c_key,
                                 c_parent, c_reason, c_owner, c_wake_at);
    END IF;
    INSERT INTO turn (instance, seq, crc, body) SELECT * FROM unnest(t_instance, t_seq, t_crc, t_body);
    IF cardinality(h_number) > 0 THEN
        UPDATE instance SET status = given.status, open = given.open, ended_at = given.ended_at, reason = given.reason,
                            owner = given.owner, wake_at = given.wake_at
            FROM unnest(h_number, h_status, h_open, h_ended_at, h_reason, h_owner, h_wake_at)
                AS given (number, status, open, ended_at, reason, owner, wake_at)
            WHERE instance.number = given.number;
    END IF;
    IF cardinality(consumed_ids) > 0 THEN
        UPDATE inbox SET consumed = true WHERE id = ANY (consumed_ids);
    END IF;
    IF cardinality(o_id) > 0 THEN
        INSERT INTO outbox (id, instance, kind, body, created_at, session)
            SELECT *, in_epoch FROM unnest(o_id, o_instance, o_kind, o_body, o_created_at) ON CONFLICT (id) DO NOTHING;
    END IF;
    IF cardinality(b_instance) > 0 THEN
        INSERT INTO blob (instance, seq, ordinal, body, crc)
            SELECT * FROM unnest(b_instance, b_seq, b_ordinal, b_body, b_crc);
    END IF;
    IF cardinality(s_instance) > 0 THEN
        INSERT INTO snapshot (instance, seq, body, crc) SELECT * FROM unnest(s_instance, s_seq, s_body, s_crc)
            ON CONFLICT (instance, seq) DO UPDATE SET body = excluded.body, crc = excluded.crc;
        -- Two are kept: when the newest turns out to be damaged, the one before it is used.
        DELETE FROM snapshot WHERE instance = ANY (s_instance) AND seq < (
            SELECT kept.seq FROM snapshot AS kept WHERE kept.instance = snapshot.instance
            ORDER BY kept.seq DESC OFFSET 1 LIMIT 1
        );
    END IF;
    IF cardinality(r_key) > 0 THEN
        INSERT INTO cache (key, expires_at, body, crc) SELECT * FROM unnest(r_key, r_expires_at, r_body, r_crc)
            ON CONFLICT (key) DO UPDATE
            SET place = DEFAULT, expires_at = excluded.expires_at, body = excluded.body, crc = excluded.crc;
    END IF;
    IF cardinality(raised_ids) > 0 THEN
        DELETE FROM dead_letter WHERE id = ANY (raised_ids);
    END IF;
    IF cardinality(l_id) > 0 THEN
        INSERT INTO dead_letter (id, instance, kind, reason, created_at, path, run, subject, body)
            SELECT * FROM unnest(l_id, l_instance, l_kind, l_reason, l_created_at, l_path, l_run, l_subject, l_body)
            ON CONFLICT (id) DO NOTHING;
    END IF;
    IF EXISTS (SELECT 1 FROM session WHERE NOT over AND epoch <> in_epoch) THEN
        PERFORM tell('news ' || in_epoch);  -- somebody there may wait for the end of what runs here
    END IF;
    -- The last thing, since it keeps all other sessions' commits out until this one can be seen.
    UPDATE counter SET value = value + 1 WHERE name = 'position' RETURNING value INTO out_position;
    INSERT INTO commit_group VALUES (out_position, t_instance, t_seq);
END $$;
