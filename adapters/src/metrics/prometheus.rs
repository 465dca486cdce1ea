//! The counters as Prometheus text.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::{Count, Durations, Snapshot};
use crate::keeper::Keeper;

/// What a client counts, for a registry of `prometheus-client`; every scrape takes a new
/// [`Snapshot`].
///
/// ```
/// # #[cfg(all(feature = "tokio", feature = "hickory-resolver", feature = "webpki-roots"))] {
/// use mta_sts_adapters::tokio::MtaSts;
/// use mta_sts_adapters::{HickoryDns, Roots};
///
/// let dns = HickoryDns::servers([([127, 0, 0, 1], 53).into()]);
/// let client = MtaSts::builder().dns(dns).roots(Roots::WebPki).build()?;
/// let text = client.exporter().text();
/// assert!(text.contains("mta_sts_lookups_total{status=\"found\"} 0\n"));
///
/// // Or beside the metrics of the rest of the program:
/// let mut registry = prometheus_client::registry::Registry::default();
/// registry.register_collector(Box::new(client.exporter()));
/// # }
/// # Ok::<(), mta_sts_adapters::BuildError>(())
/// ```
#[derive(Debug)]
pub struct Exporter(Arc<Keeper>);

impl Exporter {
    pub(crate) fn new(keeper: Arc<Keeper>) -> Self {
        Self(keeper)
    }

    /// The text for one scrape, in the `OpenMetrics` format that Prometheus reads.
    pub fn text(&self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Self(Arc::clone(&self.0))));
        let mut encoded = String::new();
        // Nothing fails when a string is written to.
        let _ = text::encode(&mut encoded, &registry);
        encoded
    }
}

impl Collector for Exporter {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Snapshot {
            lookups,
            txt_queries,
            fetches,
            refreshes,
            store_failures,
            policies_weakened,
            durations,
            entries,
            next_expiry,
            entries_pending,
        } = self.0.snapshot();
        let mut counters = |name, help, label, counts: &[Count]| {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            counts.iter().try_for_each(|Count { label: value, count }| {
                let labels = [(label, *value)];
                family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(count, None)
            })
        };
        counters("mta_sts_lookups", "Answers given", "status", &lookups)?;
        counters("mta_sts_txt_queries", "TXT questions asked", "result", &txt_queries)?;
        counters("mta_sts_fetches", "Policies fetched by HTTPS", "result", &fetches)?;
        counters("mta_sts_refreshes", "Refreshes ahead of an end", "result", &refreshes)?;
        counters(
            "mta_sts_store_failures",
            "Calls of the store that failed",
            "call",
            &store_failures,
        )?;

        encoder
            .encode_descriptor(
                "mta_sts_policies_weakened",
                "Fetched policies that protect less than the one before",
                None,
                MetricType::Counter,
            )?
            .encode_counter::<NoLabelSet, _, u64>(&policies_weakened, None)?;

        for Durations { label, count, total, buckets } in &durations {
            let name = format!("mta_sts_{label}_duration");
            let buckets: Vec<_> = buckets
                .iter()
                .map(|(bound, count)| {
                    let is_last = *bound == std::time::Duration::MAX;
                    (if is_last { f64::MAX } else { bound.as_secs_f64() }, *count)
                })
                .collect();
            encoder
                .encode_descriptor(
                    &name,
                    "How long it took",
                    Some(&Unit::Seconds),
                    MetricType::Histogram,
                )?
                .encode_histogram::<NoLabelSet>(total.as_secs_f64(), *count, &buckets, None)?;
        }

        let help = "Entries in memory, by the mode of their unexpired policy";
        let mut family =
            encoder.encode_descriptor("mta_sts_entries", help, None, MetricType::Gauge)?;
        for Count { label, count } in &entries {
            family.encode_family(&[("mode", *label)])?.encode_gauge(count)?;
        }
        encoder
            .encode_descriptor(
                "mta_sts_entries_pending",
                "Entries that the store has yet to take",
                None,
                MetricType::Gauge,
            )?
            .encode_gauge(&entries_pending)?;
        if let Some(left) = next_expiry {
            encoder
                .encode_descriptor(
                    "mta_sts_next_expiry",
                    "Until the first enforced or tested policy in memory expires",
                    Some(&Unit::Seconds),
                    MetricType::Gauge,
                )?
                .encode_gauge(&left.as_secs_f64())?;
        }
        Ok(())
    }
}
