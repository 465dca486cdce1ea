//! Writes of many threads, in few transactions.

use std::mem;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use mta_sts::{Entry, EntryError, UnixTime, Urgency};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::open::failure;
use super::rows::{self, Name};
use crate::StoreError;

/// What is to be done in one transaction.
pub(super) enum Work {
    Merge(Vec<Entry>),
    Remove(Name),
    /// Drops those that may be dropped, still.
    Prune(Vec<Name>, UnixTime),
    /// Drops those that are damaged, still.
    RemoveDamaged(Vec<Name>),
}

/// The result of work that was committed.
#[derive(Clone)]
pub(super) enum Done {
    /// For each entry of a merge: the entry that is held afterwards, or the fault of the bytes that
    /// stay.
    Merged(Vec<Result<Entry, EntryError>>),
    /// The number of rows that were dropped.
    Dropped(usize),
}

type Answer = Result<Done, StoreError>;

/// The one connection that writes. Whoever finds it free writes for all who wait: so many threads
/// pay for one wait for the disk.
pub(super) struct Group {
    connection: Mutex<Connection>,
    queue: Mutex<Queue>,
    turn: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Job>,
    /// Somebody writes.
    is_led: bool,
}

struct Job {
    work: Work,
    urgency: Urgency,
    answer: Arc<OnceLock<Answer>>,
}

impl Drop for Job {
    /// Nobody waits forever for a thread that panicked.
    fn drop(&mut self) {
        let _ = self.answer.set(Err(StoreError::Backend("the write was given up".to_owned())));
    }
}

impl Group {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection: Mutex::new(connection), queue: Mutex::default(), turn: Condvar::new() }
    }

    /// Does the work, together with that of other threads; returns once it is committed.
    pub(super) fn write(&self, path: &Path, work: Work, urgency: Urgency) -> Answer {
        let answer = Arc::new(OnceLock::new());
        let mut queue = self.queue();
        queue.waiting.push(Job { work, urgency, answer: Arc::clone(&answer) });
        loop {
            if let Some(answer) = answer.get() {
                return answer.clone();
            }
            if queue.is_led {
                queue = self.turn.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            queue.is_led = true;
            let jobs = mem::take(&mut queue.waiting);
            drop(queue);
            let lead = Lead(self);
            commit_all(path, &mut lock(&self.connection), &jobs);
            drop(jobs);
            drop(lead);
            queue = self.queue();
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }
}

/// The right to write, given up also by a panic.
struct Lead<'a>(&'a Group);

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        self.0.queue().is_led = false;
        self.0.turn.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn commit_all(path: &Path, connection: &mut Connection, jobs: &[Job]) {
    match commit(connection, jobs) {
        Ok(answers) => {
            for (job, answer) in jobs.iter().zip(answers) {
                let _ = job.answer.set(Ok(answer));
            }
        }
        Err(error) => {
            for job in jobs {
                let _ = job.answer.set(Err(failure(path, &error)));
            }
        }
    }
}

/// All in one transaction: nothing is changed where it fails.
fn commit(connection: &mut Connection, jobs: &[Job]) -> Result<Vec<Done>, rusqlite::Error> {
    let is_durable = jobs.iter().any(|job| job.urgency == Urgency::Durable);
    let synchronous = if is_durable { "FULL" } else { "NORMAL" };
    connection.pragma_update(None, "synchronous", synchronous)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let answers = jobs.iter().map(|job| apply(&transaction, &job.work));
    let answers = answers.collect::<Result<_, rusqlite::Error>>()?;
    transaction.commit()?;
    Ok(answers)
}

fn apply(transaction: &Transaction<'_>, work: &Work) -> Result<Done, rusqlite::Error> {
    let dropped = match work {
        Work::Merge(entries) => {
            let merged = entries.iter().map(|entry| rows::merge(transaction, entry));
            return Ok(Done::Merged(merged.collect::<Result<_, rusqlite::Error>>()?));
        }
        Work::Remove(name) => rows::remove(transaction, name),
        Work::Prune(names, now) => rows::remove_where(transaction, names, |row| {
            row.entry().is_ok_and(|entry| entry.is_disposable(*now))
        }),
        Work::RemoveDamaged(names) => rows::remove_where(transaction, names, rows::Row::is_damaged),
    };
    dropped.map(Done::Dropped)
}
