//! Connections to one server, and what happens while it does not answer.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::{Client, Connection, ErrorKind, RedisError, RedisResult};

use crate::StoreError;

/// The most connections at a time.
const MOST: usize = 16;
/// For how long everything fails at once after the server did not answer.
const REST: Duration = Duration::from_secs(1);

pub(super) struct Pool {
    client: Client,
    address: String,
    connect: Duration,
    answer: Duration,
    state: Mutex<State>,
    given_back: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    /// Those in use included.
    open: usize,
    /// Until when it is not tried again, and why.
    resting: Option<(Instant, StoreError)>,
}

/// A connection in use; it is given back when it is dropped.
struct Lease<'a> {
    pool: &'a Pool,
    connection: Option<Connection>,
    /// It was used before: the server may have closed it since.
    is_old: bool,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        match self.connection.take() {
            Some(connection) => state.idle.push(connection),
            None => state.open -= 1,
        }
        drop(state);
        self.pool.given_back.notify_one();
    }
}

impl Pool {
    pub(super) fn new(client: Client) -> Self {
        let address = client.get_connection_info().addr().to_string();
        Self {
            client,
            address,
            connect: Duration::from_secs(1),
            answer: Duration::from_secs(2),
            state: Mutex::default(),
            given_back: Condvar::new(),
        }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn set_timeouts(&mut self, connect: Duration, answer: Duration) {
        // Zero would be for ever.
        self.connect = connect.max(Duration::from_millis(1));
        self.answer = answer.max(Duration::from_millis(1));
    }

    #[cfg(feature = "redis-tls")]
    pub(super) fn is_tls(&self) -> bool {
        matches!(self.client.get_connection_info().addr(), redis::ConnectionAddr::TcpTls { .. })
    }

    #[cfg(feature = "redis-tls")]
    pub(super) fn use_root(&mut self, certificates: redis::TlsCertificates) -> RedisResult<()> {
        self.client =
            Client::build_with_tls(self.client.get_connection_info().clone(), certificates)?;
        Ok(())
    }

    /// Asks the server. What is asked may be asked twice: once of a connection that turns out to
    /// be closed, and once more.
    pub(super) fn run<T>(
        &self,
        ask: impl Fn(&mut Connection) -> RedisResult<T>,
    ) -> Result<T, StoreError> {
        loop {
            let mut lease = self.lease()?;
            let Some(connection) = &mut lease.connection else {
                return Err(self.failed(&lost()));
            };
            let error = match ask(connection) {
                Ok(answer) => {
                    self.state().resting = None;
                    return Ok(answer);
                }
                Err(error) => error,
            };
            // The server's own word leaves the connection as it was; all else leaves it between
            // two answers.
            if error.code().is_some() {
                return Err(self.failed(&error));
            }
            drop(lease.connection.take());
            if !lease.is_old || error.is_timeout() {
                return Err(self.rest(&error));
            }
            // The others are of the same age.
            let mut state = self.state();
            state.open -= state.idle.len();
            state.idle.clear();
        }
    }

    fn lease(&self) -> Result<Lease<'_>, StoreError> {
        let patience = Instant::now() + self.answer;
        let mut state = self.state();
        loop {
            if let Some((until, error)) = &state.resting
                && Instant::now() < *until
            {
                return Err(error.clone());
            }
            if let Some(connection) = state.idle.pop() {
                return Ok(Lease { pool: self, connection: Some(connection), is_old: true });
            }
            if state.open < MOST {
                break;
            }
            let left = patience.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(StoreError::Backend(format!(
                    "{}: all {MOST} connections were busy for {:?}",
                    self.address, self.answer
                )));
            }
            let waited = self.given_back.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.open += 1;
        drop(state);
        let mut lease = Lease { pool: self, connection: None, is_old: false };
        match self.connect() {
            Ok(connection) => lease.connection = Some(connection),
            Err(error) => return Err(self.rest(&error)),
        }
        Ok(lease)
    }

    fn connect(&self) -> RedisResult<Connection> {
        let connection = self.client.get_connection_with_timeout(self.connect)?;
        connection.set_read_timeout(Some(self.answer))?;
        connection.set_write_timeout(Some(self.answer))?;
        Ok(connection)
    }

    /// Nothing is asked for a while.
    fn rest(&self, error: &RedisError) -> StoreError {
        let failed = self.failed(error);
        let mut state = self.state();
        state.open -= state.idle.len();
        state.idle.clear();
        state.resting = Some((Instant::now() + REST, failed.clone()));
        drop(state);
        self.given_back.notify_all();
        failed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What failed, and what to do.
    fn failed(&self, error: &RedisError) -> StoreError {
        let address = &self.address;
        if error.is_timeout() {
            return StoreError::Backend(format!("{address} did not answer in time"));
        }
        match (error.kind(), error.code()) {
            (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS" | "NOPERM")) => {
                StoreError::Unusable(format!(
                    "{address} does not let this user in ({error}): give user and password in the \
                     URL, and permit the commands that the documentation lists"
                ))
            }
            (_, Some("READONLY")) => {
                StoreError::ReadOnly(format!("{address} is a replica: give the primary's address"))
            }
            (_, Some("OOM")) => StoreError::Backend(format!(
                "{address} has no memory left (maxmemory): give it more, or remove something"
            )),
            (_, Some("MOVED" | "CROSSSLOT")) => StoreError::Unusable(format!(
                "{address} is a node of a cluster, whose protocol is not spoken here: give a \
                 single server"
            )),
            _ => StoreError::Backend(format!("{address}: {error}")),
        }
    }
}

fn lost() -> RedisError {
    RedisError::from((ErrorKind::Client, "the connection was lost"))
}
