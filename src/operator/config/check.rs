//! What a value has to be beyond its type. Each answer says where, what and what to do.

use jobwright_api::settings::Layer;
use k8s_openapi::{api::core::v1::ResourceRequirements, apimachinery::pkg::api::resource::Quantity};
use std::collections::BTreeSet;

use super::Settings;

/// Everything that is wrong, in the order of the fields.
pub(super) fn settings(settings: &Settings) -> Vec<String> {
    let mut wrongs = Wrongs::default();
    // What no Job may have from whatever source, the engine knows.
    let of_jobs = jobwright_engine::job::check_settings(&settings.jobs);
    wrongs.0.extend(of_jobs.iter().map(|problem| format!("jobs.{problem}")));
    layer(&mut wrongs, "jobs.defaults", &settings.jobs.defaults);
    layer(&mut wrongs, "jobs.enforced", &settings.jobs.enforced);
    for (name, class) in &settings.jobs.job_classes {
        let path = format!("jobs.jobClasses[{name}]");
        wrongs.check(is_dns_label(name), &path, || {
            "a class is named like a Kubernetes object: lower case letters, digits and '-', at most 63".into()
        });
        layer(&mut wrongs, &path, class);
    }
    if let Some(limit) = settings.jobs.schedule_to_start {
        wrongs.check(limit.as_millis() > 0, "jobs.scheduleToStart", || {
            "must be longer than 0s; leave it out for 1h".into()
        });
    }
    let api = &settings.api;
    let qps_fits = api.qps.is_finite() && (1.0..=10_000.0).contains(&api.qps);
    wrongs.check(qps_fits, "api.qps", || {
        format!("is {}, must be from 1 to 10000 requests per second", api.qps)
    });
    wrongs.check((1..=100_000).contains(&api.burst), "api.burst", || {
        format!("is {}, must be from 1 to 100000", api.burst)
    });
    wrongs.check((1..=1_000).contains(&api.in_flight), "api.inFlight", || {
        format!("is {}, must be from 1 to 1000", api.in_flight)
    });
    let timeout_ms = api.timeout.as_millis();
    wrongs.check((100..=60_000).contains(&timeout_ms), "api.timeout", || {
        format!("is {}, must be from 100ms to 1m", api.timeout)
    });
    let concurrency = settings.concurrency.0;
    wrongs.check((1..=1_000).contains(&concurrency), "concurrency", || {
        format!("is {concurrency}, must be from 1 to 1000")
    });
    let mut seen = BTreeSet::new();
    for (index, namespace) in settings.namespaces.iter().enumerate() {
        let path = format!("namespaces[{index}]");
        wrongs.check(is_dns_label(namespace), &path, || {
            format!("{namespace:?} is no name of a namespace; leave the list empty to serve all")
        });
        wrongs.check(seen.insert(namespace), &path, || {
            format!("{namespace:?} is there twice: remove one")
        });
    }
    let level = settings.log.level.as_str();
    wrongs.check(level.split(',').all(is_log_directive), "log.level", || {
        format!(
            "{level:?} is no level: write error, warn, info, debug, trace or off, or directives such as info,kube=debug"
        )
    });
    wrongs.0.extend(settings.outbound.wrongs());
    wrongs.0
}

#[derive(Default)]
struct Wrongs(Vec<String>);

impl Wrongs {
    fn check(&mut self, right: bool, path: &str, words: impl FnOnce() -> String) {
        if !right {
            self.0.push(format!("{path}: {}", words()));
        }
    }
}

fn layer(wrongs: &mut Wrongs, path: &str, layer: &Layer) {
    let at = |field: &str| format!("{path}.{field}");
    if let Some(ttl) = layer.ttl_seconds_after_finished {
        wrongs.check(ttl >= 0, &at("ttlSecondsAfterFinished"), || {
            format!("is {ttl}, must be 0 or more; leave it out to keep Jobs as long as their run")
        });
    }
    if let Some(grace) = layer.termination_grace_period_seconds {
        let fits = (0..=86_400).contains(&grace);
        wrongs.check(fits, &at("terminationGracePeriodSeconds"), || {
            format!("is {grace}, must be from 0 to 86400")
        });
    }
    if let Some(resources) = &layer.resources {
        quantities(wrongs, &at("resources"), resources);
    }
    if let Some(policy) = layer.image_pull_policy.as_deref() {
        let known = ["Always", "IfNotPresent", "Never"].contains(&policy);
        wrongs.check(known, &at("imagePullPolicy"), || {
            format!("{policy:?} is unknown: write Always, IfNotPresent or Never")
        });
    }
    for (index, secret) in layer.image_pull_secrets.iter().enumerate() {
        let path = at(&format!("imagePullSecrets[{index}].name"));
        wrongs.check(is_dns_name(&secret.name), &path, || {
            format!("{:?} is no name of a Secret", secret.name)
        });
    }
    let names = [
        ("priorityClassName", &layer.priority_class_name),
        ("runtimeClassName", &layer.runtime_class_name),
        ("schedulerName", &layer.scheduler_name),
        ("serviceAccountName", &layer.service_account_name),
    ];
    for (field, name) in names {
        if let Some(name) = name {
            wrongs.check(is_dns_name(name), &at(field), || {
                format!("{name:?} is no name of a Kubernetes object")
            });
        }
    }
}

fn quantities(wrongs: &mut Wrongs, path: &str, resources: &ResourceRequirements) {
    let maps = [("requests", &resources.requests), ("limits", &resources.limits)];
    for (field, map) in maps {
        for (name, Quantity(text)) in map.iter().flatten() {
            wrongs.check(is_quantity(text), &format!("{path}.{field}.{name}"), || {
                format!("{text:?} is no quantity: write a number with an optional unit, such as 500m, 2 or 64Mi")
            });
        }
    }
}

/// A level, alone or for one target. The filter itself would take a typo for a target's name.
fn is_log_directive(text: &str) -> bool {
    let level = match text.split_once('=') {
        Some((target, level)) if !target.trim().is_empty() => level,
        Some(_) => return false,
        None => text,
    };
    ["error", "warn", "info", "debug", "trace", "off"].contains(&level.trim())
}

/// `<signed number><suffix>` of Kubernetes, without a sign: a negative limit makes no sense.
fn is_quantity(text: &str) -> bool {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let exponent = |rest: &str| {
        let rest = rest.strip_prefix(['+', '-']).unwrap_or(rest);
        !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit())
    };
    let known = [
        "", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei",
    ]
    .contains(&suffix)
        || suffix.strip_prefix(['e', 'E']).is_some_and(exponent);
    digits > 0 && number.matches('.').count() <= 1 && known
}

fn is_dns_label(text: &str) -> bool {
    is_dns_name(text) && text.len() <= 63 && !text.contains('.')
}

fn is_dns_name(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    text.len() <= 253 && text.split('.').all(part)
}

#[cfg(test)]
mod tests {
    use super::super::Settings;

    fn check(yaml: &str, expected: &str) {
        let text = match Settings::parse(yaml) {
            Ok(_) => "ok".to_owned(),
            Err(error) => error.to_string(),
        };
        let found = if expected == "ok" {
            text == "ok"
        } else {
            text.contains(expected)
        };
        assert!(found, "{yaml}\nexpected: {expected}\nwas: {text}");
    }

    #[test]
    fn an_empty_file_is_valid() {
        check("", "ok");
        check("# nothing\n", "ok");
        check("{}", "ok");
    }

    #[test]
    fn the_whole_file_is_understood() {
        check(
            r"
jobs:
  defaults:
    ttlSecondsAfterFinished: 600
    labels: {team: data, example.com/cost-center: '42'}
    resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 1e3}}
    tolerations: [{key: batch, operator: Exists}]
    imagePullSecrets: [{name: registry.local}]
  enforced: {podSecurityContext: {runAsNonRoot: true}}
  jobClasses: {gpu-large: {nodeSelector: {disk: ssd}}}
  scheduleToStart: 30m
api: {qps: 50, burst: 100, inFlight: 8, timeout: 2s}
concurrency: 4
namespaces: [a, b]
log: {format: human, level: 'info,kube=debug'}
http: {bind: '127.0.0.1:9000'}
",
            "ok",
        );
    }

    #[test]
    fn a_wrong_value_is_named_with_its_path() {
        for (yaml, expected) in [
            (
                "jobs: {defaults: {ttlSecondsAfterFinished: -1}}",
                "jobs.defaults.ttlSecondsAfterFinished: is -1",
            ),
            ("jobs: {enforced: {labels: {'a b': c}}}", "jobs.enforced.labels[a b]: "),
            ("jobs: {defaults: {labels: {a: 'x y'}}}", "jobs.defaults.labels[a]: "),
            (
                "jobs: {defaults: {labels: {jobwright.dev/run: x}}}",
                "reserved for the operator",
            ),
            (
                "jobs: {defaults: {resources: {limits: {cpu: 1x}}}}",
                "jobs.defaults.resources.limits.cpu: \"1x\"",
            ),
            ("jobs: {jobClasses: {A: {}}}", "jobs.jobClasses[A]: a class is named"),
            (
                "jobs: {jobClasses: {a: {env: [{name: INPUT_X, value: v}]}}}",
                "jobs.jobClasses[a].env[0].name",
            ),
            (
                "jobs: {defaults: {imagePullPolicy: always}}",
                "write Always, IfNotPresent or Never",
            ),
            (
                "jobs: {defaults: {env: [{name: 'A=B', value: v}]}}",
                "jobs.defaults.env[0].name: A=B cannot name a variable",
            ),
            ("jobs: {scheduleToStart: 0s}", "jobs.scheduleToStart: must be longer"),
            ("api: {qps: 0}", "api.qps: is 0"),
            ("api: {qps: .nan}", "api.qps: is NaN"),
            ("api: {inFlight: 0}", "api.inFlight: is 0"),
            ("api: {timeout: 0s}", "api.timeout: is 0s"),
            ("concurrency: 0", "concurrency: is 0"),
            ("namespaces: [a, A, a]", "namespaces[1]: \"A\""),
            ("namespaces: [a, a]", "namespaces[1]: \"a\" is there twice"),
            ("log: {level: inof}", "log.level: \"inof\" is no level"),
            ("log: {level: 'info,kube='}", "log.level"),
        ] {
            check(yaml, expected);
        }
    }

    #[test]
    fn all_wrong_values_are_named_at_once() {
        let error = Settings::parse("api: {qps: 0, burst: 0}\nconcurrency: 0").unwrap_err();
        assert_eq!(error.to_string().lines().count(), 3, "{error}");
    }

    #[test]
    fn a_wrong_field_is_named_with_its_line() {
        for (yaml, expected) in [
            ("api:\n  qsp: 1\n", "api.qsp: "),
            ("jobs:\n  defaults:\n    ttl: 1\n", "jobs.defaults.ttl: "),
            ("api: {timeout: fast}", "api.timeout: "),
            ("http: {bind: here}", "http.bind: "),
            ("a: [", "line 1"),
        ] {
            check(yaml, expected);
        }
    }

    #[test]
    fn the_examples_are_valid() {
        for name in ["dev", "staging", "prod"] {
            let path = format!("{}/../../config/environments/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
            Settings::load(std::path::Path::new(&path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        }
    }
}
