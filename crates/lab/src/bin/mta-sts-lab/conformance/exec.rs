//! A program that gives verdicts: started for each case, bounded in time and output, and never
//! trusted.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use mta_sts_terminal::exit::Failure;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

use super::Answer;
use super::case::Case;

/// Octets of a verdict.
const MAX_OUTPUT: u64 = 65_536;
/// Octets of what a program last says of its trouble.
const MAX_COMPLAINT: usize = 4_096;

pub(super) struct Program {
    path: String,
    args: Vec<String>,
    limit: Duration,
}

/// What a program left behind.
struct Ended {
    status: ExitStatus,
    output: Vec<u8>,
    complaint: Vec<u8>,
}

impl Program {
    pub(super) fn parse(command: &str, limit: Duration) -> Result<Self, Failure> {
        let mut words = command.split_whitespace().map(str::to_owned);
        let path = words.next().ok_or_else(|| Failure::usage("--exec names no program"))?;
        Ok(Self { path, args: words.collect(), limit })
    }

    /// Asks for the verdict on one case.
    ///
    /// # Errors
    /// The program cannot be started at all: then there is nothing to judge.
    pub(super) async fn answer(&self, case: &Case) -> Result<Answer, Failure> {
        let mut child = Command::new(&self.path)
            .args(&self.args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Failure::unknown(&self.path, error))?;
        let question = format!("{}\n", case.question());
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let write = async {
            if let Some(mut stdin) = stdin {
                // A program need not read what it does not want to know.
                let _ = stdin.write_all(question.as_bytes()).await;
            }
        };
        let read = async {
            let output = bounded(stdout, MAX_OUTPUT).await;
            if output.len() as u64 > MAX_OUTPUT {
                // It would write on, and not end.
                let _ = child.start_kill();
            }
            (output, child.wait().await)
        };
        let all = async { tokio::join!(write, read, tail(stderr, MAX_COMPLAINT)) };
        let ended = match timeout(self.limit, all).await {
            Err(_) => {
                // It may have ended by itself just now.
                let _ = child.kill().await;
                return Ok(Answer::Trouble(format!("no verdict in {:?}", self.limit)));
            }
            Ok(((), (_, Err(error)), _)) => return Ok(Answer::Trouble(error.to_string())),
            Ok(((), (output, Ok(status)), complaint)) => Ended { status, output, complaint },
        };
        Ok(ended.answer())
    }
}

impl Ended {
    fn answer(self) -> Answer {
        if self.output.len() as u64 > MAX_OUTPUT {
            return Answer::Trouble(format!("it printed more than {MAX_OUTPUT} octets"));
        }
        if !self.status.success() {
            let complaint = String::from_utf8_lossy(&self.complaint);
            // What was last said is most often the reason.
            let last = complaint.lines().map(str::trim).rfind(|line| !line.is_empty());
            let reason = last.map(|line| format!(": {line}")).unwrap_or_default();
            return Answer::Trouble(format!("it ended with {}{reason}", self.status));
        }
        match serde_json::from_slice(&self.output) {
            Ok(verdict @ serde_json::Value::Object(_)) => Answer::Verdict(verdict),
            Ok(other) => Answer::Trouble(format!("expected a JSON object, found {other}")),
            Err(_) if self.output.trim_ascii().is_empty() => {
                Answer::Trouble("it printed nothing".to_owned())
            }
            Err(error) => Answer::Trouble(format!(
                "expected a JSON object, found {:?} ({error})",
                String::from_utf8_lossy(&self.output)
            )),
        }
    }
}

/// Reads to the end, or one octet more than the limit.
async fn bounded(stream: Option<impl AsyncRead + Unpin>, limit: u64) -> Vec<u8> {
    let mut octets = Vec::new();
    if let Some(stream) = stream {
        // What was read before an error is all there is.
        let _ = stream.take(limit + 1).read_to_end(&mut octets).await;
    }
    octets
}

/// Reads to the end, and keeps the last octets: who complains at length is not cut short.
async fn tail(stream: Option<impl AsyncRead + Unpin>, limit: usize) -> Vec<u8> {
    let (mut kept, mut chunk) = (Vec::new(), vec![0; limit]);
    let Some(mut stream) = stream else { return kept };
    while let Ok(count @ 1..) = stream.read(&mut chunk).await {
        kept.extend_from_slice(chunk.get(..count).unwrap_or_default());
        kept.drain(..kept.len().saturating_sub(limit));
    }
    kept
}
