//! Tables in the words of a user: `check(graph, story, expected)`.
//!
//! **Graph**: steps apart by `;`, each a name and words: `needs a,b`, when `cel`, `retry`, `retry=3`, `backoff=10s`,
//! `factor=1`, `never=2`, `start<=5m` (scheduleToStart), `run<=10m` (startToClose), `all<=1h` (scheduleToClose),
//! `then=Continue`, `out=n:integer`, `out=n:integer?` (optional), `out=n:integer=5` (default), `out=t:Text`, in `x=cel`,
//! `task` (runs Task `t-<name>`), `sidecar`. A part `run:` has the words `total<=1h`, `ttl=60`, `OnChange`,
//! `onfailure=alarm(why=error.reason)`, `onexit=…`. Steps of a block are `block b: x needs y`; what it takes and gives is
//! `block b in=n:integer gives=n:integer=steps.x.outputs.n onfailure=…`. Other kinds: `block=b`, `case=cel->b` with
//! `else=none`, `loop=b` with `while=`, `until=`, `times=`, `delay=`, `wait=10s`, `set=n:integer=cel`,
//! `exit=Failed/Reason` with `exitout=n=cel`, `http=GET` with `expect=cel`, `gives=n:integer=cel` and `body=cel`. Forks: `each=cel` or `count=3`, `as=`, `atonce=`, `mayfail=`,
//! `onfail=LetFinish`, `stopwhen=`, `eachwhen=`. Joins: `join=Any`, `counts=Succeeded`, `others=Cancel`; `catch=b`.
//! Children: `child=t` (`child=t!` does not wait), `close=Abandon`; `template t in=… gives=…`, `template t: x needs y`; the
//! Workflow itself from one: `run: template=t input=n=3`.
//!
//! **Story**: what happens, apart by `;`, each `<what> [at <time>]`, times since the start. `a#1` is attempt 1 of step a:
//! `a#1 runs`, `reports exit=0` (the container's state alone), `exit=1` (the pod has ended too), `says text`; see [`story`].
//! `c#1 child=Failed/StepFailed says text`, `child=Succeeded says {"n": 1}`. As a child itself: `parent Terminate`, then
//! `parent stops` or `parent Succeeded`.
//! Of a request `a#1 answers 200 {"n":1}`, `lost`, `held 30s`; see [`request`].
//! Before and after each, the operator acts until nothing is left to do; `now 4s` lets time pass.
//!
//! **Expected**: apart by `;`. Actions since the last word of the story are complete: what is not listed was not done.
//!
//! Each look also checks the replay law, and that the stage comes to rest: the fixpoint law.

mod expect;
mod graph;
mod request;
mod story;
mod theatre;

pub(crate) use theatre::Stage;

/// Plays the story and compares.
#[track_caller]
pub(crate) fn check(graph: &str, story: &str, expected: &str) {
    let mut stage = Stage::new(graph);
    stage.settle();
    for line in parts(story) {
        stage.hear(&line);
    }
    let wrong: Vec<String> = expect::differences(&stage, expected);
    assert!(
        wrong.is_empty(),
        "\n   graph: {graph}\n   story: {story}\nexpected: {expected}\n  but: {}\n  did: {:?}\n  {}",
        wrong.join("\n       "),
        stage.done,
        serde_json::to_string_pretty(&stage.pending).unwrap()
    );
}

/// Splits at `;` outside of backquotes.
fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut is_quoted = false;
    for character in text.chars() {
        is_quoted ^= character == '`';
        if character == ';' && !is_quoted {
            parts.push(String::new());
        } else {
            parts.last_mut().unwrap().push(character);
        }
    }
    let trimmed = parts.iter().map(|part| part.trim().to_owned());
    trimmed.filter(|part| !part.is_empty()).collect()
}

/// Splits at spaces outside of backquotes, and drops the backquotes.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for character in text.chars() {
        if character == '`' {
            is_quoted = !is_quoted;
        } else if character == ' ' && !is_quoted {
            words.push(String::new());
        } else {
            words.last_mut().unwrap().push(character);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
