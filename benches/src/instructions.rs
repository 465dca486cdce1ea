//! How many instructions things take, by valgrind, which must be installed. Unlike times they
//! repeat, whatever else the machine does.

use std::hint::black_box;
use std::process::Command;

use mta_sts::{DnsName, Entry, Held, Lookup, Policy, PolicyRef, Profile, Record};

use crate::Anything;
use crate::makings::{NOW, domain, entry, policy};

const WORKS: [&str; 8] = [
    "TXT record",
    "policy of 4 mx, borrowed",
    "policy of 4 mx, owned",
    "match, 4 mx, hit",
    "held decision (Entry::decide)",
    "held decision (a whole Lookup)",
    "entry to bytes",
    "entry from bytes",
];

/// A table of all.
pub(crate) fn print() -> Result<(), Anything> {
    println!("| work | instructions |");
    println!("|---|---|");
    for work in WORKS {
        // What comes before the work and after it is the same for both.
        let [few, many] = [1_000, 3_000].map(|times| count(work, times));
        println!("| {work} | {} |", (many? - few?) / 2_000);
    }
    Ok(())
}

fn count(work: &str, times: usize) -> Result<u64, Anything> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["repeat", work, &times.to_string()])
        .output()?;
    let report = String::from_utf8(output.stderr)?;
    let collected = report.lines().find_map(|line| Some(line.split_once("Collected : ")?.1));
    Ok(collected.ok_or("valgrind has counted nothing")?.trim().parse()?)
}

/// Does one of them so often, for [`count`].
pub(crate) fn repeat(work: &str, times: &str) -> Result<(), Anything> {
    let (text, name, now) = (policy(4), domain(7), NOW.plus_secs(60));
    let held = Policy::parse(text.as_bytes(), Profile::Tolerant)?;
    let (host, entry) = (DnsName::parse("m3.example.com")?, entry(&name));
    let bytes = entry.to_bytes();
    let done = |_| match work {
        "TXT record" => Record::parse(black_box(b"v=STSv1; id=20160831085700Z;")).is_ok(),
        "policy of 4 mx, borrowed" => {
            PolicyRef::parse(black_box(text.as_bytes()), Profile::Tolerant).is_ok()
        }
        "policy of 4 mx, owned" => {
            Policy::parse(black_box(text.as_bytes()), Profile::Tolerant).is_ok()
        }
        "match, 4 mx, hit" => black_box(&held).matches(black_box(&host)),
        "held decision (Entry::decide)" => {
            black_box(&entry).decide(black_box(&name), now).is_some()
        }
        "held decision (a whole Lookup)" => {
            let held = Held::Entry(black_box(&entry).clone());
            let started = Lookup::new(black_box(&name).clone(), held).start(now);
            matches!(started, mta_sts::lookup::Start::Done(_))
        }
        "entry to bytes" => !black_box(&entry).to_bytes().is_empty(),
        "entry from bytes" => Entry::from_bytes(&name, black_box(&bytes)).is_ok(),
        _ => false,
    };
    let times: usize = times.parse()?;
    let all = (0..times).map(done).filter(|done| *done).count() == times;
    all.then_some(()).ok_or_else(|| format!("no work is called {work}").into())
}
