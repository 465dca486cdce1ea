//! From a domain to the permission to bounce.

use mta_sts_adapters::delivery::{Candidate, Conclusion, Mx};
use mta_sts_adapters::{DnsFailureKind, Status};
use mta_sts_testkit::lab::{DnsAnswer, Rcode, RecordType};

use crate::drivers::Driver;
use crate::{domain, for_both, lab, record, txt_queries};

for_both![
    ok_candidates_come_in_their_order_and_unfiltered,
    ok_mail_that_a_policy_refused_bounces_only_after_dns_was_asked_again,
];

fn ok_candidates_come_in_their_order_and_unfiltered<D: Driver>() {
    let lab = lab(["a.example"]);
    let client = D::build(D::builder(&lab));
    let of = |name: &str| client.candidates(&domain(name));
    lab.dns().mx("a.example", [(20, "mx2.example.net"), (10, "mx1.example.com")], 60);
    assert_eq!(
        of("a.example"),
        Ok(vec![Mx::parse("mx1.example.com"), Mx::parse("mx2.example.net")])
    );
    lab.dns().mx("null.example", [(0, "")], 60);
    assert_eq!(of("null.example"), Ok(vec![Mx::Null]));
    lab.dns().set("none.example", RecordType::Mx, DnsAnswer::no_data(60));
    assert_eq!(of("none.example"), Ok(vec![Mx::parse("none.example")]));
    lab.dns().set("down.example", RecordType::Mx, DnsAnswer::rcode(Rcode::SERVFAIL));
    let failure = of("down.example").expect_err("DNS is down");
    assert_eq!(failure.kind(), DnsFailureKind::ServerFailure);
}

fn ok_mail_that_a_policy_refused_bounces_only_after_dns_was_asked_again<D: Driver>() {
    let lab = lab(["a.example"]);
    let client = D::build(D::builder(&lab));
    let refused = || {
        let (mut delivery, outcome) = client.delivery(&domain("a.example"));
        assert!(outcome.policy().is_some());
        let Candidate::Skip(_) = delivery.candidate(&Mx::parse("mx.example.net")) else {
            panic!("no pattern allows it")
        };
        let Conclusion::Retry(retry) = delivery.conclude() else { panic!("a policy refused it") };
        retry
    };
    lab.dns().set(&record("a.example"), RecordType::Txt, DnsAnswer::txt(["v=STSv1; id=1;"], 600));
    let retry = refused();
    lab.dns().set(&record("a.example"), RecordType::Txt, DnsAnswer::rcode(Rcode::SERVFAIL));
    let silent = client.gate(retry);
    assert_eq!(silent.status(), Status::Held);
    assert!(silent.bounce_token().is_none(), "silence permits nothing");
    lab.domain("a.example").id("1").mode("enforce").mx(["mx.example.com"]).publish();
    let asked = txt_queries(&lab, "a.example");
    let answered = client.gate(refused());
    assert!(txt_queries(&lab, "a.example") > asked);
    let token = answered.bounce_token().expect("nothing newer is published");
    assert_eq!(token.domain(), &domain("a.example"));
}
