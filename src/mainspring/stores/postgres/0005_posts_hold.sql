-- Whoever posts holds the instances that it posts to until its messages are there. Otherwise one that is removed in that moment
-- would leave a message behind that nobody takes and nothing removes.
CREATE OR REPLACE FUNCTION post_messages(in_ids TEXT[], in_instances BIGINT[], in_bodies BYTEA[], in_times BIGINT[])
RETURNS INTEGER[] LANGUAGE plpgsql AS $$
DECLARE
    ends INTEGER[] := '{}';
    owners BIGINT[] := '{}';
    whose BIGINT;
BEGIN
    -- In one order, so that two who hold several never wait for each other. Writing to an instance does not wait for this.
    PERFORM 1 FROM instance WHERE number = ANY (in_instances) ORDER BY number FOR KEY SHARE;
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
