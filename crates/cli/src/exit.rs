//! What a command ends with, and how its result leaves the program.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// The exit codes, documented in the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is well.
    Well,
    /// The domain or the file has a fault.
    Fault,
    /// It could not be told.
    Unknown,
    /// The command line is wrong.
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Well => 0,
            Exit::Fault => 1,
            Exit::Unknown => 2,
            // EX_USAGE of sysexits.h.
            Exit::Usage => 64,
        })
    }
}

/// Why a command has no result.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    exit: Exit,
}

impl Failure {
    /// It could not be told, because of `cause`.
    pub(crate) fn unknown(what: impl Display, cause: impl Display) -> Self {
        Self { message: format!("{what}: {cause}"), exit: Exit::Unknown }
    }

    /// The arguments do not go together.
    pub(crate) fn usage(message: impl Display) -> Self {
        Self { message: message.to_string(), exit: Exit::Usage }
    }

    /// Says so, to people; gives the exit.
    pub(crate) fn report(self) -> Exit {
        // Nothing is left to be done about a closed stream.
        let _ = writeln!(anstream::stderr(), "error: {}", self.message);
        self.exit
    }
}

/// Prints a result; colours reach a terminal only.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever reads has read enough: the exit code still counts.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::unknown("standard output", error)),
        Ok(()) => Ok(()),
    }
}

/// Prints a result as one line of JSON.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let json =
        serde_json::to_string(value).map_err(|error| Failure::unknown("the result", error))?;
    print(&format!("{json}\n"))
}
