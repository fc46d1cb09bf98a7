-- What writes, and what must be read at one moment: a script runs alone on the server, so a group is written as a whole, and
-- refused by the same look that writes it. KEYS[1] begins all our keys; ARGV[1] names the verb, the rest are its arguments, in
-- order. Everything is looked at before the first thing is written: what a script has written stays, also where it fails.
--
--   sessions   living: epoch by the end of its lease; s:EPOCH: its row; over: those that are over and still own instances
--   instances  ids: number by id; i:NUMBER: the record; t: turns by seq; b: blobs; sn: snapshots; in: waiting messages;
--              kn: the ids of all that was ever posted
--   to find    numbers, open, own:EPOCH, sleeping (by wake_at), woken (sleepers with mail), mailed (all with mail)
--   the rest   groups, messages, known, out*, cache*, letter*, limits, d:VERSION, defs:WORKFLOW, counter

local P = KEYS[1]
local at = 1

local function take()
    at = at + 1
    return ARGV[at]
end

local function list(width)
    local found = {}
    for index = 1, tonumber(take()) do
        local item = {}
        for column = 1, width do
            item[column] = take()
        end
        found[index] = item
    end
    return found
end

local function call(verb, name, ...)
    return redis.call(verb, P .. name, ...)
end

local function count(name, by)
    return call('HINCRBY', 'counter', name, by or 1)
end

local function tell(what)
    redis.call('PUBLISH', P .. 'wake', what)
end

local function refused(epoch)
    if not call('ZSCORE', 'living', epoch) then
        return redis.error_reply('NOTOWNER this session (epoch ' .. epoch .. ') is over')
    end
end

local function broken(why)
    return redis.error_reply('BROKEN ' .. why)
end

-- Where an instance is to be found, by how it stands now.
local function arrange(number)
    local seen = call('HMGET', 'i:' .. number, 'open', 'owner', 'wake_at')
    local mail = call('EXISTS', 'in:' .. number) == 1
    local idle = seen[1] == '1' and seen[2] == '0'
    if idle and seen[3] ~= '' then
        call('ZADD', 'sleeping', seen[3], number)
    else
        call('ZREM', 'sleeping', number)
    end
    call((idle and mail) and 'SADD' or 'SREM', 'woken', number)
    call(mail and 'SADD' or 'SREM', 'mailed', number)
    call(seen[1] == '1' and 'SADD' or 'SREM', 'open', number)
end

local function give(number, before, owner)
    if before ~= owner then
        if before and before ~= '0' then
            call('SREM', 'own:' .. before, number)
        end
        if owner ~= '0' then
            call('SADD', 'own:' .. owner, number)
        end
    end
end

-- What a session had is found by `over` until the last of it has another owner.
local function end_session(epoch)
    call('ZREM', 'living', epoch)
    call('DEL', 's:' .. epoch)
    if call('SCARD', 'own:' .. epoch) > 0 then
        call('SADD', 'over', epoch)
    end
end

-- After an outage of this server all leases have expired, and nobody is to blame: whoever is back first must not end the
-- others. So only a session judges that had the server itself when the other did not come, or for a whole lease since.
local function end_expired(now, own)
    local expires = tonumber(call('ZSCORE', 'living', own))
    local seen = call('HMGET', 's:' .. own, 'steady_since', 'ttl')
    local steady, ttl = tonumber(seen[1]), tonumber(seen[2])
    if expires <= now then
        return
    end
    local late = call('ZRANGEBYSCORE', 'living', '-inf', now, 'WITHSCORES')
    for index = 1, #late, 2 do
        if late[index] ~= own and (steady <= tonumber(late[index + 1]) or steady + ttl <= now) then
            end_session(late[index])
        end
    end
end

-- Of a hash, these fields; as many as there are, though a call takes only so many.
local function fields(name, wanted)
    local found = {}
    for first = 1, #wanted, 1000 do
        local some = call('HMGET', name, unpack(wanted, first, math.min(first + 999, #wanted)))
        for index = 1, #some do
            found[first + index - 1] = some[index]
        end
    end
    return found
end

local verbs = {}

-- sessions

-- An epoch is never given twice, also where the server lost its last moments: it is at least the time.
function verbs.acquire()
    local holder, now, ttl = take(), tonumber(take()), tonumber(take())
    for _, late in ipairs(call('ZRANGEBYSCORE', 'living', '-inf', now)) do
        end_session(late)
    end
    local time = redis.call('TIME')
    local least = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
    local epoch = math.max(tonumber(call('HGET', 'counter', 'epoch') or '0') + 1, least)
    local text = string.format('%.0f', epoch)
    call('HSET', 'counter', 'epoch', text)
    call('ZADD', 'living', now + ttl, text)
    call('HSET', 's:' .. text, 'holder', holder, 'steady_since', now, 'ttl', ttl)
    return text
end

function verbs.renew()
    local epoch, now, ttl = take(), tonumber(take()), tonumber(take())
    local over = refused(epoch)
    if over then
        return over
    end
    -- Late, by more than half of its time: this server may have been away, for the others too.
    local half = tonumber(call('HGET', 's:' .. epoch, 'ttl')) / 2
    if tonumber(call('ZSCORE', 'living', epoch)) - half < now then
        call('HSET', 's:' .. epoch, 'steady_since', now)
    end
    call('ZADD', 'living', now + ttl, epoch)
    call('HSET', 's:' .. epoch, 'ttl', ttl)
end

function verbs.release()
    local epoch = take()
    if call('ZSCORE', 'living', epoch) then
        end_session(epoch)
        tell('0')
    end
end

function verbs.numbers()
    local epoch, wanted = take(), take()
    return refused(epoch) or (count('number', wanted) - tonumber(wanted) + 1)
end

-- writing

function verbs.define()
    local version, workflow, body, folder, created_at = take(), take(), take(), take(), take()
    local name = 'd:' .. version
    if call('EXISTS', name) == 0 then
        call('HSET', name, 'version', version, 'workflow', workflow, 'body', body, 'created_at', created_at)
        call('SADD', 'defs:' .. workflow, version)
    end
    call('HSET', name, 'folder', folder)
end

local RECORD = {
    'number', 'id', 'workflow', 'version', 'status', 'open', 'created_at', 'ended_at', 'key', 'parent', 'reason', 'owner',
    'wake_at',
}

-- What is another session's: nothing is written then, and it is named. The caller leaves it out and comes again.
local function foreign(epoch, known, created)
    local found = {}
    for _, item in ipairs(known) do
        local owner = call('HGET', 'i:' .. item[1], 'owner')
        if not owner or (owner ~= '0' and owner ~= epoch) then
            table.insert(found, item[1])
        end
    end
    for _, item in ipairs(created) do
        local other = call('HGET', 'ids', item[2])
        if other and other ~= item[1] and call('HGET', 'i:' .. other, 'owner') ~= epoch then
            table.insert(found, item[1])
        end
    end
    return found
end

-- Why a group cannot be written.
local function fault(created, turns, changes)
    local ends, ids = {}, {}
    for _, item in ipairs(created) do
        local number, id = item[1], item[2]
        if ends[number] or ids[id] or call('EXISTS', 'i:' .. number) == 1 or call('HEXISTS', 'ids', id) == 1 then
            return 'instance ' .. id .. ' exists already'
        end
        if (item[6] == '1') ~= (item[8] == '') then
            return 'instance ' .. id .. ' is ' .. item[5] .. ': final is what has an end'
        end
        ends[number], ids[id] = 0, true
    end
    for _, item in ipairs(turns) do
        local last = ends[item[1]] or call('HLEN', 't:' .. item[1])
        if tonumber(item[2]) ~= last + 1 then
            return 'row ' .. item[2] .. ' of instance ' .. item[1] .. ' does not follow row ' .. last
        end
        ends[item[1]] = last + 1
    end
    for _, item in ipairs(changes) do
        if (item[3] == '1') ~= (item[4] == '') then
            return 'instance ' .. item[1] .. ' is ' .. item[2] .. ': final is what has an end'
        end
    end
end

local function write_instances(created, turns, changes)
    local touched = {}
    for _, item in ipairs(created) do
        local flat = {}
        for index, name in ipairs(RECORD) do
            flat[2 * index - 1], flat[2 * index] = name, item[index]
        end
        call('HSET', 'i:' .. item[1], unpack(flat))
        call('HSET', 'ids', item[2], item[1])
        call('ZADD', 'numbers', item[1], item[1])
        give(item[1], nil, item[12])
        touched[item[1]] = true
    end
    local bytes = 0
    for _, item in ipairs(turns) do
        call('HSET', 't:' .. item[1], item[2], item[3])
        bytes = bytes + #item[3]
    end
    count('turns', #turns)
    count('bytes', bytes)
    for _, item in ipairs(changes) do
        local name = 'i:' .. item[1]
        give(item[1], call('HGET', name, 'owner'), item[6])
        call(
            'HSET', name, 'status', item[2], 'open', item[3], 'ended_at', item[4], 'reason', item[5], 'owner', item[6],
            'wake_at', item[7]
        )
        touched[item[1]] = true
    end
    return touched
end

local function write_rest(epoch, touched)
    for _, item in ipairs(list(2)) do  -- consumed: instance, id
        if call('ZREM', 'in:' .. item[1], item[2]) == 1 then
            call('HDEL', 'messages', item[2])
            touched[item[1]] = true
        end
    end
    for _, item in ipairs(list(3)) do  -- outbox: id, row, instance
        if call('HSETNX', 'outrow', item[1], item[2]) == 1 then
            call('HSET', 'outof', item[1], item[3])
            call('ZADD', 'outplace', count('out'), item[1])
            call('HSET', 'outsession', item[1], epoch)
        end
    end
    for _, item in ipairs(list(3)) do  -- blobs: instance, seq:ordinal, row
        call('HSET', 'b:' .. item[1], item[2], item[3])
    end
    for _, item in ipairs(list(3)) do  -- snapshots: instance, seq, row
        call('HSET', 'sn:' .. item[1], item[2], item[3])
        -- Two are kept: when the newest turns out to be damaged, the one before it is used.
        local seqs = call('HKEYS', 'sn:' .. item[1])
        table.sort(seqs, function(a, b) return tonumber(a) > tonumber(b) end)
        for index = 3, #seqs do
            call('HDEL', 'sn:' .. item[1], seqs[index])
        end
    end
    for _, item in ipairs(list(3)) do  -- results: key, expires_at, row
        call('HSET', 'cacherow', item[1], item[3])
        call('ZADD', 'cacheend', item[2], item[1])
        call('ZADD', 'cacheplace', count('cache'), item[1])
    end
    for _, item in ipairs(list(1)) do  -- raised: id
        call('HDEL', 'letterrow', item[1])
        call('HDEL', 'letterof', item[1])
        call('ZREM', 'letterplace', item[1])
    end
    for _, item in ipairs(list(3)) do  -- buried: id, row, instance
        if call('HSETNX', 'letterrow', item[1], item[2]) == 1 then
            call('HSET', 'letterof', item[1], item[3])
            call('ZADD', 'letterplace', count('letter'), item[1])
        end
    end
end

-- Gives the group's position (0: nothing was written), and what is another session's.
function verbs.commit()
    local epoch, known, created, turns, changes = take(), list(1), list(13), list(3), list(7)
    local over = refused(epoch)
    if over then
        return over
    end
    local others = foreign(epoch, known, created)
    if #others > 0 then
        return { 0, others }
    end
    local why = fault(created, turns, changes)
    if why then
        return broken(why)
    end
    local touched = write_instances(created, turns, changes)
    write_rest(epoch, touched)
    for number in pairs(touched) do
        arrange(number)
    end
    local entries = {}
    for index, item in ipairs(turns) do
        entries[index] = item[1] .. ':' .. item[2]
    end
    local position = call('RPUSH', 'groups', table.concat(entries, ' '))
    if call('ZCARD', 'living') > 1 then
        tell('news ' .. epoch)  -- somebody there may wait for the end of what runs here
    end
    return { position, {} }
end

-- Keep each message once, in the order given. 1: it is new, 0: it is known, -1: there is no such instance.
function verbs.post()
    local ends, woken = {}, {}
    for index, item in ipairs(list(3)) do  -- id, instance, row
        local owner = call('HGET', 'i:' .. item[2], 'owner')
        if not owner then
            ends[index] = -1
        elseif call('SADD', 'known', item[1]) == 0 then
            ends[index] = 0
        else
            call('SADD', 'kn:' .. item[2], item[1])
            call('ZADD', 'in:' .. item[2], count('arrival'), item[1])
            call('HSET', 'messages', item[1], item[3])
            arrange(item[2])
            ends[index] = 1
            if not woken[owner] then
                woken[owner] = true
                tell(owner)
            end
        end
    end
    return ends
end

function verbs.sent()
    local epoch = take()
    local over = refused(epoch)
    if over then
        return over
    end
    for _, item in ipairs(list(1)) do
        call('HDEL', 'outrow', item[1])
        call('HDEL', 'outsession', item[1])
        call('HDEL', 'outof', item[1])
        call('ZREM', 'outplace', item[1])
    end
end

function verbs.trim()
    local epoch, now, entries_max, limit = take(), take(), tonumber(take()), tonumber(take())
    local over = refused(epoch)
    if over then
        return over
    end
    local gone = call('ZRANGEBYSCORE', 'cacheend', '-inf', now, 'LIMIT', 0, limit)
    local function let_go(keys)
        for _, key in ipairs(keys) do
            call('HDEL', 'cacherow', key)
            call('ZREM', 'cacheend', key)
            call('ZREM', 'cacheplace', key)
        end
    end
    let_go(gone)
    local surplus = math.min(math.max(call('ZCARD', 'cacheplace') - entries_max, 0), limit - #gone)
    if surplus > 0 then
        let_go(call('ZRANGE', 'cacheplace', 0, surplus - 1))
    end
    return #gone + surplus
end

-- retention

-- Whose rows these are: of what is to be sent, of dead letters. Of both there are few.
local function named_in(name)
    local found = {}
    for _, number in ipairs(call('HVALS', name)) do
        found[number] = true
    end
    return found
end

local function is_alive(number, sending)
    local seen = call('HMGET', 'i:' .. number, 'open', 'parent')
    local parent = seen[2] and seen[2] ~= '' and call('HGET', 'ids', string.sub(seen[2], 2))
    return seen[1] == '1' or (parent and (sending[parent] or call('HGET', 'i:' .. parent, 'open') == '1'))
end

-- The id of a message is known so that it comes once. Of what has gone it may come anew, to one with the same id.
local function forget_messages(number)
    for _, id in ipairs(call('SMEMBERS', 'kn:' .. number)) do
        call('SREM', 'known', id)
        call('HDEL', 'messages', id)
    end
end

local function remove(number)
    local name, bytes, rows = 'i:' .. number, 0, call('HVALS', 't:' .. number)
    for _, row in ipairs(rows) do
        bytes = bytes + #row
    end
    count('turns', -#rows)
    count('bytes', -bytes)
    local seen = call('HMGET', name, 'id', 'owner')
    give(number, seen[2], '0')
    forget_messages(number)
    for _, kind in ipairs({ 'i:', 't:', 'b:', 'sn:', 'in:', 'kn:' }) do
        call('UNLINK', kind .. number)
    end
    call('HDEL', 'ids', seen[1])
    call('ZREM', 'numbers', number)
    call('ZREM', 'sleeping', number)
    for _, set in ipairs({ 'open', 'woken', 'mailed' }) do
        call('SREM', set, number)
    end
end

-- Lose these, each family as a whole or not at all; gives those that went.
function verbs.remove()
    local epoch, families, gone = take(), {}, {}
    for index = 1, tonumber(take()) do
        families[index] = list(1)
    end
    local over = refused(epoch)
    if over then
        return over
    end
    local sending, lettered = named_in('outof'), named_in('letterof')
    for _, family in ipairs(families) do
        local stays = false
        for _, item in ipairs(family) do
            stays = stays or sending[item[1]] or lettered[item[1]] or is_alive(item[1], sending)
        end
        for _, item in ipairs(stays and {} or family) do
            if call('EXISTS', 'i:' .. item[1]) == 1 then
                remove(item[1])
                table.insert(gone, item[1])
            end
        end
    end
    return gone
end

-- Groups without rows are emptied: a position is a place in the list, so they stay there. Where to go on; '' at the end.
function verbs.compact()
    local epoch, after, limit = take(), tonumber(take()), tonumber(take())
    local over = refused(epoch)
    if over then
        return over
    end
    local groups, named = call('LRANGE', 'groups', after, after + limit - 1), 0
    for index, text in ipairs(groups) do
        local left = text == ''
        named = named + 1
        for number, seq in string.gmatch(text, '(%d+):(%d+)') do
            left = left or call('HEXISTS', 't:' .. number, seq) == 1
            named = named + 1
        end
        if not left then
            call('LSET', 'groups', after + index - 1, '')
        end
        if named >= limit then
            return string.format('%.0f', after + index)
        end
    end
    return ''
end

function verbs.purge()
    local epoch, gone = take(), 0
    local over = refused(epoch)
    if over then
        return over
    end
    for _, item in ipairs(list(1)) do
        gone = gone + call('HDEL', 'letterrow', item[1])
        call('HDEL', 'letterof', item[1])
        call('ZREM', 'letterplace', item[1])
    end
    return gone
end

function verbs.keep_limits()
    local epoch = take()
    local over = refused(epoch)
    if over then
        return over
    end
    for _, item in ipairs(list(2)) do
        if item[2] == '' then
            call('HDEL', 'limits', item[1])
        else
            call('HSET', 'limits', item[1], item[2])
        end
    end
end

-- due work

-- Whether an instance is one of those that are named: by its id, or by how that begins where an entry ends with a slash.
local function is_among(number, among)
    if not among then
        return true
    end
    local id = call('HGET', 'i:' .. number, 'id')
    for _, item in ipairs(among) do
        if id == item[1] or (string.sub(item[1], -1) == '/' and string.sub(id, 1, #item[1]) == item[1]) then
            return true
        end
    end
    return false
end

-- Give due instances to a session, each to one; before that, what an earlier call gave whose answer was lost.
function verbs.claim()
    local epoch, now, limit, claim, lost = take(), tonumber(take()), tonumber(take()), take(), list(1)
    local among = take() == '1' and list(1)
    local over = refused(epoch)
    if over then
        return over
    end
    end_expired(now, epoch)
    local given, again = {}, {}
    if #lost > 0 then
        for _, item in ipairs(lost) do
            again[item[1]] = true
        end
        for _, number in ipairs(call('SMEMBERS', 'own:' .. epoch)) do
            local seen = call('HMGET', 'i:' .. number, 'open', 'claim')
            if #given < limit and seen[1] == '1' and again[seen[2]] then
                table.insert(given, number)
            end
        end
    end
    if #given > 0 then
        for _, number in ipairs(given) do
            call('HSET', 'i:' .. number, 'claim', claim)
        end
        return { 1, given }
    end
    local function some(numbers)
        for _, number in ipairs(numbers) do
            if #given < limit and is_among(number, among) then
                local name = 'i:' .. number
                give(number, call('HGET', name, 'owner'), epoch)
                call('HSET', name, 'owner', epoch, 'wake_at', '', 'claim', claim)
                arrange(number)
                table.insert(given, number)
            end
        end
    end
    for _, ended in ipairs(call('SMEMBERS', 'over')) do
        local own = 'own:' .. ended
        local left = call('SCARD', own)
        while #given < limit and left > 0 do
            local open = {}
            for _, number in ipairs(among and call('SMEMBERS', own) or call('SRANDMEMBER', own, limit)) do
                if call('HGET', 'i:' .. number, 'open') == '1' then
                    table.insert(open, number)
                else
                    call('SREM', own, number)
                end
            end
            some(open)
            local now_left = call('SCARD', own)
            if now_left == left then
                break  -- the rest of it is not named
            end
            left = now_left
        end
        if call('SCARD', own) == 0 then
            call('SREM', 'over', ended)
        end
    end
    if among then
        some(call('ZRANGEBYSCORE', 'sleeping', '-inf', now))
        some(call('SMEMBERS', 'woken'))
    elseif #given < limit then
        some(call('ZRANGEBYSCORE', 'sleeping', '-inf', now, 'LIMIT', 0, limit - #given))
        if #given < limit then
            some(call('SRANDMEMBER', 'woken', limit - #given))
        end
    end
    return { 0, given }
end

function verbs.mail()
    local epoch, limit, waiting = take(), tonumber(take()), {}
    for _, number in ipairs(call('SINTER', 'own:' .. epoch, P .. 'mailed')) do
        local entries = call('ZRANGE', 'in:' .. number, 0, limit - 1, 'WITHSCORES')
        for index = 1, #entries, 2 do
            table.insert(waiting, { tonumber(entries[index + 1]), entries[index] })
        end
    end
    table.sort(waiting, function(a, b) return a[1] < b[1] end)
    local ids = {}
    for index = 1, math.min(limit, #waiting) do
        ids[index] = waiting[index][2]
    end
    return fields('messages', ids)
end

function verbs.next_wake()
    if take() == '0' then
        return call('ZRANGE', 'sleeping', 0, 0, 'WITHSCORES')[2] or ''
    end
    local among = list(1)
    local entries = call('ZRANGE', 'sleeping', 0, -1, 'WITHSCORES')
    for index = 1, #entries, 2 do
        if is_among(entries[index], among) then
            return entries[index + 1]
        end
    end
    return ''
end

-- What this session has to send, and what those have left that are over.
function verbs.outbox()
    local epoch, limit, ids, first = take(), tonumber(take()), {}, 0
    while #ids < limit do
        local page = call('ZRANGE', 'outplace', first, first + 499)
        if #page == 0 then
            break
        end
        for index, session in ipairs(fields('outsession', page)) do
            if #ids < limit and (session == epoch or not call('ZSCORE', 'living', session)) then
                table.insert(ids, page[index])
            end
        end
        first = first + 500
    end
    return fields('outrow', ids)
end

-- reading

-- All of an instance up to row `last` (0: whatever there is), from the newest snapshot on that is not among the `unsound`.
-- `bare` asks for no snapshot and no messages: a page of rows after `after`.
function verbs.load()
    local number, last, bare, after, unsound = take(), tonumber(take()), take() == '1', tonumber(take()), {}
    for _, item in ipairs(list(1)) do
        unsound[item[1]] = true
    end
    local record = call('HGETALL', 'i:' .. number)
    if #record == 0 then
        return {}
    end
    last = math.min(last, call('HLEN', 't:' .. number))
    local snapshot = {}
    if not bare then
        for _, seq in ipairs(call('HKEYS', 'sn:' .. number)) do
            if tonumber(seq) <= last and tonumber(seq) > after and not unsound[seq] then
                after = tonumber(seq)
                snapshot = { seq, call('HGET', 'sn:' .. number, seq) }
            end
        end
    end
    local seqs, blobs, inbox = {}, {}, {}
    for seq = after + 1, last do
        table.insert(seqs, tostring(seq))
    end
    for _, name in ipairs(call('HKEYS', 'b:' .. number)) do
        local seq = tonumber(string.match(name, '^%d+'))
        if seq > after and seq <= last then
            table.insert(blobs, name)
        end
    end
    if not bare then
        inbox = fields('messages', call('ZRANGE', 'in:' .. number, 0, -1))
    end
    return { record, snapshot, seqs, fields('t:' .. number, seqs), blobs, fields('b:' .. number, blobs), inbox }
end

-- A page of records, newest first, of which those that do not match are left out; and where the next page begins.
function verbs.instances()
    local before, page, status, workflow = take(), take(), take(), take()
    local found, last = {}, ''
    for _, number in ipairs(call('ZREVRANGEBYSCORE', 'numbers', before, '-inf', 'LIMIT', 0, page)) do
        local seen = call('HMGET', 'i:' .. number, 'status', 'workflow')
        if (status == '' or seen[1] == status) and (workflow == '' or seen[2] == workflow) then
            table.insert(found, call('HGETALL', 'i:' .. number))
        end
        last = number
    end
    return { found, last }
end

function verbs.facts()
    local counted = call('HMGET', 'counter', 'turns', 'bytes')
    local latest, lease = 0, {}
    local living = call('ZRANGE', 'living', 0, -1, 'WITHSCORES')
    for index = 1, #living, 2 do
        if tonumber(living[index]) > latest then
            latest = tonumber(living[index])
            lease = { living[index], call('HGET', 's:' .. living[index], 'holder'), living[index + 1] }
        end
    end
    return { call('ZCARD', 'numbers'), call('SCARD', 'open'), counted[1] or '0', counted[2] or '0', lease }
end

return verbs[ARGV[1]]()
