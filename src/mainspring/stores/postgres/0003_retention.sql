-- Instances at their end are taken out. The room that they had is the server's own affair: autovacuum makes it free for what
-- comes, and files become shorter only where the end of one is empty, or by VACUUM FULL.

-- Whoever removes an instance finds all that it was ever sent. (The index of what waits holds few of them.)
CREATE INDEX inbox_receiver ON inbox (instance);

-- Lose these, each family as a whole or not at all; gives those that went. What somebody else has a hand on (it is being
-- opened again, or another session removes it too) stays for now: nobody waits here for anybody.
CREATE FUNCTION remove_instances(in_epoch BIGINT, in_numbers BIGINT[], in_families INTEGER[])
RETURNS BIGINT[] LANGUAGE plpgsql AS $$
DECLARE
    held BIGINT[];
    going BIGINT[];
BEGIN
    PERFORM fence(in_epoch);
    SELECT coalesce(array_agg(number), '{}') INTO held FROM (
        SELECT number FROM instance WHERE number = ANY (in_numbers) AND NOT open ORDER BY number FOR UPDATE SKIP LOCKED
    ) AS locked;
    -- A statement of its own: it sees what was committed while the rows above were not yet ours.
    SELECT coalesce(array_agg(given.number), '{}') INTO going
        FROM unnest(in_numbers, in_families) AS given (number, family)
        WHERE given.number = ANY (held) AND given.family NOT IN (
            SELECT other.family FROM unnest(in_numbers, in_families) AS other (number, family)
            JOIN instance USING (number)
            WHERE instance.open
                OR NOT instance.number = ANY (held)
                OR EXISTS (SELECT 1 FROM outbox WHERE outbox.instance = other.number)
                OR EXISTS (SELECT 1 FROM dead_letter WHERE dead_letter.instance = other.number)
                OR EXISTS (
                    SELECT 1 FROM instance AS parent WHERE parent.id = instance.parent
                    AND (parent.open OR EXISTS (SELECT 1 FROM outbox WHERE outbox.instance = parent.number))
                )
        );
    DELETE FROM turn WHERE instance = ANY (going);
    DELETE FROM blob WHERE instance = ANY (going);
    DELETE FROM snapshot WHERE instance = ANY (going);
    DELETE FROM inbox WHERE instance = ANY (going);
    DELETE FROM instance WHERE number = ANY (going);
    RETURN going;
END $$;

-- Of groups after a position that name up to about `in_limit` rows, lose those whose rows are gone. Where to go on; null at the
-- end.
CREATE FUNCTION compact_groups(in_epoch BIGINT, in_after BIGINT, in_limit BIGINT) RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE
    last BIGINT;
    found BIGINT;
BEGIN
    PERFORM fence(in_epoch);
    SELECT max(position), max(named) INTO last, found FROM (
        SELECT position, sum(size) OVER before AS named, sum(size) OVER before - size AS earlier FROM (
            SELECT position, greatest(cardinality(instances), 1) AS size FROM commit_group
            WHERE position > in_after ORDER BY position LIMIT in_limit
        ) AS next WINDOW before AS (ORDER BY position)
    ) AS page WHERE earlier < in_limit;
    DELETE FROM commit_group WHERE position > in_after AND position <= last AND NOT EXISTS (
        SELECT 1 FROM unnest(instances, seqs) AS entry (number, place)
        JOIN turn ON turn.instance = entry.number AND turn.seq = entry.place
    );
    -- What is committed meanwhile makes new ones all the time, and they have their rows.
    RETURN CASE WHEN found >= in_limit THEN last END;
END $$;
