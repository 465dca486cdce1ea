//! What is asked of the server, each in one step that nobody else comes between.

use redis::{Connection, RedisResult, Value, cmd};

/// What a key was seen to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    Nothing,
    Bytes(Vec<u8>),
    /// A list, or whatever else is no string.
    OfOtherType,
}

impl Seen {
    /// The bytes to read as an entry; those of another type are none.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Nothing => None,
            Self::Bytes(bytes) => Some(bytes),
            Self::OfOtherType => Some(&[]),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Bytes(_) => "string",
            Self::OfOtherType => "other",
        }
    }
}

/// What is to be put in the place of what was seen.
pub(super) struct Change {
    pub(super) name: Vec<u8>,
    pub(super) seen: Seen,
    /// `None`: nothing.
    pub(super) bytes: Option<Vec<u8>>,
    /// In seconds.
    pub(super) ttl: u64,
    pub(super) last_used: u64,
}

impl Change {
    pub(super) fn removal(name: Vec<u8>, seen: Seen) -> Self {
        Self { name, seen, bytes: None, ttl: 0, last_used: 0 }
    }
}

const READ: &str = "
    local held = {}
    for i, key in ipairs(KEYS) do
        local kind = redis.call('TYPE', key).ok
        if kind == 'string' then held[i] = redis.call('GET', key)
        elseif kind == 'none' then held[i] = false
        else held[i] = 0 end
    end
    return held";

/// The last key is the sorted set; each other has six arguments.
const CHANGE: &str = "
    local index = KEYS[#KEYS]
    local done = {}
    for i = 1, #KEYS - 1 do
        local key, at = KEYS[i], (i - 1) * 6
        local name, seen, old, new = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
        local kind = redis.call('TYPE', key).ok
        if kind ~= 'none' and kind ~= 'string' then kind = 'other' end
        local same = kind == seen and (kind ~= 'string' or redis.call('GET', key) == old)
        if same and new == '' then
            redis.call('DEL', key)
            redis.call('ZREM', index, name)
        elseif same then
            redis.call('SET', key, new, 'EX', ARGV[at + 5])
            redis.call('ZADD', index, ARGV[at + 6], name)
        end
        done[i] = same and 1 or 0
    end
    return done";

const REMOVE: &str = "
    redis.call('ZREM', KEYS[2], ARGV[1])
    return redis.call('DEL', KEYS[1])";

pub(super) fn read(connection: &mut Connection, keys: &[Vec<u8>]) -> RedisResult<Vec<Seen>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let mut eval = cmd("EVAL");
    eval.arg(READ).arg(keys.len());
    for key in keys {
        eval.arg(key);
    }
    let held: Vec<Value> = eval.query(connection)?;
    let seen = |value| match value {
        Value::Nil => Seen::Nothing,
        Value::BulkString(bytes) => Seen::Bytes(bytes),
        _ => Seen::OfOtherType,
    };
    Ok(held.into_iter().map(seen).collect())
}

/// Says of each change whether the key held what was seen, and so was changed.
pub(super) fn change(
    connection: &mut Connection,
    keys: &[Vec<u8>],
    index: &[u8],
    changes: &[Change],
) -> RedisResult<Vec<bool>> {
    let mut eval = cmd("EVAL");
    eval.arg(CHANGE).arg(keys.len().saturating_add(1));
    for key in keys {
        eval.arg(key);
    }
    eval.arg(index);
    for change in changes {
        eval.arg(&change.name)
            .arg(change.seen.kind())
            .arg(change.seen.bytes().unwrap_or_default())
            .arg(change.bytes.as_deref().unwrap_or_default())
            .arg(change.ttl)
            .arg(change.last_used);
    }
    let done: Vec<i64> = eval.query(connection)?;
    Ok(done.into_iter().map(|done| done == 1).collect())
}

/// Whether there was something.
pub(super) fn remove(
    connection: &mut Connection,
    key: &[u8],
    index: &[u8],
    name: &[u8],
) -> RedisResult<bool> {
    let mut eval = cmd("EVAL");
    let removed: i64 = eval.arg(REMOVE).arg(2).arg(key).arg(index).arg(name).query(connection)?;
    Ok(removed > 0)
}

/// A page of names, what was used last first.
pub(super) fn by_use(
    connection: &mut Connection,
    index: &[u8],
    start: usize,
    count: usize,
) -> RedisResult<Vec<Vec<u8>>> {
    let end = start.saturating_add(count).saturating_sub(1);
    cmd("ZREVRANGE").arg(index).arg(start).arg(end).query(connection)
}

/// Some keys, and where to go on; from 0 to 0.
pub(super) fn scan(
    connection: &mut Connection,
    cursor: u64,
    pattern: &str,
    count: usize,
) -> RedisResult<(u64, Vec<Vec<u8>>)> {
    cmd("SCAN").arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(count).query(connection)
}

/// Notes the name in the sorted set, if it is not there.
pub(super) fn note_use(
    connection: &mut Connection,
    index: &[u8],
    last_used: u64,
    name: &[u8],
) -> RedisResult<()> {
    cmd("ZADD").arg(index).arg("NX").arg(last_used).arg(name).query(connection)
}
