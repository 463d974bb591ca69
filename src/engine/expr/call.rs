//! What a call means: a macro, one of the lazy forms, or a function of the library.

use super::ast::{Kind, MACRO_NAMES, Macro, MacroKind, Node};
use super::error::{Error, Span, quote};
use super::library::{self, Function};
use super::names::{ROOTS, nearest};
use super::parse::Parser;
use super::pattern::Pattern;

/// The node of `name(arguments)`; with a receiver that is the first argument.
pub(super) fn resolve(
    parser: &mut Parser<'_>,
    name: &str,
    name_span: Span,
    span: Span,
    arguments: Vec<Node>,
    has_receiver: bool,
) -> Result<Node, Error> {
    let kind = match (name, MacroKind::named(name).filter(|_| has_receiver)) {
        (_, Some(kind)) => macro_call(parser, kind, span, arguments)?,
        ("has", _) if !has_receiver => has(parser, span, arguments)?,
        ("or", _) => or(parser, span, arguments)?,
        _ => function(parser, name, name_span, span, arguments)?,
    };
    parser.node(kind, span)
}

fn has(parser: &Parser<'_>, span: Span, arguments: Vec<Node>) -> Result<Kind, Error> {
    let [operand] = exactly(arguments).map_err(|_| parser.syntax(span, "write has(x.member)"))?;
    match operand.kind {
        Kind::Select { .. } | Kind::Index { .. } => Ok(Kind::Has(Box::new(operand))),
        _ => Err(parser.syntax(operand.span, "has() tests for a member: write has(x.member)")),
    }
}

fn or(parser: &Parser<'_>, span: Span, arguments: Vec<Node>) -> Result<Kind, Error> {
    let [value, default] = exactly(arguments).map_err(|_| parser.syntax(span, "write or(value, default)"))?;
    Ok(Kind::Or {
        value: Box::new(value),
        default: Box::new(default),
    })
}

fn macro_call(parser: &Parser<'_>, kind: MacroKind, span: Span, arguments: Vec<Node>) -> Result<Kind, Error> {
    let wrong = || match kind {
        MacroKind::Map => parser.syntax(span, "write list.map(x, value) or list.map(x, condition, value)"),
        _ => parser.syntax(
            span,
            "write list.all(x, condition); likewise exists, exists_one, filter",
        ),
    };
    let mut arguments = arguments.into_iter();
    let (Some(range), Some(variable), Some(body)) = (arguments.next(), arguments.next(), arguments.next()) else {
        return Err(wrong());
    };
    let variable = match variable.kind {
        Kind::Name(name) if ROOTS.contains(&name.as_str()) => {
            let message = format!("`{name}` is taken: give the element another name");
            return Err(parser.syntax(variable.span, &message));
        }
        Kind::Name(name) => name,
        _ => {
            return Err(parser.syntax(variable.span, "a plain name for the element is expected, as x"));
        }
    };
    let (condition, transform) = match (kind, arguments.next(), arguments.next()) {
        (MacroKind::Map, None, None) => (None, Some(body)),
        (MacroKind::Map, Some(transform), None) => (Some(body), Some(transform)),
        (_, None, None) => (Some(body), None),
        _ => return Err(wrong()),
    };
    Ok(Kind::Macro(Box::new(Macro {
        kind,
        range,
        variable,
        condition,
        transform,
    })))
}

fn function(
    parser: &mut Parser<'_>,
    name: &str,
    name_span: Span,
    span: Span,
    arguments: Vec<Node>,
) -> Result<Kind, Error> {
    let at = || name_span.place(parser.text());
    let Some(function) = library::find(name) else {
        let hint = match nearest(name, library::names().chain(MACRO_NAMES.iter().copied())) {
            Some(near) => format!(": did you mean `{near}`?"),
            None => ": see the list of functions".to_owned(),
        };
        return Err(Error::UnknownFunction {
            at: at(),
            name: quote(name),
            hint,
        });
    };
    if !function.forms.iter().any(|form| form.takes(arguments.len())) {
        let message = format!("{} arguments do not fit: {}", arguments.len(), function.usage());
        return Err(Error::Type { at: at(), message });
    }
    let pattern = literal_pattern(parser, function, &arguments)?;
    debug_assert!(span.end >= name_span.end, "a call ends after its name");
    Ok(Kind::Call {
        function,
        arguments,
        pattern,
    })
}

/// A regular expression that stands in the text is compiled once, and refused before anything runs.
fn literal_pattern(parser: &mut Parser<'_>, function: &Function, arguments: &[Node]) -> Result<Option<Pattern>, Error> {
    let (Some(search), Some(node)) = (function.pattern, arguments.get(1)) else {
        return Ok(None);
    };
    let Some(text) = node.literal_string() else {
        return Ok(None);
    };
    let pattern = Pattern::compile(text, search).map_err(|message| parser.syntax(node.span, &message))?;
    parser.hold(pattern.bytes(), node.span)?;
    Ok(Some(pattern))
}

fn exactly<const N: usize>(arguments: Vec<Node>) -> Result<[Node; N], Vec<Node>> {
    arguments.try_into()
}
