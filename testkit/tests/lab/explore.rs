use hickory_resolver::TokioResolver;
use hickory_resolver::config::*;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RecordType as R;
use mta_sts_testkit::lab::*;
use std::time::{Duration, Instant};
fn resolver(addr: std::net::SocketAddr) -> TokioResolver {
    let mut udp = ConnectionConfig::udp();
    udp.port = addr.port();
    let mut tcp = ConnectionConfig::tcp();
    tcp.port = addr.port();
    let server = NameServerConfig::new(addr.ip(), true, vec![udp, tcp]);
    let config = ResolverConfig::from_parts(None, vec![], vec![server]);
    let mut b = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let o = b.options_mut();
    o.timeout = Duration::from_millis(400);
    o.attempts = 1;
    o.edns0 = true;
    o.use_hosts_file = ResolveHosts::Never;
    o.cache_size = 0;
    b.build().unwrap()
}
#[tokio::test]
async fn explore() {
    let lab = Lab::start().unwrap();
    let long: Vec<Vec<u8>> = vec![b"v=STSv1; ".to_vec(), b"id=1;\xff".to_vec()];
    let ok = || DnsAnswer::txt(["v=STSv1; id=1;"], 300);
    let cases: Vec<(&str, DnsAnswer)> = vec![
        ("ok", ok()),
        ("strings", DnsAnswer::txt(long, 5)),
        ("ttl0", DnsAnswer::txt(["a"], 0)),
        ("ttlmax", DnsAnswer::txt(["a"], u32::MAX)),
        ("nx", DnsAnswer::nxdomain(77)),
        ("nodata", DnsAnswer::no_data(78)),
        ("nx soa 10/99999", DnsAnswer::rcode(Rcode::NXDOMAIN).soa(10, 99999)),
        ("nx without soa", DnsAnswer::nxdomain(1).without_soa()),
        ("lame", DnsAnswer::lame()),
        ("formerr", DnsAnswer::rcode(Rcode::FORMERR)),
        ("servfail", DnsAnswer::rcode(Rcode::SERVFAIL)),
        ("notimp", DnsAnswer::rcode(Rcode::NOTIMP)),
        ("refused", DnsAnswer::rcode(Rcode::REFUSED)),
        ("yx", DnsAnswer::rcode(Rcode::YXDOMAIN)),
        ("rcode12", DnsAnswer::rcode(Rcode(12))),
        ("rcode12 with record", {
            let mut a = ok();
            let _ = &mut a;
            a
        }),
        ("badvers", DnsAnswer::rcode(Rcode::BADVERS)),
        ("rcode 3000", DnsAnswer::rcode(Rcode(3000))),
        ("ede", DnsAnswer::rcode(Rcode::SERVFAIL).extended_error(6, "bogus")),
        ("ok ede", ok().extended_error(3, "stale")),
        ("nx ede", DnsAnswer::nxdomain(60).extended_error(15, "blocked")),
        ("silence", DnsAnswer::silence()),
        ("trunc", ok().truncated()),
        ("trunc close", ok().truncated_then(OverTcp::Close)),
        ("trunc reset", ok().truncated_then(OverTcp::Reset)),
        ("trunc silence", ok().truncated_then(OverTcp::Silence)),
        ("trunc trunc", ok().truncated_then(OverTcp::Truncate)),
        ("chain1", ok().behind_cnames(1)),
        ("chain 8", ok().behind_cnames(8)),
        ("chain 20", ok().behind_cnames(20)),
        ("loop", DnsAnswer::cname_loop()),
        ("dangling", DnsAnswer::nxdomain(66).behind_cnames(1)),
        ("dangling 3", DnsAnswer::nxdomain(66).behind_cnames(3)),
        ("nodata at target", DnsAnswer::no_data(66).behind_cnames(1)),
        ("servfail at target", DnsAnswer::rcode(Rcode::SERVFAIL).behind_cnames(1)),
        ("only cname", DnsAnswer::cname("elsewhere.test", 9)),
        ("60k", DnsAnswer::bulk_txt(60_000, 60)),
        ("wrong q", ok().wrong_question()),
        ("wrong id", ok().wrong_id()),
        ("garbage", DnsAnswer::raw(*b"xxxxxxxxxxxxxxxx")),
        ("empty", DnsAnswer::raw(*b"")),
        ("too long string", DnsAnswer::txt([vec![b'x'; 256]], 1)),
        ("empty txt", DnsAnswer::txt([""; 1], 1)),
        ("no strings", DnsAnswer::txt([""; 0], 1)),
    ];
    let r = resolver(lab.dns_addr());
    for (what, answer) in cases {
        lab.dns().queries().take();
        lab.dns().set("_mta-sts.example.com", RecordType::Txt, answer);
        let t = Instant::now();
        let got = r.lookup("_mta-sts.example.com.", R::TXT).await;
        let log: Vec<_> = lab
            .dns()
            .queries()
            .take()
            .iter()
            .map(|q| {
                format!(
                    "{}{}",
                    q.name.split('.').next().unwrap(),
                    if q.over_tcp { "/tcp" } else { "" }
                )
            })
            .collect();
        let s = match got {
            Ok(l) => format!(
                "Ok rcode={:?} answers={:?} valid={:?} edns={:?}",
                l.message().metadata.response_code,
                l.answers()
                    .iter()
                    .map(|r| {
                        let mut s = format!("{} {} {:?}", r.name, r.ttl, r.data);
                        s.truncate(90);
                        s
                    })
                    .collect::<Vec<_>>(),
                l.valid_until() - Instant::now(),
                l.message().edns.is_some()
            ),
            Err(e) => {
                let mut s = format!("Err {e:?}");
                s = s.replace("Name(", "");
                s.truncate(430);
                s
            }
        };
        println!("## {what}: {:?} {log:?}\n   {s}", t.elapsed());
    }
    let r = resolver(lab.dns_addr_without_tcp());
    for (n, a) in [("udp ok", ok()), ("udp trunc", ok().truncated())] {
        lab.dns().set("_mta-sts.example.com", RecordType::Txt, a);
        println!(
            "{n} {:?}",
            r.lookup("_mta-sts.example.com.", R::TXT).await.map(|l| l.answers().len())
        );
    }
    let r = resolver(lab.refusing_addr());
    let t = Instant::now();
    println!(
        "nothing listens {:?} {:?}",
        r.lookup("_mta-sts.example.com.", R::TXT).await.map(|l| l.answers().len()),
        t.elapsed()
    );
}

use std::sync::{Arc,Mutex};
use hickory_resolver::{ConnectionProvider, PoolContext};
use hickory_resolver::net::{NetError, xfer::{DnsHandle, DnsExchange}};
use hickory_resolver::proto::op::{DnsRequest, DnsResponse};
#[derive(Clone)] struct Watch(TokioRuntimeProvider, Arc<Mutex<Vec<String>>>);
#[derive(Clone)] struct Conn(DnsExchange<TokioRuntimeProvider>, Arc<Mutex<Vec<String>>>);
impl DnsHandle for Conn {
    type Response = std::pin::Pin<Box<dyn futures_util::Stream<Item = Result<DnsResponse, NetError>> + Send>>;
    type Runtime = TokioRuntimeProvider;
    fn send(&self, r: DnsRequest) -> Self::Response {
        use futures_util::StreamExt;
        let log = self.1.clone();
        Box::pin(self.0.send(r).inspect(move |x| if let Ok(m) = x { log.lock().unwrap().push(format!("{:?} {:?}", m.metadata.response_code, m.edns)); }))
    }
}
impl ConnectionProvider for Watch {
    type Conn = Conn; type RuntimeProvider = TokioRuntimeProvider;
    type FutureConn = std::pin::Pin<Box<dyn Future<Output = Result<Conn, NetError>> + Send>>;
    fn new_connection(&self, ip: std::net::IpAddr, c: &ConnectionConfig, cx: &PoolContext) -> Result<Self::FutureConn, NetError> {
        let f = self.0.new_connection(ip, c, cx)?; let log = self.1.clone();
        Ok(Box::pin(async move { Ok(Conn(f.await?, log)) }))
    }
    fn runtime_provider(&self) -> &TokioRuntimeProvider { &self.0 }
}
#[tokio::test]
async fn ede() {
    let lab = Lab::start().unwrap(); let addr = lab.dns_addr();
    let mut udp = ConnectionConfig::udp(); udp.port = addr.port();
    let server = NameServerConfig::new(addr.ip(), true, vec![udp]);
    let config = ResolverConfig::from_parts(None, vec![], vec![server]);
    let log = Arc::new(Mutex::new(vec![]));
    for edns in [true, false] { for attempts in [0, 1] { for max in [None, Some(Duration::from_secs(u64::from(u32::MAX)))] {
    let mut b = hickory_resolver::Resolver::builder_with_config(config.clone(), Watch(TokioRuntimeProvider::default(), log.clone()));
    let o = b.options_mut(); o.edns0 = edns; o.attempts = attempts; o.cache_size = 0; o.timeout = Duration::from_millis(300); o.positive_max_ttl = max;
    let r = b.build().unwrap();
    lab.dns().set("ede.example.com", RecordType::Txt, DnsAnswer::rcode(Rcode::SERVFAIL).extended_error(6, "bogus"));
    lab.dns().set("max.example.com", RecordType::Txt, DnsAnswer::txt(["x"], u32::MAX));
    println!("edns {edns} attempts {attempts}: {:?}", r.lookup("ede.example.com.", R::TXT).await.map(|_| ()));
    println!("   {:?} {}", std::mem::take(&mut *log.lock().unwrap()), lab.dns().queries().take().len());
    let t = Instant::now(); lab.dns().set("s.example.com", RecordType::Txt, DnsAnswer::silence());
    println!("  silence {:?} {:?} {}", r.lookup("s.example.com.", R::TXT).await.map(|_| ()), t.elapsed(), lab.dns().queries().take().len());
    println!("  max ttl {max:?}: {:?}", r.lookup("max.example.com.", R::TXT).await.map(|l| l.answers()[0].ttl));
    }}}
    let r = resolver(addr);
    for (n, a) in [("unknown rcode with record", DnsAnswer { ..DnsAnswer::txt(["v=STSv1; id=1;"], 300) }.with_rcode(Rcode(12))), ("servfail with record", DnsAnswer::txt(["v"], 300).with_rcode(Rcode::SERVFAIL)), ("nx with record", DnsAnswer::txt(["v"], 300).with_rcode(Rcode::NXDOMAIN)),
      ("other owner", DnsAnswer::records([DnsRecord::new(5, RecordData::Txt(vec![b"v".to_vec()])).owned_by("other.test")])),
      ("A in TXT", DnsAnswer::addresses(["127.0.0.1".parse().unwrap()], 3)),
      ("localhost", DnsAnswer::lame())] {
        lab.dns().set("_mta-sts.example.com", RecordType::Txt, a); lab.dns().queries().take();
        let got = r.lookup("_mta-sts.example.com.", R::TXT).await;
        println!("{n}: {:?} {:?}", got.map(|l| (l.message().metadata.response_code, l.answers().iter().map(|a| format!("{} {}", a.name, a.data.to_string())).collect::<Vec<_>>())), lab.dns().queries().take().len());
    }
    for n in ["_mta-sts.foo.invalid.", "_mta-sts.localhost.", "_mta-sts.foo.local.", "_mta-sts.foo.onion.", "_mta-sts.foo.test."] {
        println!("{n} {:?} {}", r.lookup(n, R::TXT).await.map(|_| ()), lab.dns().queries().take().len());
    }
    for depth in [6, 7, 8, 9] {
        for i in 0..depth { lab.dns().set(&format!("h{i}.test"), RecordType::Txt, DnsAnswer::cname(format!("h{}.test", i+1), 5)); }
        lab.dns().txt(&format!("h{depth}.test"), ["v"], 5);
        println!("hop by hop {depth}: {:?} {}", r.lookup("h0.test.", R::TXT).await.map(|l| l.answers().len()), lab.dns().queries().take().len());
    }
}
