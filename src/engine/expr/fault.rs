//! What goes wrong while an expression runs, before it has a place in the text.

use super::error::{Error, Span, bounded};

#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// There is no such root, member or element: `or()` and `has()` deal with it.
    Absent(String),
    /// Wrong types: the checker finds them where types are declared.
    Type(String),
    Evaluation(String),
    UnknownRoot(String),
    OutOfFuel,
    TooMuchData,
}

impl Fault {
    /// Whether the whole evaluation ends here: a limit is never made good by `||`, `exists` or `or()`.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::OutOfFuel | Self::TooMuchData)
    }

    pub(super) fn at(self, span: Span) -> Failure {
        Failure { fault: self, span }
    }
}

/// A fault and where in the text it happened.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) fault: Fault,
    pub(super) span: Span,
}

impl Failure {
    pub(super) fn into_error(self, text: &str) -> Error {
        let at = self.span.place(text);
        match self.fault {
            Fault::Absent(what) => Error::Absent {
                at,
                what: bounded(&what),
            },
            Fault::Type(message) => Error::Type {
                at,
                message: bounded(&message),
            },
            Fault::Evaluation(message) => Error::Evaluation {
                at,
                message: bounded(&message),
            },
            Fault::UnknownRoot(name) => Error::UnknownRoot {
                at,
                name,
                hint: "it has no value at this place".to_owned(),
            },
            Fault::OutOfFuel => Error::OutOfFuel { at },
            Fault::TooMuchData => Error::TooMuchData { at },
        }
    }
}
