//! Summaries without quantiles (a sum and a count for each set of labels): the `prometheus` crate
//! has none, and Rekor's dashboards read them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType, Summary};

use super::sure;

/// Summaries of one name, one for each `K`; cheap to clone.
pub(super) struct Summaries<K>(Arc<Inner<K>>);

struct Inner<K> {
    desc: Desc,
    labels: fn(&K) -> Vec<String>,
    seen: Mutex<BTreeMap<K, (u64, f64)>>,
}

impl<K> Clone for Summaries<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Ord> Summaries<K> {
    /// `labels` gives the values of the label `names`, in the same order.
    pub(super) fn new(
        name: &str,
        help: &str,
        names: &[&str],
        labels: fn(&K) -> Vec<String>,
    ) -> Self {
        let names = names.iter().map(|name| (*name).into()).collect();
        let desc = sure(Desc::new(name.into(), help.into(), names, Default::default()));
        Self(Arc::new(Inner { desc, labels, seen: Mutex::default() }))
    }

    pub(super) fn observe(&self, key: K, value: f64) {
        let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, sum) = seen.entry(key).or_default();
        *count += 1;
        *sum += value;
    }

    fn metric(&self, key: &K, (count, sum): (u64, f64)) -> Metric {
        let values = (self.0.labels)(key);
        let mut labels: Vec<LabelPair> = Vec::with_capacity(values.len());
        for (name, value) in self.0.desc.variable_labels.iter().zip(values) {
            let mut label = LabelPair::default();
            label.set_name(name.clone());
            label.set_value(value);
            labels.push(label);
        }
        labels.sort_by(|a, b| a.name().cmp(b.name()));
        let mut summary = Summary::default();
        summary.set_sample_count(count);
        summary.set_sample_sum(sum);
        let mut metric = Metric::from_label(labels);
        metric.set_summary(summary);
        metric
    }
}

impl<K: Ord + Send + Sync> Collector for Summaries<K> {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.0.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut family = MetricFamily::default();
        family.set_name(self.0.desc.fq_name.clone());
        family.set_help(self.0.desc.help.clone());
        family.set_field_type(MetricType::SUMMARY);
        family.set_metric(seen.iter().map(|(key, seen)| self.metric(key, *seen)).collect());
        vec![family]
    }
}
