//! What is known about values before anything runs.

use jobwright_api::ValueType;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The type of an expression or of a part of it; cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Type {
    /// Not known before the run: fits everywhere.
    #[default]
    Dyn,
    Null,
    Bool,
    Int,
    /// A number with a fraction. Data of this type is read as one even where it is written without: the API server
    /// stores 1.0 as 1, and an expression must not give another result after a restart.
    Double,
    String,
    List(Arc<Self>),
    /// An object whose keys are not known.
    Map(Arc<Self>),
    /// An object with these members and no others.
    Object(Arc<Members>),
}

/// The members of an object of known shape.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members(BTreeMap<String, Member>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    kind: Type,
    may_be_absent: bool,
}

impl Members {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a member that is always there.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, kind: impl Into<Type>) -> Self {
        self.0.insert(
            name.into(),
            Member {
                kind: kind.into(),
                may_be_absent: false,
            },
        );
        self
    }

    /// Adds a member that may be absent: an expression must read it under `has()` or `or()`.
    #[must_use]
    pub fn with_optional(mut self, name: impl Into<String>, kind: impl Into<Type>) -> Self {
        self.0.insert(
            name.into(),
            Member {
                kind: kind.into(),
                may_be_absent: true,
            },
        );
        self
    }

    /// The same, each of which may be absent.
    #[must_use]
    pub fn all_optional(mut self) -> Self {
        for member in self.0.values_mut() {
            member.may_be_absent = true;
        }
        self
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(super) fn kind(&self, name: &str) -> Option<&Type> {
        self.0.get(name).map(|member| &member.kind)
    }

    pub(super) fn may_be_absent(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|member| member.may_be_absent)
    }
}

/// The roots that exist at one place of a definition, with their types.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypeEnv {
    roots: Members,
}

impl TypeEnv {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a root that has a value whenever the expression is evaluated.
    #[must_use]
    pub fn with(mut self, root: impl Into<String>, kind: impl Into<Type>) -> Self {
        self.roots = self.roots.with(root, kind);
        self
    }

    /// The type of a root, if there is one of this name.
    #[must_use]
    pub fn root(&self, name: &str) -> Option<&Type> {
        self.roots.kind(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.roots.names()
    }
}

static DYN: Type = Type::Dyn;

impl Type {
    #[must_use]
    pub fn list(element: impl Into<Self>) -> Self {
        Self::List(Arc::new(element.into()))
    }

    #[must_use]
    pub fn map(value: impl Into<Self>) -> Self {
        Self::Map(Arc::new(value.into()))
    }

    /// Whether a value of this type can be one of `wanted`, as far as is known. An integer is a number.
    #[must_use]
    pub fn may_be(&self, wanted: &Self) -> bool {
        match (self, wanted) {
            (Self::Dyn, _)
            | (_, Self::Dyn)
            | (Self::Int, Self::Double)
            | (Self::Object(_) | Self::Map(_), Self::Object(_))
            | (Self::Object(_), Self::Map(_)) => true,
            (Self::List(own), Self::List(wanted)) | (Self::Map(own), Self::Map(wanted)) => own.may_be(wanted),
            (own, wanted) => own == wanted,
        }
    }

    /// The type of a value that is of one of the two.
    pub(super) fn common(&self, other: &Self) -> Self {
        match (self, other) {
            (own, other) if own == other => own.clone(),
            (Self::List(own), Self::List(other)) => Self::list(own.common(other)),
            (Self::Map(own), Self::Map(other)) => Self::map(own.common(other)),
            (Self::Object(_) | Self::Map(_), Self::Object(_) | Self::Map(_)) => Self::map(Self::Dyn),
            _ => Self::Dyn,
        }
    }

    /// The type of a member, [`Type::Dyn`] where it is not known.
    pub(super) fn member(&self, name: &str) -> &Self {
        match self {
            Self::Object(members) => members.kind(name).unwrap_or(&DYN),
            Self::Map(value) => value,
            _ => &DYN,
        }
    }

    /// The type of an element, of a key where a macro runs over an object.
    pub(super) fn element(&self) -> &Self {
        match self {
            Self::List(element) => element,
            _ => &DYN,
        }
    }

    pub(super) fn unknown() -> &'static Self {
        &DYN
    }

    /// In the words of the `type` of an input.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Dyn => "any",
            Self::Null => "null",
            Self::Bool => "boolean",
            Self::Int => "integer",
            Self::Double => "number",
            Self::String => "string",
            Self::List(_) => "array",
            Self::Map(_) | Self::Object(_) => "object",
        }
    }
}

impl From<ValueType> for Type {
    fn from(declared: ValueType) -> Self {
        match declared {
            ValueType::String => Self::String,
            ValueType::Integer => Self::Int,
            ValueType::Number => Self::Double,
            ValueType::Boolean => Self::Bool,
            ValueType::Array => Self::list(Self::Dyn),
            ValueType::Object => Self::map(Self::Dyn),
        }
    }
}

impl From<Members> for Type {
    fn from(members: Members) -> Self {
        Self::Object(Arc::new(members))
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
