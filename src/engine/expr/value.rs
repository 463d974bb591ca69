//! Values while an expression runs. Data of the scope is borrowed, not copied: reading a member costs a look-up.

use super::fault::Fault;
use super::runtime::Runtime;
use serde_json::{Map as JsonMap, Value as Json};
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::rc::Rc;

#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    String(Text<'a>),
    List(List<'a>),
    Map(Map<'a>),
}

#[derive(Clone, Debug)]
pub(super) enum Text<'a> {
    Borrowed(&'a str),
    Made(Rc<str>),
}

#[derive(Clone, Debug)]
pub(super) enum List<'a> {
    Json(&'a [Json]),
    Made(Rc<[Value<'a>]>),
}

#[derive(Clone, Debug)]
pub(super) enum Map<'a> {
    Json(&'a JsonMap<String, Json>),
    Made(Rc<BTreeMap<Text<'a>, Value<'a>>>),
}

/// What a made element of a list costs of the data limit, and what a made map entry does.
pub(super) const ELEMENT_BYTES: usize = size_of::<Value<'static>>();
pub(super) const ENTRY_BYTES: usize = 2 * ELEMENT_BYTES;

/// Nesting of values: deeper ones than any that Kubernetes stores would cost our stack.
const DEPTH_MAX: usize = 256;

impl<'a> Value<'a> {
    /// One step into JSON: members and elements are converted when they are read.
    pub(super) fn from_json(json: &'a Json) -> Result<Self, Fault> {
        Ok(match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(int), _) => Self::Int(int),
                (None, Some(double)) if number.is_f64() => Self::Double(double),
                _ => {
                    return Err(Fault::Evaluation(format!(
                        "the integer {number} needs more than 64 bits"
                    )));
                }
            },
            Json::String(text) => Self::String(Text::Borrowed(text)),
            Json::Array(elements) => Self::List(List::Json(elements)),
            Json::Object(members) => Self::Map(Map::Json(members)),
        })
    }

    /// The whole value as JSON. Costs fuel for each part, since parts may be shared many times.
    pub(super) fn to_json(&self, runtime: &mut Runtime<'_>) -> Result<Json, Fault> {
        self.to_json_at(runtime, 0)
    }

    fn to_json_at(&self, runtime: &mut Runtime<'_>, depth: usize) -> Result<Json, Fault> {
        runtime.make(ELEMENT_BYTES)?;
        Ok(match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Int(int) => Json::from(*int),
            Self::Double(double) => match serde_json::Number::from_f64(*double) {
                Some(number) => Json::Number(number),
                None => {
                    return Err(Fault::Evaluation(format!("the result {double} is not a finite number")));
                }
            },
            Self::String(text) => {
                runtime.make(text.len())?;
                Json::String((**text).to_owned())
            }
            Self::List(list) => {
                let below = deeper(depth)?;
                let elements: Result<_, Fault> = list.iter().map(|e| e?.to_json_at(runtime, below)).collect();
                Json::Array(elements?)
            }
            Self::Map(map) => {
                let below = deeper(depth)?;
                let mut members = JsonMap::new();
                for entry in map.iter() {
                    let (key, value) = entry?;
                    runtime.make(key.len().saturating_add(ELEMENT_BYTES))?;
                    members.insert((*key).to_owned(), value.to_json_at(runtime, below)?);
                }
                Json::Object(members)
            }
        })
    }

    pub(super) fn text(text: impl Into<Rc<str>>) -> Self {
        Self::String(Text::Made(text.into()))
    }

    pub(super) fn list(elements: Vec<Self>) -> Self {
        Self::List(List::Made(elements.into()))
    }

    /// The name of the type, in the words of the `type` of an input.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Int(_) => "integer",
            Self::Double(_) => "number",
            Self::String(_) => "string",
            Self::List(_) => "array",
            Self::Map(_) => "object",
        }
    }
}

/// One level further down, if that is still allowed.
pub(super) fn deeper(depth: usize) -> Result<usize, Fault> {
    let below = depth.saturating_add(1);
    if below > DEPTH_MAX {
        return Err(Fault::Evaluation(format!(
            "the value is nested deeper than {DEPTH_MAX} levels"
        )));
    }
    Ok(below)
}

impl<'a> List<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Json(elements) => elements.len(),
            Self::Made(elements) => elements.len(),
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<Result<Value<'a>, Fault>> {
        match self {
            Self::Json(elements) => elements.get(index).map(Value::from_json),
            Self::Made(elements) => elements.get(index).cloned().map(Ok),
        }
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = Result<Value<'a>, Fault>> + ExactSizeIterator {
        (0..self.len()).map(|index| self.get(index).unwrap_or(Ok(Value::Null)))
    }
}

impl<'a> Map<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Json(members) => members.len(),
            Self::Made(members) => members.len(),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<Result<Value<'a>, Fault>> {
        match self {
            Self::Json(members) => members.get(key).map(Value::from_json),
            Self::Made(members) => members.get(key).cloned().map(Ok),
        }
    }

    pub(super) fn keys(&self) -> Box<dyn Iterator<Item = Text<'a>> + '_> {
        match self {
            Self::Json(members) => Box::new(members.keys().map(|key| Text::Borrowed(key))),
            Self::Made(members) => Box::new(members.keys().cloned()),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Result<(Text<'a>, Value<'a>), Fault>> + '_ {
        self.keys().map(|key| {
            let value = self.get(&key).unwrap_or(Ok(Value::Null))?;
            Ok((key, value))
        })
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Made(text) => text,
        }
    }
}

impl Borrow<str> for Text<'_> {
    fn borrow(&self) -> &str {
        self
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Text<'_> {}

impl PartialOrd for Text<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}
