//! Command, arguments and script: what the main container runs.

use k8s_openapi::api::core::v1::Container;

const INTERPRETER: [&str; 2] = ["/bin/sh", "-ec"];
/// Flags that shells take in one word with `-c`: `-ec`, `-euxc`. Others, as in `-src`, are not a shell's.
const SHELL_FLAGS: &str = "aefiluvx";

/// The interpreter with the script as one argument.
pub(super) fn command(interpreter: &[String], script: &str) -> Vec<String> {
    let mut command: Vec<String> = if interpreter.is_empty() {
        INTERPRETER.map(str::to_owned).to_vec()
    } else {
        interpreter.to_vec()
    };
    command.push(literal(script));
    command
}

/// `text` such that Kubernetes' expansion of `$(X)` gives it back byte for byte.
///
/// It reads `$$` as `$` and goes on behind it, wherever it stands, so doubling each is exact.
pub(super) fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

/// Where a value would become program text: the field (`command[2]`) that is the text after a `-c`
/// and has `$(INPUT_` in it.
pub(super) fn value_in_text(main: &Container) -> Option<String> {
    let numbered = |field: &'static str, words: &'_ Option<Vec<String>>| {
        let words = words.iter().flatten().enumerate();
        words
            .map(|(index, word)| (format!("{field}[{index}]"), word.clone()))
            .collect::<Vec<_>>()
    };
    let mut words = numbered("command", &main.command);
    words.extend(numbered("args", &main.args));
    let mut words = words.into_iter().skip_while(|(_, word)| !is_c(word)).skip(1);
    // Options may stand between the two: `sh -c -e text`.
    let (field, text) = words.find(|(_, word)| !word.starts_with(['-', '+']))?;
    expands_input(&text).then_some(field)
}

fn is_c(word: &str) -> bool {
    let Some(flags) = word.strip_prefix('-').and_then(|word| word.strip_suffix('c')) else {
        return false;
    };
    // Each once: `find -exec` is not a shell's.
    flags
        .chars()
        .all(|flag| SHELL_FLAGS.contains(flag) && flags.matches(flag).count() == 1)
}

/// Whether Kubernetes would put an input's value into `text`. `$$(INPUT_X)` stays as it is.
fn expands_input(text: &str) -> bool {
    let mut rest = text;
    while let Some((_, tail)) = rest.split_once('$') {
        if tail.starts_with("(INPUT_") {
            return true;
        }
        rest = tail.strip_prefix('$').unwrap_or(tail);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Option<Vec<String>> {
        (!text.is_empty()).then(|| text.split('|').map(str::to_owned).collect())
    }

    #[test]
    fn an_input_never_becomes_shell_text() {
        for (command, args, refused) in [
            ("sh|-c|echo $(INPUT_TOP)", "", Some("command[2]")),
            ("/bin/bash|-ec", "echo $(INPUT_TOP)", Some("args[0]")),
            ("bash|-euxc|echo $(INPUT_TOP)", "", Some("command[2]")),
            ("bash|-c|-e|$(INPUT_TOP)", "", Some("command[3]")),
            ("python|-c|print('$(INPUT_TOP)')", "", Some("command[2]")),
            ("sh|-c|$$$(INPUT_TOP)", "", Some("command[2]")),
            ("", "-c|$(INPUT_TOP)", Some("args[1]")),
            // One element of its own, or no shell's `-c`.
            ("sh|-c|echo \"$1\"|sh|$(INPUT_TOP)", "", None),
            ("sh|-c|echo \"$INPUT_TOP\"", "", None),
            ("sh|-c|echo $$(INPUT_TOP)", "", None),
            ("/bin/count|--top=$(INPUT_TOP)|$(INPUT_FILE)", "", None),
            ("find|$(INPUT_DIR)|-exec|$(INPUT_FILE)", "", None),
            ("tool|-src|$(INPUT_FILE)", "", None),
        ] {
            let main = Container {
                command: words(command),
                args: words(args),
                ..Container::default()
            };
            assert_eq!(value_in_text(&main).as_deref(), refused, "{command} {args}");
        }
    }
}
