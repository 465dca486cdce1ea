//! What is asked of DNS, and what may come back.

use std::fmt;
use std::net::IpAddr;

use mta_sts::delivery::Mx;
use mta_sts::{DnsFailure, PolicyDomain};

use crate::BoxFuture;

/// A DNS resolver.
///
/// Names come without a trailing dot, and are fully qualified: no search list applies. An answer
/// must be asked for, not remembered: the machine has a memory of its own, and
/// [`Recheck::Always`](mta_sts::Recheck::Always) rests on it that what DNS says is of now. There is
/// no need for a deadline: the client drops the future when its own has passed.
pub trait Dns: fmt::Debug + Send + Sync + 'static {
    /// The TXT records of `name`. CNAMEs are followed.
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, TxtAnswer>;

    /// The addresses of `host`, of both families, in the order in which they are to be tried; none
    /// where DNS proves that there are none.
    ///
    /// # Errors
    /// DNS gave no answer, and no address is known.
    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsFailure>>;

    /// The MX records of `domain`. Only `candidates` asks for them: a lookup never does.
    fn mx<'a>(&'a self, domain: &'a str) -> BoxFuture<'a, MxAnswer>;
}

/// What DNS says of TXT records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TxtAnswer {
    /// There are some.
    Records {
        /// The records, each of its character-strings as they are, not joined.
        records: Vec<Vec<Vec<u8>>>,
        /// The shortest TTL on the way to them, in seconds.
        ttl: u32,
    },
    /// There are none: NXDOMAIN, or NODATA with an SOA.
    Absent {
        /// The negative TTL (RFC 2308 §5), in seconds; 0 if there is none.
        ttl: u32,
    },
    /// Neither of both is known.
    Failed(DnsFailure),
}

/// What DNS says of MX records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MxAnswer {
    /// There are some; by preference, then as they came.
    Records(Vec<MxHost>),
    /// There are none.
    Absent,
    /// Neither of both is known.
    Failed(DnsFailure),
}

impl MxAnswer {
    /// The candidates for a delivery to `domain`, in the order in which they are to be tried and
    /// nothing filtered (RFC 8461 §8.4): without an MX record the domain itself (RFC 5321 §5.1), and
    /// the null MX as such (RFC 7505).
    ///
    /// # Errors
    /// DNS gave no answer.
    ///
    /// ```
    /// use mta_sts_adapters::delivery::Mx;
    /// use mta_sts_adapters::{MxAnswer, PolicyDomain};
    ///
    /// let domain = PolicyDomain::parse("example.com")?;
    /// assert_eq!(MxAnswer::Absent.candidates(&domain), Ok(vec![Mx::parse("example.com")]));
    /// # Ok::<(), mta_sts_adapters::NameError>(())
    /// ```
    pub fn candidates(self, domain: &PolicyDomain) -> Result<Vec<Mx>, DnsFailure> {
        match self {
            Self::Records(hosts) => Ok(hosts
                .iter()
                .map(|mx| if mx.exchange.is_empty() { Mx::Null } else { Mx::parse(&mx.exchange) })
                .collect()),
            Self::Absent => Ok(vec![Mx::implicit(domain)]),
            Self::Failed(failure) => Err(failure),
        }
    }
}

/// An MX record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MxHost {
    /// Lower is to be tried first.
    pub preference: u16,
    /// The host, without a trailing dot; empty for the null MX (RFC 7505).
    pub exchange: String,
}
