//! Domains under which strangers get names: a short list of the well known, far from complete.

/// Registries' domains of two labels.
const SUFFIXES: [&str; 64] = [
    "ac.jp", "ac.uk", "asn.au", "co.at", "co.id", "co.il", "co.in", "co.jp", "co.ke", "co.kr",
    "co.nz", "co.th", "co.uk", "co.za", "com.ar", "com.au", "com.bd", "com.br", "com.cn", "com.co",
    "com.cy", "com.de", "com.ec", "com.eg", "com.es", "com.gr", "com.hk", "com.mt", "com.mx",
    "com.my", "com.ng", "com.pe", "com.ph", "com.pk", "com.pl", "com.pt", "com.ro", "com.sa",
    "com.sg", "com.tr", "com.tw", "com.ua", "com.uy", "com.ve", "com.vn", "edu.au", "eu.org",
    "gov.au", "gov.br", "gov.uk", "ltd.uk", "me.uk", "ne.jp", "net.au", "net.br", "net.nz",
    "net.pl", "net.uk", "or.at", "or.jp", "or.kr", "org.au", "org.nz", "org.uk",
];

/// Domains in which many customers' hosts, or their own, have names.
const SHARED: [&str; 48] = [
    "amazonaws.com",
    "appspot.com",
    "azurewebsites.net",
    "bc.googleusercontent.com",
    "clients.your-server.de",
    "cloudapp.azure.com",
    "cloudapp.net",
    "cloudfront.net",
    "compute.amazonaws.com",
    "ddns.net",
    "dreamhosters.com",
    "duckdns.org",
    "dyndns.org",
    "fastmail.com",
    "firebaseapp.com",
    "fly.dev",
    "github.io",
    "gitlab.io",
    "gmx.net",
    "google.com",
    "googlemail.com",
    "googleusercontent.com",
    "herokuapp.com",
    "hotmail.com",
    "icloud.com",
    "linodeusercontent.com",
    "live.com",
    "mail.ru",
    "members.linode.com",
    "microsoft.com",
    "netlify.app",
    "no-ip.org",
    "office365.com",
    "onmicrosoft.com",
    "outlook.com",
    "ovh.net",
    "pages.dev",
    "protection.outlook.com",
    "qq.com",
    "secureserver.net",
    "vercel.app",
    "vps.ovh.net",
    "vultrusercontent.com",
    "web.app",
    "workers.dev",
    "yahoo.com",
    "yandex.net",
    "your-server.de",
];

/// Names that documents and templates use (RFC 2606, RFC 6761).
const RESERVED: [&str; 4] = ["example.com", "example.net", "example.org", "domain.tld"];

/// Whether a registry gives names to strangers directly below `domain`.
pub(super) fn is_registry(domain: &str) -> bool {
    !domain.contains('.') || is_one_of(&SUFFIXES, domain)
}

/// Whether many who have nothing to do with each other have hosts below `domain`.
pub(super) fn is_shared(domain: &str) -> bool {
    is_one_of(&SHARED, domain)
}

/// Whether `name` is one of a document's examples.
pub(super) fn is_example(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let below = |domain: &str| {
        name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    RESERVED.iter().copied().chain(["tld", "invalid"]).any(below)
}

fn is_one_of(list: &[&str], domain: &str) -> bool {
    list.iter().any(|entry| entry.eq_ignore_ascii_case(domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_lists_are_sorted_and_lower_case() {
        for list in [&SUFFIXES[..], &SHARED[..]] {
            assert!(list.is_sorted());
            assert!(list.iter().all(|entry| entry.to_ascii_lowercase() == **entry));
        }
    }

    #[test]
    fn ok_kinds_of_domain() {
        assert!(is_registry("com") && is_registry("CO.uk"));
        assert!(!is_registry("example.com") && !is_registry("xco.uk"));
        assert!(is_shared("Outlook.com") && !is_shared("mail.protection.outlook.com"));
        assert!(is_example("mx1.example.com") && is_example("EXAMPLE.org") && is_example("x.tld"));
        assert!(!is_example("myexample.com") && !is_example("mx.example"));
    }
}
