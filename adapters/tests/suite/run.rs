//! Each fault twice: with nothing known, and with an older policy held.

use std::sync::Arc;
use std::time::Duration;

use mta_sts_adapters::{Limits, Memory, Outcome, PolicyDomain, Recheck, Status};
use mta_sts_lab::{Lab, POLICY_PATH};

use crate::case::{Case, Expect, Group, Names, Seen, Setting, Time};
use crate::client::{Client, Making};
use crate::table;

/// What the client did with one fault.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) first: Seen,
    pub(crate) while_held: Seen,
    /// What was not as it should be.
    faults: Vec<String>,
}

/// Runs all cases of the group, shows what came of them, and fails with all that is not as expected.
pub(crate) fn all(group: &Group) {
    let lab = Lab::start().expect("the lab starts");
    assert!(!group.cases.is_empty());
    let run = |(number, case): (usize, &Case)| Run { lab: &lab, case, number }.row();
    let rows: Vec<Row> = group.cases.iter().enumerate().map(run).collect();
    println!("{}", table::seen(group, &rows));
    let faults: Vec<&String> = rows.iter().flat_map(|row| &row.faults).collect();
    assert!(faults.is_empty(), "{}: {} faults: {faults:#?}", group.title, faults.len());
}

struct Run<'a> {
    lab: &'a Lab,
    case: &'a Case,
    number: usize,
}

impl Run<'_> {
    fn row(&self) -> Row {
        let expect = &self.case.expect;
        let mut faults = Vec::new();
        let first = self.first_contact(expect, &mut faults);
        let while_held = self.while_held(expect, &mut faults);
        let whose = format!("{}: ", self.case.what);
        for fault in &mut faults {
            fault.insert_str(0, &whose);
        }
        Row { first, while_held, faults }
    }

    fn first_contact(&self, expect: &Expect, faults: &mut Vec<String>) -> Seen {
        let names = self.names("first");
        self.arrange(&names);
        let client = self.client(&Arc::new(Memory::new(64)));
        let outcome =
            self.watched(&names, faults, |domain| client.lookup(domain, Recheck::WhenDue));
        self.compare(&outcome, &expect.first(), faults)
    }

    /// The policy is found before the fault, by a client that shares the store.
    fn while_held(&self, expect: &Expect, faults: &mut Vec<String>) -> Seen {
        let names = self.names("held");
        self.lab.domain(&names.domain).id("1").mode("testing").publish();
        let store = Arc::new(Memory::new(64));
        let domain = PolicyDomain::parse(&names.domain).expect("a domain");
        let (lab, setting, limits) = (self.lab, Setting::AnyAddress, Limits::default());
        let before = Client::new(&Making { lab, setting, limits, store: store.clone() });
        let status = before.lookup(&domain, Recheck::WhenDue).status();
        assert_eq!(status, Status::Found, "{}", self.case.what);
        self.lab.domain(&names.domain).withdraw();
        self.arrange(&names);
        let client = self.client(&store);
        let outcome = self.watched(&names, faults, |domain| client.lookup(domain, Recheck::Always));
        self.compare(&outcome, &expect.while_held(), faults)
    }

    fn names(&self, prefix: &str) -> Names {
        let domain = format!("{prefix}-{}.example", self.number);
        let published = self.lab.domain(&domain);
        Names { record: published.record_name(), host: published.policy_host(), domain }
    }

    fn arrange(&self, names: &Names) {
        self.lab.domain(&names.domain).id("2").mode("enforce").publish();
        (self.case.arrange)(self.lab, names);
    }

    fn client(&self, store: &Arc<Memory>) -> Client {
        // Short is only what is spent in vain, so that a busy machine changes nothing.
        let (limits, short) = (Limits::default(), Duration::from_millis(250));
        let limits = match (self.case.time, &self.case.expect) {
            (Time::Ample, _) => limits,
            (Time::Short, Expect::Problem(Status::Unknown, ..)) => limits.with_query_timeout(short),
            (Time::Short, _) => limits.with_fetch_timeout(short),
            (Time::Shared, _) => limits.with_fetch_timeout(Duration::from_secs(4)),
        };
        let (lab, setting, store) = (self.lab, self.case.setting, Arc::clone(store));
        Client::new(&Making { lab, setting, limits, store })
    }

    /// A lookup that asks for nothing but what it needs: the record, the addresses of the Policy
    /// Host and, once, the policy.
    fn watched(
        &self,
        names: &Names,
        faults: &mut Vec<String>,
        lookup: impl FnOnce(&PolicyDomain) -> Outcome,
    ) -> Outcome {
        let lab = self.lab;
        lab.dns().queries().take();
        lab.https().hellos().take();
        lab.https().requests().take();
        let before = lab.https().connections();
        let outcome = lookup(&PolicyDomain::parse(&names.domain).expect("a domain"));
        let dialled = lab.https().connections() - before;
        // Whatever comes late and belongs to an earlier case has another name.
        let is_own = |name: &str| name == names.domain || name.ends_with(&names.domain);
        let below = |name: &str, whole: &str| name == whole || name.ends_with(&format!(".{whole}"));
        for query in lab.dns().queries().take() {
            if is_own(&query.name)
                && !below(&query.name, &names.record)
                && !below(&query.name, &names.host)
            {
                faults.push(format!("asked DNS for {}", query.name));
            }
        }
        for hello in lab.https().hellos().take() {
            if hello.sni.as_deref().is_none_or(|sni| is_own(sni) && sni != names.host) {
                faults.push(format!("greeted {:?}", hello.sni));
            }
        }
        let requests = lab.https().requests().take();
        let requests: Vec<_> = requests.iter().filter(|asked| is_own(&asked.sni)).collect();
        if requests.len() > 1 || requests.iter().any(|asked| asked.path != POLICY_PATH) {
            faults.push(format!("requested {requests:?}"));
        }
        if self.case.dials.is_some_and(|dials| dials != dialled) {
            faults.push(format!("expected {:?} connections, found {dialled}", self.case.dials));
        }
        outcome
    }

    fn compare(&self, outcome: &Outcome, expected: &Seen, faults: &mut Vec<String>) -> Seen {
        let problem = outcome.problem();
        let seen = Seen {
            status: outcome.status(),
            policy: outcome.policy().map(|held| held.id().as_str().to_owned()),
            problem: problem.map(|problem| {
                (problem.result_type().as_str().to_owned(), problem.reason_code().into_owned())
            }),
        };
        if seen != *expected {
            faults.push(format!("expected {expected}, found {seen}: {problem:?}"));
        }
        let said = problem.map(ToString::to_string).unwrap_or_default();
        if self.case.says.is_some_and(|text| !said.contains(text)) {
            faults.push(format!("expected {:?}, found {said:?}", self.case.says));
        }
        seen
    }
}
