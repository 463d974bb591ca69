//! The notation of stories.

use jobwright_api::{
    AttemptStatus, Reason, StepStatus, WorkflowPhase, WorkflowStatus, status::Stop, template::OnParentClose,
};
use jobwright_engine::observed::{ContainerState, JobView, Notes, PodPhase, PodView, RefusalKind};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

use super::{
    Stage,
    graph::span,
    theatre::{main_container, new_pod},
    words,
};

impl Stage {
    /// Lets one thing happen, then lets the operator act.
    pub(super) fn hear(&mut self, line: &str) {
        let mut words = words(line);
        if words.len() > 2 && words[words.len() - 2] == "at" {
            let at = self.after(span(&words.pop().unwrap()));
            words.pop();
            self.pass(at);
        }
        self.done.clear();
        let first = words.remove(0);
        match first.as_str() {
            "now" => self.pass(self.after(span(&words[0]))),
            "crash" => {
                self.notes = Notes::default();
                self.pending = self.stored.clone();
            }
            "suspend" => self.spec.suspend = true,
            "resume" => self.spec.suspend = false,
            "deleted" => self.deleting = true,
            "change" => {
                self.generation += 1;
                self.spec.steps[0].job.as_mut().unwrap().image = Some(words[0].clone());
            }
            "missing" => drop(self.missing.insert(words[0].clone())),
            "appears" => drop(self.missing.remove(&words[0])),
            "unwritable" => self.writes_fail = true,
            "writable" => self.writes_fail = false,
            "pages-gone" => self.pages.clear(),
            "anew" => self.restart_from_nothing(),
            "parent" => self.parent(&words[0]),
            attempt => self.attempt(attempt, &words),
        }
        self.settle();
    }

    /// As if the Workflow were applied now, under what the story has set up before.
    fn restart_from_nothing(&mut self) {
        let names = self.names.clone();
        let (missing, answers, suspend) = (self.missing.clone(), self.answers.clone(), self.spec.suspend);
        self.stored = WorkflowStatus::default();
        self.pending = WorkflowStatus::default();
        self.notes = Notes::default();
        let foreign = |job: &JobView| job.owner_uid == "somebody else";
        self.jobs.retain(|_, job| foreign(job));
        self.pods.clear();
        self.children.clear();
        (self.names, self.missing, self.answers, self.spec.suspend) = (names, missing, answers, suspend);
    }

    /// `parent Terminate`: this Workflow runs for step `p` of another one. `stops`: that step is stopped; `Succeeded`:
    /// that Workflow has ended.
    fn parent(&mut self, word: &str) {
        if let Some(on_close) = OnParentClose::of_word(word) {
            let attempt = AttemptStatus {
                number: 1,
                workflow: Some("play".to_owned()),
                ..AttemptStatus::default()
            };
            let mut step = StepStatus::default();
            (step.attempts.count, step.attempts.recent) = (1, vec![attempt]);
            let status = WorkflowStatus {
                run: Some(1),
                phase: Some(WorkflowPhase::Running),
                steps: [("p".to_owned(), step)].into(),
                ..WorkflowStatus::default()
            };
            self.parent = Some((on_close, status));
            return;
        }
        let (_, status) = self.parent.as_mut().unwrap();
        if word == "stops" {
            status.steps.get_mut("p").unwrap().attempts.recent[0].stop = Some(Stop {
                reason: Reason::DeadlineExceeded,
                timeout: None,
                message: Some("says the parent".to_owned()),
                at: MicroTime(self.start),
            });
        } else {
            status.phase = Some(serde_json::from_value(word.into()).unwrap());
        }
    }

    /// `child=Failed/StepFailed`, and what it says or gives.
    fn child(&mut self, name: &str, value: &str, words: &[String]) {
        let (phase, reason) = value.split_once('/').unwrap_or((value, ""));
        let child = self.children.get_mut(name).unwrap();
        child.phase = Some(serde_json::from_value(phase.into()).unwrap());
        child.reason = (!reason.is_empty()).then(|| serde_json::from_value(reason.into()).unwrap());
        let said = words
            .iter()
            .position(|word| word == "says")
            .map(|at| words[at + 1].clone());
        match said {
            Some(said) if said.starts_with('{') => child.outputs = serde_json::from_str(&said).unwrap(),
            said => child.message = said,
        }
    }

    fn attempt(&mut self, attempt: &str, words: &[String]) {
        let (word, value) = words[0].split_once('=').unwrap_or((&words[0], ""));
        if word == "post" {
            self.answer(attempt, value);
            return;
        }
        if self.request(attempt, words) {
            return;
        }
        let name = self
            .names
            .get(attempt)
            .unwrap_or_else(|| panic!("no Job of {attempt} was asked for"))
            .clone();
        if word == "probe" {
            self.probes.insert(name, words[1].clone());
            return;
        }
        match word {
            "child" => return self.child(&name, value, words),
            "gone" => {
                self.children.remove(&name);
                self.jobs.remove(&name);
                self.pods.remove(&name);
                return;
            }
            "unseen" => {
                self.hidden.insert(name);
                return;
            }
            "seen" => {
                self.hidden.remove(&name);
                return;
            }
            "pod-gone" => return drop(self.pods.remove(&name)),
            "foreign" => {
                let job = JobView {
                    name: name.clone(),
                    uid: "x".to_owned(),
                    owner_uid: "somebody else".to_owned(),
                    ..JobView::default()
                };
                self.jobs.insert(name, job);
                return;
            }
            _ => {}
        }
        let job = self.jobs.get_mut(&name).unwrap();
        if on_job(job, word) {
            return;
        }
        job.has_had_pod = true;
        let pod = self.pods.entry(name).or_insert_with(|| new_pod(job));
        on_pod(pod, word, value, words, self.now);
    }

    fn answer(&mut self, attempt: &str, word: &str) {
        let kind = match word {
            "quota" => RefusalKind::Quota,
            "unavailable" => RefusalKind::Unavailable,
            "refused" => RefusalKind::Permanent,
            "taken" => RefusalKind::NameTaken,
            "ok" => {
                self.answers.remove(attempt);
                return;
            }
            _ => panic!("post={word}?"),
        };
        self.answers.insert(attempt.to_owned(), kind);
    }
}

fn on_job(job: &mut JobView, word: &str) -> bool {
    let failed = |reason: &str| Some((reason.to_owned(), "says the Job controller".to_owned()));
    match word {
        "complete" => job.complete = true,
        "failed" => job.failed = failed("BackoffLimitExceeded"),
        "past-deadline" => job.failed = failed("DeadlineExceeded"),
        "suspended" => job.suspended = true,
        "unsuspended" => job.suspended = false,
        "job-deleted" => job.deleting = true,
        _ => return false,
    }
    true
}

fn tells(reason: &str, words: &str) -> (String, String) {
    (reason.to_owned(), words.to_owned())
}

fn on_pod(pod: &mut PodView, word: &str, value: &str, words: &[String], now: jiff::Timestamp) {
    let said = words
        .iter()
        .position(|word| word == "says")
        .map(|at| words[at + 1].clone());
    let disrupted = |reason: &str| Some(tells(reason, "says the cluster"));
    let exit_of = |words: &[String]| words.iter().find_map(|word| word.strip_prefix("exit=")?.parse().ok());
    let mut exits = |code: i32, reason: &str| {
        pod.containers = main_container(ContainerState::Terminated {
            exit_code: code,
            reason: reason.to_owned(),
            message: said.clone().unwrap_or_default(),
            finished_at: Some(now),
        });
    };
    match word {
        "pod" => {}
        "stranger" => "another".clone_into(&mut pod.job_uid),
        "sidecar" => pod.has_sidecars = true,
        "runs" => {
            pod.phase = PodPhase::Running;
            pod.containers = main_container(ContainerState::Running { started_at: Some(now) });
        }
        "waits" => {
            pod.containers = main_container(ContainerState::Waiting {
                reason: words[1].clone(),
                message: "says the kubelet".to_owned(),
            });
        }
        "unschedulable" if words.len() > 1 => pod.unschedulable = Some(tells("Unschedulable", &words[1])),
        "unschedulable" => pod.unschedulable = disrupted("Unschedulable"),
        // The kubelet reports the containers one tick before it sets the pod's phase.
        "reports" => exits(exit_of(words).unwrap(), "Completed"),
        "ends" => pod.phase = PodPhase::Succeeded,
        "exit" => {
            let code: i32 = value.parse().unwrap();
            exits(code, "Error");
            pod.phase = if code == 0 {
                PodPhase::Succeeded
            } else {
                PodPhase::Failed
            };
        }
        "oom" => {
            exits(137, "OOMKilled");
            pod.phase = PodPhase::Failed;
        }
        "evicted" => {
            exits(137, "Error");
            pod.phase = PodPhase::Failed;
            pod.reason = Some("Evicted".to_owned());
            pod.disruption = disrupted("TerminationByKubelet");
        }
        "drained" => {
            pod.disruption = disrupted("EvictionByEvictionAPI");
            pod.deletion_asked_at = Some(now);
        }
        "preempted" => {
            pod.disruption = disrupted("PreemptionByScheduler");
            pod.deletion_asked_at = Some(now);
        }
        "node-lost" => {
            pod.disruption = disrupted("DeletionByTaintManager");
            pod.deletion_asked_at = Some(now);
        }
        "pod-deleted" => pod.deletion_asked_at = Some(now),
        "pod-reason" => pod.reason = Some(words[1].clone()),
        other => panic!("{other:?}?"),
    }
}
