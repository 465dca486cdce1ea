//! `mta-sts check` against real servers on loopback.

#[path = "check/world.rs"]
mod world;

use std::process::Command;

use mta_sts_lab::{Certificate, DnsAnswer, Fate, Https, Rcode, RecordType, Response};
use serde_json::{Value, json};

use world::{World, exit, json_of, run, text};

#[test]
fn ok_a_policy_is_found_and_covers_its_hosts() {
    let world = World::new();
    let domain = world.lab.domain("example.com").id("20260101").mode("enforce").max_age(86_400);
    domain.mx(["mx1.example.com", "mx2.example.com"]).publish();
    let hosts = [(20, "MX2.example.com"), (10, "mx1.example.com")];
    world.lab.dns().mx("example.com", hosts, 300);

    let (exit, found) = world.one(&["example.com"]);

    let expected = json!({
        "domain": "example.com",
        "status": "found",
        "policy": {
            "mode": "enforce", "max_age": 86_400,
            "mx": ["mx1.example.com", "mx2.example.com"], "id": "20260101",
        },
        "problem": null,
        "expires_in": found["expires_in"],
        "mx": [
            {"host": "mx1.example.com", "preference": 10, "matched": "mx1.example.com"},
            {"host": "mx2.example.com", "preference": 20, "matched": "mx2.example.com"},
        ],
    });
    assert_eq!((exit, &found), (0, &expected));
    let left = found["expires_in"].as_u64().expect("a time");
    assert!((86_000..=86_400).contains(&left), "{left}");
}

#[test]
fn ok_a_person_reads_who_may_take_the_mail() {
    let world = World::new();
    world
        .lab
        .domain("example.com")
        .mode("enforce")
        .mx(["a.example.com", "*.example.net"])
        .publish();
    world.lab.dns().mx("example.com", [(10, "a.example.com"), (20, "b.example.net")], 300);

    let (exit, report) = world.human(&["example.com"]);

    assert_eq!(exit, 0);
    for part in [
        "example.com\n",
        "found",
        "id 1, at _mta-sts.example.com",
        "enforce",
        "1 week",
        "20  b.example.net  matches *.example.net",
        "Mail to example.com goes only to a.example.com and b.example.net, over verified TLS.",
    ] {
        assert!(report.contains(part), "{part:?} is not in:\n{report}");
    }
    assert!(!report.contains('\u{1b}'), "no colours where there is no terminal:\n{report}");
}

#[test]
fn ok_no_record_is_no_fault() {
    let world = World::new();
    world.lab.dns().mx("example.com", [(10, "mx.example.com")], 300);
    let (exit, found) = world.one(&["example.com"]);
    let expected = json!({
        "domain": "example.com", "status": "absent", "policy": null, "problem": null,
        "expires_in": null,
        "mx": [{"host": "mx.example.com", "preference": 10, "matched": null}],
    });
    assert_eq!((exit, found), (0, expected));
    let (_, report) = world.human(&["example.com"]);
    assert!(report.contains("There is no policy: example.com publishes no MTA-STS record."));
}

#[test]
fn ok_a_wildcard_of_something_else_is_no_record() {
    let world = World::new();
    world.lab.dns().txt("_mta-sts.example.com", ["v=spf1 -all"], 300);
    let (exit, found) = world.one(&["example.com"]);
    assert_eq!((exit, &found["status"], &found["problem"]), (0, &json!("absent"), &Value::Null));
}

#[test]
fn err_a_record_in_quotes_is_a_record_gone_wrong() {
    let world = World::new();
    world.lab.dns().txt("_mta-sts.example.com", ["\"v=STSv1; id=1;\""], 300);
    let (exit, report) = world.human(&["example.com"]);
    assert_eq!(exit, 1);
    assert!(report.contains("quoted_record"), "{report}");
    assert!(report.contains("looks like a record gone wrong"), "{report}");
}

#[test]
fn err_two_records_count_as_none() {
    let world = World::new();
    world.lab.domain("example.com").publish();
    let records = [["v=STSv1; id=1;"], ["v=STSv1; id=2;"]];
    world.lab.dns().txt_records("_mta-sts.example.com", records, 300);
    let (exit, found) = world.one(&["example.com"]);
    assert_eq!((exit, &found["status"]), (1, &json!("absent")));
    assert_eq!(found["problem"]["reason_code"], "dns-several-records");
    assert_eq!(world.lab.https().connections(), 0);
}

#[test]
fn err_a_malformed_record_is_shown_with_the_place_of_its_fault() {
    let world = World::new();
    world.lab.dns().txt("_mta-sts.example.com", ["v=STSv1; id=2026-01-01;"], 300);
    let (exit, found) = world.one(&["example.com"]);
    assert_eq!((exit, &found["status"]), (1, &json!("absent")));
    assert_eq!(found["problem"]["reason_code"], "dns-record-malformed");
    let (exit, report) = world.human(&["example.com"]);
    assert_eq!(exit, 1);
    let lines: Vec<_> = report.lines().collect();
    let shown = lines.iter().position(|line| line.contains("| v=STSv1; id=2026-01-01;"));
    let below = shown.and_then(|at| lines.get(at + 1)).expect("a line below the record");
    let columns = |line: &str, c| line.chars().position(|other| other == c);
    let record = lines.get(shown.unwrap_or(0)).copied().unwrap_or_default();
    let record_starts = columns(record, 'v').expect("the record");
    assert_eq!(columns(below, '^').map(|at| at - record_starts), Some(16), "{report}");
}

#[test]
fn err_an_invalid_policy_is_shown_with_the_place_of_its_fault() {
    let world = World::new();
    let policy = "version: STSv1\nmode: enforced\nmx: mx.example.com\nmax_age: 1209600\n";
    world.lab.domain("example.com").policy(policy).publish();
    let (exit, found) = world.one(&["example.com"]);
    assert_eq!((exit, &found["status"], &found["policy"]), (1, &json!("absent"), &Value::Null));
    assert_eq!(found["problem"]["result_type"], "sts-policy-invalid");
    assert_eq!(found["problem"]["reason_code"], "policy-bad-mode");
    let (_, report) = world.human(&["example.com"]);
    assert!(report.contains("| mode: enforced"), "{report}");
    assert!(report.contains("The policy of example.com is not valid"), "{report}");
}

#[test]
fn err_a_certificate_for_another_name_is_the_domains_fault() {
    let world = World::new();
    world.lab.domain("example.com").certificate(Certificate::WrongName).publish();
    let (exit, found) = world.one(&["example.com"]);
    assert_eq!((exit, &found["status"]), (1, &json!("absent")));
    assert_eq!(
        found["problem"],
        json!({
            "result_type": "sts-webpki-invalid",
            "reason_code": "certificate-host-mismatch",
            "message": "the certificate is for another name",
        })
    );
}

#[test]
fn err_a_policy_that_is_announced_and_not_served() {
    let world = World::new();
    world.lab.domain("example.com").publish();
    world.lab.https().set("mta-sts.example.com", Https::respond(Response::new(404)));
    let (exit, found) = world.one(&["example.com"]);
    assert_eq!((exit, &found["status"]), (1, &json!("absent")));
    assert_eq!(found["problem"]["reason_code"], "http-status-404");
    let (_, report) = world.human(&["example.com"]);
    assert!(report.contains("expected HTTP status 200, found 404"), "{report}");
    assert!(report.contains("Senders that hold no policy deliver without MTA-STS"), "{report}");
}

#[test]
fn err_a_private_address_is_not_dialled_unless_allowed() {
    let world = World::new();
    world.lab.domain("example.com").publish();
    let (exit, found) = json_of(world.public().args(["--format", "json", "example.com"]));
    assert_eq!(exit, 1);
    assert_eq!(found[0]["problem"]["reason_code"], "policy-host-address-refused");
    assert_eq!(world.lab.https().connections(), 0);
    assert_eq!(world.one(&["example.com"]).0, 0);
    assert_eq!(world.lab.https().connections(), 1);
}

#[test]
fn err_a_host_that_no_pattern_covers_is_a_fault_unless_the_mode_is_none() {
    let world = World::new();
    for (mode, expected) in [("enforce", 1), ("testing", 1), ("none", 0)] {
        world.lab.domain("example.com").mode(mode).mx(["*.example.com"]).publish();
        world.lab.dns().mx("example.com", [(10, "mx.example.com"), (20, "mx.example.net")], 300);
        let (exit, found) = world.one(&["example.com"]);
        assert_eq!((exit, &found["policy"]["mode"]), (expected, &json!(mode)));
        assert_eq!(found["mx"][0]["matched"], "*.example.com");
        assert_eq!(
            found["mx"][1],
            json!({"host": "mx.example.net", "preference": 20, "matched": null})
        );
    }
    world.lab.domain("example.com").mode("enforce").mx(["*.example.com"]).publish();
    world.lab.dns().mx("example.com", [(10, "mx.example.com"), (20, "mx.example.net")], 300);
    let (_, report) = world.human(&["example.com"]);
    assert!(report.contains("✗    20  mx.example.net  no pattern covers it"), "{report}");
    assert!(report.contains("Senders that go by it never deliver to mx.example.net."), "{report}");
}

#[test]
fn ok_a_null_mx_needs_no_pattern() {
    let world = World::new();
    world.lab.domain("example.com").mode("enforce").publish();
    world.lab.dns().mx("example.com", [(0, ".")], 300);
    let (exit, found) = world.one(&["example.com"]);
    assert_eq!(exit, 0);
    assert_eq!(found["mx"], json!([{"host": ".", "preference": 0, "matched": null}]));
}

#[test]
fn ok_a_domain_without_mx_records_takes_its_mail_itself() {
    let world = World::new();
    world.lab.domain("example.com").mode("enforce").mx(["example.com"]).publish();
    world.lab.dns().remove("example.com", RecordType::Mx);
    world.lab.dns().addresses("example.com", [[127, 0, 0, 1].into()], 300);
    let (exit, found) = world.one(&["example.com"]);
    assert_eq!(exit, 0);
    let expected = json!([{"host": "example.com", "preference": 0, "matched": "example.com"}]);
    assert_eq!(found["mx"], expected);
    let (_, report) = world.human(&["example.com"]);
    assert!(report.contains("no MX record: the domain itself takes its mail"), "{report}");
}

#[test]
fn err_mx_hosts_that_dns_does_not_tell() {
    let world = World::new();
    world.lab.domain("example.com").mode("enforce").publish();
    world.lab.dns().set("example.com", RecordType::Mx, DnsAnswer::rcode(Rcode::SERVFAIL));
    let (exit, found) = world.one(&["example.com"]);
    assert_eq!((exit, &found["status"], &found["mx"]), (2, &json!("found"), &json!([])));
}

#[test]
fn err_a_resolver_that_is_not_there() {
    let world = World::new();
    let nobody = world.lab.refusing_addr().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mta-sts"));
    command.args(["check", "--format", "json", "--timeout", "1", "--dns", &nobody, "--ca"]);
    let (exit, found) = json_of(command.arg(world.folder.file("ca.pem")).arg("example.com"));
    assert_eq!((exit, &found[0]["status"], &found[0]["mx"]), (2, &json!("unknown"), &json!([])));
    assert_eq!(found[0]["problem"]["reason_code"], "dns-timeout");
}

#[test]
fn err_an_answer_without_proof_is_not_absence() {
    let world = World::new();
    world.lab.dns().set("_mta-sts.example.com", RecordType::Txt, DnsAnswer::lame());
    let (exit, found) = world.one(&["example.com"]);
    assert_eq!((exit, &found["status"]), (2, &json!("unknown")));
    assert_eq!(found["problem"]["reason_code"], "dns-no-soa");
}

#[test]
fn ok_the_store_carries_the_policy_to_the_next_run() {
    let world = World::new();
    let store = world.folder.file("policies.db");
    let store = store.to_str().expect("a path of UTF-8");
    world.lab.domain("example.com").id("1").mode("enforce").publish();
    let check = || world.one(&["--store", store, "example.com"]);
    let (exit, found) = check();
    assert_eq!((exit, &found["status"]), (0, &json!("found")));
    let (exit, found) = check();
    assert_eq!((exit, &found["status"]), (0, &json!("confirmed")));

    world.lab.domain("example.com").id("2").mode("enforce").publish();
    world.lab.https().fail_on_accept(Some(Fate::Reset));
    let (exit, found) = check();
    assert_eq!((exit, &found["status"]), (1, &json!("held")));
    assert_eq!(found["policy"]["id"], "1");
    assert_eq!(found["problem"]["result_type"], "sts-policy-fetch-error");
    let connections = world.lab.https().connections();

    // The failure is kept as well: no other fetch so soon.
    let (exit, found) = check();
    assert_eq!((exit, &found["status"]), (1, &json!("held")));
    assert_eq!(found["problem"]["reason_code"], "backing-off");
    assert_eq!(world.lab.https().connections(), connections);

    let down = DnsAnswer::rcode(Rcode::SERVFAIL);
    world.lab.dns().set("_mta-sts.example.com", RecordType::Txt, down);
    let (exit, found) = check();
    assert_eq!((exit, &found["status"]), (2, &json!("held")));
    assert_eq!(found["policy"]["id"], "1");

    world.lab.dns().remove("_mta-sts.example.com", RecordType::Txt);
    let (exit, found) = check();
    assert_eq!((exit, &found["status"]), (1, &json!("held")));
    assert_eq!(found["problem"]["reason_code"], "dns-record-absent");
}

#[test]
fn ok_a_removal_by_mode_none_leaves_no_fault_behind() {
    let world = World::new();
    let store = world.folder.file("policies.db");
    let store = store.to_str().expect("a path of UTF-8");
    world.lab.domain("example.com").mode("none").publish();
    assert_eq!(world.one(&["--store", store, "example.com"]).0, 0);
    world.lab.domain("example.com").withdraw();
    let (exit, found) = world.one(&["--store", store, "example.com"]);
    assert_eq!((exit, &found["status"]), (0, &json!("held")));
}

#[test]
fn err_a_file_that_is_no_store_is_left_alone() {
    let world = World::new();
    let store = world.folder.file("notes.txt");
    std::fs::write(&store, "not a store").expect("a file");
    let output = run(world.command().arg("--store").arg(&store).arg("example.com"));
    assert_eq!((exit(&output), text(&output.stdout).as_str()), (2, ""));
    assert!(text(&output.stderr).contains("notes.txt"));
    assert_eq!(std::fs::read_to_string(&store).ok().as_deref(), Some("not a store"));
    assert_eq!(world.lab.dns().queries().count(), 0);
}

#[test]
fn ok_u_labels_are_taken_and_shown_beside_the_a_labels() {
    let world = World::new();
    world.lab.domain("xn--mnchen-3ya.example").mode("enforce").publish();
    let (exit, found) = world.one(&["münchen.example"]);
    assert_eq!((exit, &found["domain"]), (0, &json!("xn--mnchen-3ya.example")));
    let (_, report) = world.human(&["München.example"]);
    assert!(report.starts_with("xn--mnchen-3ya.example (münchen.example)\n"), "{report}");
    assert!(report.contains("mx.xn--mnchen-3ya.example (mx.münchen.example)"), "{report}");
}

#[test]
fn ok_many_domains_are_printed_in_order_and_the_worst_counts() {
    let world = World::new();
    let names: Vec<String> = (0..20).map(|n| format!("d{n}.example.com")).collect();
    for name in &names {
        world.lab.domain(name).publish();
    }
    let args: Vec<&str> = names.iter().map(String::as_str).collect();
    let (exit, found) = world.json(&args);
    let order: Vec<_> = found.iter().filter_map(|one| one["domain"].as_str()).collect();
    assert_eq!((exit, order), (0, args.clone()));

    world.lab.dns().set("_mta-sts.d3.example.com", RecordType::Txt, DnsAnswer::lame());
    assert_eq!(world.json(&args).0, 2, "one that could not be told");
    world.lab.dns().txt("_mta-sts.d9.example.com", ["v=STSv1; id=;"], 300);
    assert_eq!(world.json(&args).0, 1, "one with a fault, whatever could not be told");
}

#[test]
fn err_wrong_usage_prints_nothing_on_standard_output() {
    let world = World::new();
    let missing = world.folder.file("missing.pem");
    let missing = missing.to_str().expect("a path of UTF-8");
    for args in [
        &["--format", "json"][..],
        &["--format", "json", "example.com", "exa mple"],
        &["--format", "json", "[192.0.2.1]"],
        &["example..com"],
        &["--dns", "resolver.example", "example.com"],
        &["--timeout", "0", "example.com"],
        &["--policy-port", "0", "example.com"],
        &["--ca", missing, "example.com"],
        &["--unknown", "example.com"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mta-sts"));
        let output = run(command.arg("check").args(args));
        assert_eq!((exit(&output), text(&output.stdout).as_str()), (64, ""), "{args:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn next_hop_in_brackets_is_told_from_an_address() {
    for (domain, expected) in [
        ("[relay.example]:587", "look up `relay.example`"),
        ("relay.example:587", "look up `relay.example`"),
        ("[192.0.2.1]:587", "found an address"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mta-sts"));
        let output = run(command.args(["check", domain]));
        assert_eq!(exit(&output), 64, "{domain}");
        assert!(text(&output.stderr).contains(expected), "{domain}: {}", text(&output.stderr));
    }
}

#[test]
fn err_what_a_terminal_would_obey_is_never_printed() {
    let world = World::new();
    let hidden = |text: &str| text.chars().any(|c| c.is_control() && c != '\n' || c == '\u{202e}');
    world.lab.dns().txt("_mta-sts.a.example.com", ["v=STSv1; id=1\u{1b}[2J\u{202e}\r;"], 300);
    let policy = "version: STSv1\nmode: enforce\u{1b}]0;x\u{7}\nmx: \u{9b}31m\nmax_age: 1\n";
    world.lab.domain("b.example.com").policy(policy).publish();
    let media = Https::respond(Response::policy("x").content_type("text/\u{9b}31m\u{202e}"));
    world.lab.domain("c.example.com").publish();
    world.lab.https().set("mta-sts.c.example.com", media);
    for domain in ["a.example.com", "b.example.com", "c.example.com"] {
        let (exit, report) = world.human(&[domain]);
        assert_eq!(exit, 1, "{report}");
        assert!(!hidden(&report), "{report:?}");
        let (_, found) = world.one(&[domain]);
        assert!(found["problem"]["message"].as_str().is_some_and(|text| !hidden(text)));
    }
}
