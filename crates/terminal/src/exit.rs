//! Exit codes, failures, and printing.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

/// The exit code of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: everything is as it should be.
    Well,
    /// 1: what was examined has a fault.
    Fault,
    /// 2: undetermined, because DNS, the network or a file failed.
    Unknown,
    /// 64: the command line is wrong.
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

/// The reason for which a command has no result, with its exit code.
#[derive(Debug)]
pub struct Failure {
    message: String,
    exit: Exit,
}

impl Failure {
    /// Returns a failure with the code [`Exit::Unknown`] and the text `what: cause`.
    pub fn unknown(what: impl Display, cause: impl Display) -> Self {
        Self { message: format!("{what}: {cause}"), exit: Exit::Unknown }
    }

    /// Returns a failure with the code [`Exit::Usage`], for arguments that contradict each other.
    pub fn usage(message: impl Display) -> Self {
        Self { message: message.to_string(), exit: Exit::Usage }
    }

    /// Prints the failure to the standard error and returns its exit code.
    pub fn report(self) -> Exit {
        // Nothing is left to be done about a closed stream.
        let _ = writeln!(anstream::stderr(), "error: {}", self.message);
        self.exit
    }
}

/// Reads the arguments of the program, runs it, and reports its failure if there is one.
///
/// Wrong usage ends with [`Exit::Usage`], and help or the version with [`Exit::Well`].
pub fn run_program<C: Parser>(run: impl FnOnce(C) -> Result<Exit, Failure>) -> ExitCode {
    let exit = match C::try_parse() {
        Ok(cli) => run(cli).unwrap_or_else(Failure::report),
        Err(error) => {
            // Nothing is left to be done about a closed stream.
            let _ = error.print();
            if error.use_stderr() { Exit::Usage } else { Exit::Well }
        }
    };
    exit.into()
}

/// Prints a result to the standard output. Colours reach a terminal only.
///
/// A reader that closed the pipe is no failure: the exit code still reports the result.
///
/// # Errors
/// The standard output cannot be written.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::unknown("standard output", error)),
        Ok(()) => Ok(()),
    }
}

/// Prints a result as one line of JSON.
///
/// # Errors
/// The value cannot be written as JSON, or the standard output cannot be written.
pub fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let json =
        serde_json::to_string(value).map_err(|error| Failure::unknown("the result", error))?;
    print(&format!("{json}\n"))
}
