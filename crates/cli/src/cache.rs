//! `mta-sts cache`: what a store holds, shown, dropped and refreshed, also beside a running service.

mod entry;
mod list;
mod purge;
mod refresh;
mod show;

use mta_sts::PolicyDomain;
use mta_sts_terminal::Format;
use mta_sts_terminal::exit::{Exit, Failure};

use crate::access::Access;
use crate::args;
use crate::place::{self, Place};

/// Arguments of `cache`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Args {
    #[command(flatten)]
    store: Store,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 all is well; 1 something is unreadable, is not held, or a \
                          domain has a fault; 2 the store could not be used; 64 wrong usage";

/// Which store.
#[derive(Debug, clap::Args)]
struct Store {
    /// The store: the path of a file, or `redis://user:password@host:port/database`, of which all
    /// but the host may be left out; where it is not given, what `MTA_STS_STORE` in the environment
    /// says
    #[arg(long, value_name = "PATH|URL", global = true)]
    store: Option<Place>,
    /// How the keys of a store in Redis begin
    #[arg(long, value_name = "TEXT", global = true, default_value = place::DEFAULT_PREFIX)]
    prefix: String,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List all that is held, what was used last first
    List,
    /// Show all that is held for a domain
    Show {
        #[arg(required = true, value_name = "DOMAIN", value_parser = args::domain)]
        domains: Vec<PolicyDomain>,
    },
    /// Drop what is held; a service that runs has it in memory still, and may write it again
    Purge(purge::What),
    /// Fetch policies again, whatever DNS says
    Refresh {
        #[command(flatten)]
        what: refresh::What,
        #[command(flatten)]
        access: Access,
    },
    /// Write all that is held as lines of JSON, policies in full. There is no import: a policy
    /// comes from its domain, by HTTPS
    Export,
}

/// Does what was asked.
pub(crate) fn run(args: &Args, format: Format) -> Result<Exit, Failure> {
    let given = match &args.store.store {
        Some(place) => Some(place.clone()),
        None => Place::from_environment()?,
    };
    let Some(place) = &given else {
        return Err(Failure::usage("expected --store PATH, --store redis://… or MTA_STS_STORE"));
    };
    let prefix = &args.store.prefix;
    match &args.command {
        Command::List => list::run(&*place.open_to_read(prefix)?, place, format),
        Command::Export => list::export(&*place.open_to_read(prefix)?, place),
        Command::Show { domains } => {
            show::run(&*place.open_to_read(prefix)?, place, domains, format)
        }
        Command::Purge(what) => purge::run(&*place.open_to_write(prefix)?, place, what, format),
        Command::Refresh { what, access } => {
            refresh::run(place.open_to_write(prefix)?, place, what, access, format)
        }
    }
}
