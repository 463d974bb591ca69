//! The functions of expressions. The list is fixed: it is part of the language.
//!
//! `x.f(y)` and `f(x, y)` are the same. Positions in strings count characters, from 0. `number` takes integers too.
//!
//! | function | gives |
//! |---|---|
//! | `size(string\|array\|object)` | characters, elements or keys |
//! | `string.contains(string)`, `startsWith`, `endsWith` | whether it does |
//! | `string.matches(pattern)` | whether the regular expression matches somewhere |
//! | `string.find(pattern)` | the first match, or `''` |
//! | `string.findAll(pattern[, integer])` | all matches, or the first few |
//! | `string.charAt(integer)` | the character there; `''` at the end |
//! | `string.indexOf(string[, from])`, `lastIndexOf(string[, from])` | where it is first (last), or -1 |
//! | `string.lowerAscii()`, `upperAscii()` | the letters a-z in the other case |
//! | `string.replace(old, new[, count])` | all, or the first few, replaced |
//! | `string.split(separator[, count])` | the parts, at most so many |
//! | `string.substring(from[, end])` | the characters from there, up to before `end` |
//! | `string.trim()` | without white space at both ends |
//! | `array.join([separator])` | the strings in one |
//! | `array.indexOf(any)`, `lastIndexOf(any)` | where the element is first (last), or -1 |
//! | `array.isSorted()` | whether no element is less than the one before it |
//! | `array.sum()` | the sum; 0 of none; a number if any element has a fraction |
//! | `array.min()`, `array.max()`, `min(a, b)`, `max(a, b)` | the least, the greatest; absent of none |
//! | `array.avg()` | the mean, always a number; absent of none |
//! | `array.distinct()` | each element once, in the order of their first |
//! | `array.flatten([levels])` | arrays in the array opened, one level unless told |
//! | `array.slice(from, end)` | the elements from there, up to before `end` |
//! | `range(integer)`, `range(from, end)` | the integers from 0 (`from`) up to before `end` |
//! | `int(any)`, `double(any)`, `string(any)`, `bool(any)` | the value in another type (numbers, strings, booleans) |
//! | `json(any)` | the value as JSON text |
//! | `dyn(any)` | the value, its type no longer checked before the run |
//! | `or(value, default)` | the default where the value is absent or null; any other error stays |
//! | `has(x.member)` | whether it is there; false too where `x` is absent |
//! | `array.all(x, …)`, `exists`, `exists_one`, `filter`, `map` | CEL's macros, on the keys of an object too |

mod convert;
mod lists;
mod strings;
mod table;

use super::error::quote;
use super::fault::Fault;
use super::pattern::Search;
use super::runtime::Runtime;
use super::types::Type;
use super::value::Value;

/// A function and all its forms.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) forms: &'static [Form],
    /// The second argument is a regular expression, with this use.
    pub(super) pattern: Option<Search>,
}

/// One signature of a function, and its code.
pub(super) struct Form {
    parameters: &'static [Parameter],
    pub(super) returns: Returns,
    call: Native,
}

/// The code of a form: it gets arguments that fit the parameters, and pays for its work.
type Native = for<'a> fn(&mut Runtime<'a>, &[Value<'a>]) -> Result<Value<'a>, Fault>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parameter {
    Any,
    Int,
    Number,
    String,
    List,
    Object,
}

/// What a form gives, for the checker.
#[derive(Clone, Copy, Debug)]
pub(super) enum Returns {
    Any,
    Bool,
    Int,
    Double,
    String,
    /// As the first argument.
    Same,
    /// As all arguments, if they are of one type.
    Joined,
    /// As an element of the first argument.
    Element,
    Strings,
    Integers,
    Array,
}

/// The function of this name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    table::FUNCTIONS.iter().find(|function| function.name == name)
}

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    table::FUNCTIONS.iter().map(|function| function.name)
}

impl Function {
    /// Runs the form that fits the arguments.
    pub(super) fn call<'a>(&self, runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
        if let Some(form) = self.forms.iter().find(|form| form.fits(arguments)) {
            return (form.call)(runtime, arguments);
        }
        let types: Vec<&str> = arguments.iter().map(Value::type_name).collect();
        Err(Fault::Type(self.misfit(&types)))
    }

    /// What to say when no form takes arguments of these types.
    pub(super) fn misfit(&self, types: &[&str]) -> String {
        format!("{}({}) is not defined: {}", self.name, types.join(", "), self.usage())
    }

    /// How to call it: `write join(array) or join(array, string)`.
    pub(super) fn usage(&self) -> String {
        let forms: Vec<String> = self
            .forms
            .iter()
            .map(|form| {
                let parameters: Vec<&str> = form.parameters.iter().map(|parameter| parameter.name()).collect();
                format!("{}({})", self.name, parameters.join(", "))
            })
            .collect();
        format!("write {}", forms.join(" or "))
    }
}

impl Form {
    pub(super) fn takes(&self, arguments: usize) -> bool {
        self.parameters.len() == arguments
    }

    fn fits(&self, arguments: &[Value<'_>]) -> bool {
        self.takes(arguments.len())
            && self
                .parameters
                .iter()
                .zip(arguments)
                .all(|(parameter, value)| parameter.admits(value))
    }

    /// Whether arguments of these types may fit, as far as is known before the run.
    pub(super) fn may_fit(&self, types: &[Type]) -> bool {
        self.takes(types.len())
            && self
                .parameters
                .iter()
                .zip(types)
                .all(|(parameter, kind)| parameter.may_admit(kind))
    }
}

impl Parameter {
    fn admits(self, value: &Value<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::Int => matches!(value, Value::Int(_)),
            Self::Number => matches!(value, Value::Int(_) | Value::Double(_)),
            Self::String => matches!(value, Value::String(_)),
            Self::List => matches!(value, Value::List(_)),
            Self::Object => matches!(value, Value::Map(_)),
        }
    }

    fn may_admit(self, kind: &Type) -> bool {
        match (self, kind) {
            (Self::Any, _) | (_, Type::Dyn) => true,
            (Self::Int, kind) => matches!(kind, Type::Int),
            (Self::Number, kind) => matches!(kind, Type::Int | Type::Double),
            (Self::String, kind) => matches!(kind, Type::String),
            (Self::List, kind) => matches!(kind, Type::List(_)),
            (Self::Object, kind) => matches!(kind, Type::Map(_) | Type::Object(_)),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Int => "integer",
            Self::Number => "number",
            Self::String => "string",
            Self::List => "array",
            Self::Object => "object",
        }
    }
}

/// A form was called with what it does not take: [`Form::fits`] keeps that from happening.
fn misfit() -> Fault {
    debug_assert!(false, "arguments are checked against the parameters before a call");
    Fault::Type("the arguments do not fit".to_owned())
}

/// A position or count outside of what there is.
fn out_of_range(what: &str, value: i64, length: usize) -> Fault {
    Fault::Evaluation(format!("{} {value} is outside of 0 to {length}", quote(what)))
}

/// A position as an index that is at most `length`.
fn position(what: &str, value: i64, length: usize) -> Result<usize, Fault> {
    usize::try_from(value)
        .ok()
        .filter(|position| *position <= length)
        .ok_or_else(|| out_of_range(what, value, length))
}

impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Form")
            .field("parameters", &self.parameters)
            .finish_non_exhaustive()
    }
}
