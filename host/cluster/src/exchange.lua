-- Takes a node's report about its share of a pool, and answers it. What it does is written down, and tested, as
-- `Pool::exchange` in host/lease/src/pool.rs. One pool is one hash, and a second one for entries that were added up; times
-- are this server's, in milliseconds.
local key, added = KEYS[1], KEYS[2]
local kind, limit, name, seq = ARGV[1], tonumber(ARGV[2]), 'e:' .. ARGV[3], tonumber(ARGV[4])
local used, ceiling, short, ahead = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local is_known, generation, gone_before = ARGV[9] == '1', ARGV[10], tonumber(ARGV[11])
local before, before_used = ARGV[12], tonumber(ARGV[13])
local nodes, term, kept = tonumber(ARGV[14]), tonumber(ARGV[15]), tonumber(ARGV[16])
local returned = tonumber(ARGV[17])
local DAY, SPARE_ENTRIES, SPARE_TIME = 86400000, 80, 600000

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function read(text)
  local u, c, s, t = string.match(text, '^(%d+) (%d+) (%d+) (%d+)$')
  return tonumber(u), tonumber(c), tonumber(s), tonumber(t)
end

local function write(field, u, c, s, t)
  redis.call('HSET', key, field, string.format('%.0f %.0f %.0f %.0f', u, c, s, t))
end

local function within(wish, left)
  return math.min(wish, math.max(left, 0))
end

local function grant(left, among)
  local held = within(math.max(ceiling - used, 0), left)
  left = left - held
  local now_needed = within(short, left)
  left = left - now_needed
  local in_advance = within(ahead, math.floor(left / (2 * math.max(among, 1))))
  return used + held + now_needed + in_advance, left - in_advance
end

local own = redis.call('HGET', key, name)
local own_used, own_ceiling, own_seq
if own then
  own_used, own_ceiling, own_seq = read(own)
  if own_seq >= seq then return {} end
end

local found = redis.call('HGET', key, 'g')
if not found then
  found = string.format('%.0f', time[1] * 1000000 + time[2])
  redis.call('HSET', key, 'g', found)
end

local others, gone, left, new_ceiling = 0, 0, 0, 0
if kind == 'b' then
  nodes = math.max(nodes, 1)
  local level, at = redis.call('HGET', key, 'l'), redis.call('HGET', key, 'a')
  if level then
    level = math.min(tonumber(level) + limit * math.max(now - tonumber(at), 0) / 60000, limit)
  else
    level = limit
  end
  local drawn = is_known and used or 0
  if own then drawn = math.max(own_used, own_ceiling) end
  local claimed = math.max(used, ceiling)
  level = math.max(math.min(level + drawn - claimed, limit), -limit)
  new_ceiling, left = grant(math.floor(level) + (claimed - used), nodes)
  level = level + claimed - new_ceiling
  redis.call('HSET', key, 'l', string.format('%.17g', level), 'a', string.format('%.0f', now))
  nodes = 0
  if redis.call('HLEN', key) > SPARE_ENTRIES then
    local all = redis.call('HGETALL', key)
    for i = 1, #all, 2 do
      if string.sub(all[i], 1, 2) == 'e:' and all[i] ~= name then
        local _, _, _, till = read(all[i + 1])
        if till + SPARE_TIME <= now then redis.call('HDEL', key, all[i]) end
      end
    end
  end
else
  local known_lost = tonumber(redis.call('HGET', key, 'x') or '0')
  local lost = known_lost
  -- Takes back what was added up for an entry, so that its use counts once when its node reports again.
  local function take_back(field)
    local text = redis.call('HGET', added, field)
    if not text then return 0 end
    redis.call('HDEL', added, field)
    local of, u = string.match(text, '^(%d+) (%d+)$')
    if of ~= found then return 0 end
    lost = math.max(lost - tonumber(u), 0)
    return tonumber(u)
  end
  if kind == 'w' then
    if is_known and generation ~= found then
      lost = math.max(lost, gone_before)
    end
    if not own then take_back(name) end
    if returned > 0 then
      local field = 'r:' .. ARGV[3]
      local known = tonumber(redis.call('HGET', key, field) or '0')
      if returned > known then redis.call('HSET', key, field, string.format('%.0f', returned)) end
    end
    if before ~= '' then
      local earlier = redis.call('HGET', key, 'e:' .. before)
      if earlier then
        local u, c, s, t = read(earlier)
        write('e:' .. before, math.max(u, before_used), c, s, t)
      else
        write('e:' .. before, math.max(take_back('e:' .. before), before_used), 0, 0, now)
      end
    end
  end
  local all = redis.call('HGETALL', key)
  local held, given_back = 0, 0
  nodes = 1
  others, gone = lost, lost
  for i = 1, #all, 2 do
    local field = all[i]
    if string.sub(field, 1, 2) == 'e:' and field ~= name then
      local u, c, _, till = read(all[i + 1])
      if till > now then
        nodes, others, held = nodes + 1, others + u, held + math.max(c - u, 0)
      elseif kind == 'w' then
        others, gone = others + u, gone + u
        if till + DAY <= now then
          lost = lost + u
          redis.call('HSET', added, field, string.format('%s %.0f', found, u))
          redis.call('HDEL', key, field)
        end
      else
        redis.call('HDEL', key, field)
      end
    elseif string.sub(field, 1, 2) == 'r:' then
      given_back = given_back + tonumber(all[i + 1])
    end
  end
  others = others - math.min(given_back, others)
  if lost ~= known_lost then redis.call('HSET', key, 'x', string.format('%.0f', lost)) end
  new_ceiling, left = grant(limit - others - held - used, nodes)
end

write(name, used, new_ceiling, seq, now + term)
for _, hash in ipairs(kind == 'w' and {key, added} or {key}) do
  if kept > 0 then redis.call('PEXPIRE', hash, kept) else redis.call('PERSIST', hash) end
end

local answer = {}
for i, number in ipairs({new_ceiling, others, gone, left, nodes, tonumber(found), now}) do
  answer[i] = string.format('%.0f', number)
end
return answer
