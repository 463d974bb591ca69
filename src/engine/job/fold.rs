//! Folds all that is said of a step's Job into one template.

use jobwright_api::{
    container::{StepJob, TaskJob},
    policy::JobDefaults,
    settings::{JobSettings, Layer},
};
use k8s_openapi::api::core::v1::Container;

use super::{
    check::{Findings, NUL, quote},
    part::Part,
    program,
    sources::restricted,
};
use crate::{definition::JobTemplate, problem::Problem, text::nearest};

/// The sources of a step's Job, with where problems should say that they stand.
#[derive(Clone, Copy, Debug)]
pub struct Layers<'a> {
    pub settings: &'a JobSettings,
    /// At `spec.jobDefaults` of the Workflow.
    pub job_defaults: Option<&'a JobDefaults>,
    /// The Task's job, of a task step.
    pub task: Option<&'a TaskJob>,
    /// Field path of the Task's job: `spec.job` in its own review.
    pub task_path: &'a str,
    /// The step's own job: inline, or what it overrides of its Task's.
    pub step: Option<&'a StepJob>,
    /// Field path of the step's job: `spec.steps[2].job`.
    pub step_path: &'a str,
}

/// One template of: what `restricted` asks for < `settings.defaults` < class < Workflow < Task < step.
///
/// The class is the one that the step names, else the Task, else the Workflow. `enforced` is not
/// folded in: it goes above values that are known only when a Job is made ([`super::build()`]).
///
/// # Errors
/// All that is wrong with the sources, except with `settings` ([`super::check_settings`]).
pub fn fold(layers: &Layers<'_>) -> Result<JobTemplate, Vec<Problem>> {
    let mut found = Findings::default();
    layers.check(&mut found);
    let mut whole = Part::default();
    whole.lay(Part::from(&restricted()));
    whole.lay(Part::from(&layers.settings.defaults));
    if let Some(class) = layers.class(&mut found) {
        whole.lay(Part::from(class));
    }
    if let Some(defaults) = layers.job_defaults {
        whole.lay(Part::from(defaults));
    }
    if let Some(task) = layers.task {
        whole.lay(Part::from(task));
    }
    if let Some(step) = layers.step {
        whole.lay(Part::from(step));
    }
    layers.check_program(&whole, &mut found);
    layers.check_whole(&whole, &mut found);
    if found.0.is_empty() {
        Ok(whole.into_template())
    } else {
        Err(found.0)
    }
}

/// Lays what the operator enforces over a template.
pub fn enforce(template: &mut JobTemplate, enforced: &Layer) {
    let mut whole = Part::from(std::mem::take(template));
    whole.lay(Part::from(enforced));
    *template = whole.into_template();
}

impl<'a> Layers<'a> {
    fn check(&self, found: &mut Findings) {
        if let Some(defaults) = self.job_defaults {
            found.job_defaults("spec.jobDefaults", defaults);
        }
        if let Some(task) = self.task {
            found.task(self.task_path, task);
        }
        if let Some(step) = self.step {
            found.step(self.step_path, step);
        }
    }

    fn class(&self, found: &mut Findings) -> Option<&'a Layer> {
        let of_step = self.step.and_then(|job| job.class.as_deref());
        let of_task = self.task.and_then(|job| job.step.class.as_deref());
        let of_run = self.job_defaults.and_then(|job| job.class.as_deref());
        let (name, path) = of_step
            .map(|name| (name, self.step_path))
            .or_else(|| of_task.map(|name| (name, self.task_path)))
            .or_else(|| of_run.map(|name| (name, "spec.jobDefaults")))?;
        let classes = &self.settings.job_classes;
        let class = classes.get(name);
        if class.is_none() {
            let known: Vec<_> = classes.keys().map(String::as_str).collect();
            let hint = match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean {near}? Known are {}", quote(&known.join(", "))),
                None if known.is_empty() => "the operator's configuration has none (jobClasses)".to_owned(),
                None => format!("known are {}", quote(&known.join(", "))),
            };
            found.add(
                format!("{path}.class"),
                format!("there is no class {}: {hint}", quote(name)),
            );
        }
        class
    }

    /// Where the program is written: in the step, if it says anything of it.
    fn program_path(&self) -> &'a str {
        let says = |job: &StepJob| {
            job.script.is_some() || !(job.command.is_empty() && job.args.is_empty() && job.interpreter.is_empty())
        };
        match self.step {
            Some(step) if self.task.is_none() || says(step) => self.step_path,
            _ => self.task_path,
        }
    }

    fn check_program(&self, whole: &Part, found: &mut Findings) {
        let (path, main) = (self.program_path(), &whole.main);
        if whole.script.is_some() && (main.command.is_some() || main.args.is_some()) {
            found.add(
                format!("{path}.script"),
                "a script is the whole program: leave out command and args, or the script (values are \
                 in the environment: \"$INPUT_X\")",
            );
        }
        if whole.script.is_none() && !whole.interpreter.is_empty() {
            found.add(
                format!("{path}.interpreter"),
                "an interpreter needs a script: write script, or command in place of both",
            );
        }
        if let Some(field) = program::value_in_text(main) {
            found.add(
                format!("{path}.{field}"),
                "the value of an input would become program text: write the text as script, and \
                 \"$INPUT_X\", in double quotes, in place of $(INPUT_X)",
            );
        }
        let words = [("command", &main.command), ("args", &main.args)];
        for (field, words) in words {
            if words.iter().flatten().any(|word| word.contains('\0')) {
                found.add(format!("{path}.{field}"), NUL);
            }
        }
        if whole.script.as_ref().is_some_and(|script| script.contains('\0')) {
            found.add(format!("{path}.script"), NUL);
        }
    }

    fn check_whole(&self, whole: &Part, found: &mut Findings) {
        let path = if self.task.is_some() {
            self.task_path
        } else {
            self.step_path
        };
        let is_computed = whole.fields_from.iter().any(|from| from.field == "image");
        if whole.main.image.as_deref().unwrap_or_default().is_empty() && !is_computed {
            found.add(format!("{path}.image"), "no image: write the image that the step runs");
        }
        let around = whole.pod.init_containers.iter().flatten();
        if [&whole.main]
            .into_iter()
            .chain(around)
            .any(|container| is_unstartable_root(container, whole))
        {
            found.add(
                format!("{path}.securityContext"),
                "it would run as root (runAsUser: 0) while runAsNonRoot is true, and so never start: \
                 set runAsNonRoot: false beside it, or another user",
            );
        }
    }
}

/// The kubelet refuses to start a root user where `runAsNonRoot` holds.
fn is_unstartable_root(container: &Container, whole: &Part) -> bool {
    let own = container.security_context.as_ref();
    let pod = whole.pod.security_context.as_ref();
    let user = own.and_then(|own| own.run_as_user).or_else(|| pod?.run_as_user);
    let non_root = own.and_then(|own| own.run_as_non_root).or_else(|| pod?.run_as_non_root);
    user == Some(0) && non_root == Some(true)
}
