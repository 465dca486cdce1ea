//! `mta-sts-lab up`, as it is run.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use mta_sts::{Mode, Outcome, PolicyDomain, Problem, Status};
use mta_sts_adapters::tokio::MtaSts;
use mta_sts_adapters::{HickoryDns, Roots};
use serde_json::Value;

/// The running program. It is ended with the test, whatever the test finds.
struct Servers {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Servers {
    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mta-sts-lab"));
        // A program that is killed leaves its file of the root certificate behind.
        command.env("TMPDIR", env!("CARGO_TARGET_TMPDIR"));
        command.arg("up").args(args).env_remove("CLICOLOR_FORCE");
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program runs");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, stdout }
    }

    /// The program, and its line of JSON.
    fn json(args: &[&str]) -> (Self, Value) {
        let mut servers = Self::start(&[&["--format", "json"], args].concat());
        let mut line = String::new();
        servers.stdout.read_line(&mut line).expect("a line");
        let value = serde_json::from_str(&line).expect("one line of JSON");
        (servers, value)
    }

    /// Closes the standard input and returns the exit code.
    fn close(&mut self) -> Option<i32> {
        drop(self.child.stdin.take());
        self.child.wait().expect("an end").code()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn path(value: &Value) -> &Path {
    Path::new(value["ca"].as_str().expect("a path"))
}

/// Asks the servers, with nothing but what they printed.
fn look_up(value: &Value, domain: &str) -> Outcome {
    let address = |name: &str| value[name].as_str().expect("an address").parse().expect("one");
    let client = MtaSts::builder()
        .dns(HickoryDns::servers([address("dns")]))
        .roots(Roots::GivenOnly)
        .extra_root(std::fs::read(path(value)).expect("the root certificate"))
        .policy_port(address("https").port())
        .allow_private_addresses(true)
        .build()
        .expect("a client");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let domain = PolicyDomain::parse(domain).expect("a domain");
    runtime.expect("a runtime").block_on(client.policy_for(&domain))
}

fn refused(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mta-sts-lab"));
    command.arg("up").args(args).stdin(Stdio::null()).output().expect("the program runs")
}

#[test]
fn client_finds_the_policy_until_standard_input_closes() {
    let (mut servers, value) = Servers::json(&[]);
    let outcome = look_up(&value, "example.com");
    assert_eq!((outcome.status(), outcome.problem()), (Status::Found, None));
    let held = outcome.policy().expect("a policy");
    assert_eq!((held.mode(), held.id().to_string().as_str()), (Mode::Enforce, "1"));
    let published = &value["domains"][0];
    assert_eq!(published["domain"], "example.com");
    assert_eq!(published["txt_name"], "_mta-sts.example.com");
    assert_eq!(published["record"], "v=STSv1; id=1;");
    assert_eq!(published["policy_host"], "mta-sts.example.com");
    let url = "https://mta-sts.example.com/.well-known/mta-sts.txt";
    assert_eq!(published["policy_url"], url);
    assert_eq!(
        published["policy"],
        "version: STSv1\r\nmode: enforce\r\nmx: mx.example.com\r\nmax_age: 604800\r\n"
    );
    let file = path(&value).to_owned();
    assert!(file.exists());
    assert_eq!(servers.close(), Some(0));
    assert!(!file.exists(), "the temporary file is gone");
    let https = value["https"].as_str().expect("an address");
    assert_eq!(TcpStream::connect(https).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn options_shape_what_is_published() {
    let args = ["a.example", "b.example", "--mode", "testing", "--id", "7x", "--max-age", "86400"];
    let (_servers, value) =
        Servers::json(&[&args[..], &["--mx", "mx1.a.example", "--mx", "*.b.example"]].concat());
    for domain in ["a.example", "b.example"] {
        let outcome = look_up(&value, domain);
        assert_eq!(outcome.status(), Status::Found);
        let held = outcome.policy().expect("a policy");
        let patterns: Vec<_> = held.policy().mx().map(|mx| mx.as_str().to_owned()).collect();
        assert_eq!(patterns, ["mx1.a.example", "*.b.example"]);
        assert_eq!((held.mode(), held.policy().max_age().as_secs()), (Mode::Testing, 86_400));
        assert_eq!(held.id().to_string(), "7x");
    }
}

/// What an MX host says to EHLO.
fn offers(host: &Value) -> String {
    let stream = TcpStream::connect(host["smtp"].as_str().expect("an address"));
    let mut reader = BufReader::new(stream.expect("an MX host"));
    let mut greeting = String::new();
    reader.read_line(&mut greeting).expect("a greeting");
    let expected = format!("220 {} ESMTP lab\r\n", host["name"].as_str().expect("a name"));
    assert_eq!(greeting, expected);
    reader.get_mut().write_all(b"EHLO out.example\r\nQUIT\r\n").expect("a socket");
    std::io::read_to_string(reader).expect("replies")
}

#[test]
fn mx_hosts_answer_starttls_as_chosen() {
    let names = ["--mx", "b.example", "--mx", "*.c.example", "--mx", "a.example"];
    for (starttls, is_offered) in [("works", true), ("refused", true), ("missing", false)] {
        let args = [&["x.example", "y.example", "--starttls", starttls], &names[..]].concat();
        let (_servers, value) = Servers::json(&args);
        let hosts = value["mx_hosts"].as_array().expect("an array");
        let found: Vec<_> = hosts.iter().map(|host| &host["name"]).collect();
        assert_eq!(found, ["a.example", "b.example"]);
        for host in hosts {
            assert_eq!(offers(host).contains("STARTTLS"), is_offered, "{starttls}");
        }
    }
}

#[test]
fn chosen_certificate_is_refused() {
    let certificates =
        ["expired", "wrong-name", "self-signed", "unknown-authority", "missing-intermediate"];
    for certificate in certificates {
        let (_servers, value) = Servers::json(&["--certificate", certificate]);
        let outcome = look_up(&value, "example.com");
        let code = outcome.problem().map(Problem::code);
        assert_eq!((outcome.status(), code), (Status::Absent, Some("policy-certificate")));
    }
}

#[test]
fn policy_file_is_served_as_it_is_and_root_certificate_is_kept() {
    let folder = std::env::temp_dir().join(format!("mta-sts-lab-test-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let (policy, ca) = (folder.join("policy.txt"), folder.join("root.pem"));
    std::fs::write(&policy, "version: STSv1\nmode: enforced\n").expect("a file");
    let [policy, ca] = [&policy, &ca].map(|path| path.to_str().expect("UTF-8"));
    let (mut servers, value) = Servers::json(&["--policy", policy, "--ca", ca]);
    assert_eq!(value["ca"], ca);
    let outcome = look_up(&value, "example.com");
    assert_eq!(outcome.problem().map(Problem::code), Some("policy-invalid"));
    assert_eq!(servers.close(), Some(0));
    assert!(Path::new(ca).exists());
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn person_reads_the_settings() {
    let mut servers = Servers::start(&["kettle.example"]);
    drop(servers.child.stdin.take());
    let text = std::io::read_to_string(&mut servers.stdout).expect("UTF-8");
    assert_eq!(servers.close(), Some(0));
    for part in [
        "DNS, HTTPS and SMTP servers for kettle.example run on this machine.",
        "1. resolver: 127.0.0.1:",
        "2. port of Policy Hosts: ",
        "3. trusted root certificate (PEM): ",
        "4. allow connections to Policy Hosts at 127.0.0.1",
        "5. port of MX hosts: as listed below, instead of 25",
        "mx.kettle.example at 127.0.",
        "mta-sts check kettle.example --dns 127.0.0.1:",
        "_mta-sts.kettle.example TXT \"v=STSv1; id=1;\"",
        "https://mta-sts.kettle.example/.well-known/mta-sts.txt",
        "Ctrl-C",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains('\u{1b}'), "no colours where there is no terminal");
}

#[cfg(unix)]
#[test]
fn signal_ends_the_servers_and_removes_the_file() {
    for signal in ["INT", "TERM"] {
        let (mut servers, value) = Servers::json(&[]);
        let id = servers.child.id().to_string();
        let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {id}")]).status();
        assert!(sent.expect("a shell").success());
        assert_eq!(servers.child.wait().expect("an end").code(), Some(0), "{signal}");
        assert!(!path(&value).exists());
    }
}

#[test]
fn wrong_arguments_are_wrong_usage() {
    let long = "x".repeat(33);
    for args in [
        &["a..b"][..],
        &["--mode", "on"],
        &["--mx", "a.*.example"],
        &["--id", &long],
        &["--max-age", "31557601"],
        &["--policy", "-"],
        &["--policy", "p.txt", "--mode", "none"],
    ] {
        let output = refused(args);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(64), 0), "{args:?}");
    }
    for args in [["--policy", "/nowhere/at/all"], ["--ca", "/nowhere/at/all"]] {
        let output = refused(&args);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{args:?}");
    }
}
