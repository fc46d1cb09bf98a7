-- A session is steady while it is renewed in time. It is not where a renewal comes late by more than half of its time, though
-- its lease has not run out yet: the server may have been away meanwhile, so that another one's lease, which was
-- renewed a moment earlier before that, has run out without anybody's fault.
CREATE OR REPLACE FUNCTION renew_session(in_epoch BIGINT, in_now BIGINT, in_ttl BIGINT) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE session SET expires_at = in_now + in_ttl, ttl = in_ttl,
                       steady_since = CASE WHEN expires_at - ttl / 2 < in_now THEN in_now ELSE steady_since END
        WHERE epoch = in_epoch AND NOT over;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this session (epoch %) is over', in_epoch USING ERRCODE = 'MS001';
    END IF;
END $$;
