//! What is meant to hurt: every bomb ends in time, with an error or a small value.

use super::assert_well_formed;
use crate::expr::pattern::{Pattern, Search};
use crate::expr::{Expression, Scope};
use serde_json::{Value as Json, json};

/// 10,000 results of a fork, a text of 1 MiB, and JSON as deep as it can be parsed.
fn data() -> Json {
    let results: Vec<Json> = (0..10_000)
        .map(|n| json!({"words": n, "name": format!("file-{n}")}))
        .collect();
    let deep = (0..120).fold(json!(1), |inner, _| json!([inner]));
    json!({
        "results": results,
        "text": "a".repeat(1 << 20),
        "short": "a".repeat(2000),
        "mixed": "abbabaaab".repeat(10_000),
        "lines": "line of some words\n".repeat(3000),
        "deep": deep
    })
}

/// Fuel and data are what bounds an evaluation: a bomb ends with the error of a limit.
fn each_ends(texts: &[String], is_stopped: bool) {
    let data = data();
    for text in texts {
        let expression = Expression::parse(text).expect(text);
        let shown: String = text.chars().take(70).collect();
        match expression.evaluate(&Scope::new().with_ref("x", &data)) {
            Ok(value) => assert!(!is_stopped, "{shown} gives {} bytes", value.to_string().len()),
            Err(error) => {
                assert_well_formed(&error);
                assert!(is_stopped && error.is_limit(), "{shown}: {error}");
            }
        }
    }
}

#[test]
fn hostile_expressions_are_stopped_by_a_limit() {
    let all = "x.results.all(a, x.results.all(b, a.words + b.words >= 0))";
    each_ends(
        &[
            all.to_owned(),
            "x.results.map(a, x.results.map(b, a))".to_owned(),
            "x.results.exists(a, x.results.exists(b, a.none == b.none))".to_owned(),
            "x.results.exists(a, a in x.results.map(b, {'a': b}))".to_owned(),
            "x.results.map(a, x.text.contains('b' + a.name))".to_owned(),
            "x.results.map(a, x.text == x.text + 'a')".to_owned(),
            "x.results.all(a, x.results.all(b, string(b.words).size() > 0))".to_owned(),
            "x.results.all(a, x.results.all(b, b.name.substring(1, 3).size() == 2))".to_owned(),
            "x.results.all(a, x.results.all(b, b.name == 'q' || a.name != 'z'))".to_owned(),
            "x.results.all(a, x.results.all(b, '%s%s'.replace('%s', b.name) != ''))".to_owned(),
            "x.results.all(a, x.results.all(b, [a, b, [a], {'a': b}].size() > 0))".to_owned(),
            "x.results.map(a, x.lines.matches('b' + a.name))".to_owned(),
            "x.results.map(a, x.short.find(a.name + '(?:(?:(?:a?){4}){4}){6}[cd]'))".to_owned(),
            "x.results.map(a, x.text.matches('(a|b|ab|ba)*[cd]$'))".to_owned(),
            "x.results.map(a, json(x.results))".to_owned(),
            "x.results.map(a, {'a': a}).distinct()".to_owned(),
            "range(1000000000)".to_owned(),
            "range(-9223372036854775807, 9223372036854775807).size() == 0 || range(9223372036854775807).size() > 0"
                .to_owned(),
            "range(20000).map(a, range(20000).map(b, b))".to_owned(),
            format!("[1, 2]{}", ".map(a, [a, a, a])".repeat(30)),
            format!("['abcdefgh']{}", ".map(a, a + a)".repeat(35)),
            format!("[[1]]{} == [[2]]", ".map(a, a + a)".repeat(35)),
            format!("'aaaaaaaa'{}", ".replace('a', 'aaaaaaaaaaaaaaaa')".repeat(20)),
            "x.text.replace('', x.text)".to_owned(),
            "x.text.split('').map(a, a + x.text)".to_owned(),
            "x.text.split('a')".to_owned(),
            "[x.text, x.text, x.text].join(x.text)".to_owned(),
            "x.text + x.text".to_owned(),
            "x.results.map(a, x.results).flatten()".to_owned(),
            "[x.results, x.results, x.results, x.results]".to_owned(),
            "x.text.findAll('a')".to_owned(),
            "x.results.map(a, x.mixed.matches('(a*)*[cd]'))".to_owned(),
            "x.results.map(a, x.mixed.find('[^c]*[^c]d'))".to_owned(),
        ],
        true,
    );
}

#[test]
fn the_dearest_honest_expressions_have_a_value() {
    each_ends(
        &[
            "sum(x.results.map(r, r.words))".to_owned(),
            "x.results.filter(r, r.words % 2 == 0).map(r, r.words)".to_owned(),
            "avg(x.results.map(r, or(r.none, r.words)))".to_owned(),
            "size(x.results.map(r, r.name).distinct())".to_owned(),
            "x.results.all(r, r.words >= 0 && r.name.startsWith('file'))".to_owned(),
            "x.results.exists_one(r, r.name == 'file-77')".to_owned(),
            "size(x.lines.split('\\n'))".to_owned(),
            "x.deep".to_owned(),
            "x.deep.flatten(1000)".to_owned(),
            "x.text.size()".to_owned(),
            "x.short.matches('^(a+)+$')".to_owned(),
            "size(x.lines.substring(0, 4000).findAll('[a-z]+'))".to_owned(),
        ],
        false,
    );
}

/// Whether it is refused or compiled: no pattern takes long, and none makes a search slow.
#[test]
fn hostile_patterns_are_refused_or_searched_in_one_pass() {
    let patterns = [
        "(a+)+$",
        "(a*)*[cd]",
        "(?:a|b|ab|ba|aab|aba)*[cd]$",
        "(.*)(.*)(.*)(.*)(.*)[cd]",
        "[ab]*a[ab]{8}[cd]",
        "[ab]*a[ab]{40}[cd]",
        "[ab]*a[ab]{900}[cd]",
        "(a?){30}[ab]{30}[cd]",
        "(?:[ab]{0,20}){0,20}[cd]",
        "(?:[ab]?){60}[cd]",
        "(?:[ab]?){400}\\b[cd]",
        "(?:\\b|a|b){0,60}[^ab]",
        "(?:(?:(?:a?){4}){4}){6}\\b[cd]",
        "(?:(?:.?){4}){4}\\b[cd]",
        "(?:.?){14}\\b[cd]",
        "[^c]{300}[cd]",
        "(?i)\\pL+",
        "((((((a{9}){9}){9}){9}){9}){9}){9}",
        "(?:){1000000}",
    ];
    let mut flip = 1_u32;
    let text: String = std::iter::repeat_with(|| {
        flip = flip.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if flip >> 31 == 0 { 'a' } else { 'b' }
    })
    .take(100_000)
    .collect();
    for pattern in patterns {
        for search in [Search::Test, Search::Find] {
            if let Ok(compiled) = Pattern::compile(pattern, search) {
                let found = compiled.is_match(&text);
                assert!(!found || !pattern.contains("[cd]"), "{pattern}: the text has neither");
            }
        }
    }
}
