//! The checker: what can be known to be wrong before anything runs.
//!
//! Guarantees: an expression that passes never fails at run time for an unknown root, and for a member or a type only
//! where something is [`Type::Dyn`]. Caveat: whether a member of a macro's variable may be absent is not followed.

use super::ast::{Kind, Literal, Macro, MacroKind, Node, Operator};
use super::error::{Error, Span, bounded, quote};
use super::fault::Fault;
use super::library::{Form, Function, Returns};
use super::names::nearest;
use super::operators::{article, mismatch};
use super::presence::{Path, Presence};
use super::types::{Members, Type, TypeEnv};

/// The type of the tree, or the first error in it.
pub(super) fn check(node: &Node, text: &str, types: &TypeEnv) -> Result<Type, Error> {
    Checker {
        text,
        types,
        locals: Vec::new(),
        presence: Presence::default(),
    }
    .kind(node)
}

struct Checker<'t> {
    text: &'t str,
    types: &'t TypeEnv,
    locals: Vec<(&'t str, Type)>,
    presence: Presence<'t>,
}

impl<'t> Checker<'t> {
    fn kind(&mut self, node: &'t Node) -> Result<Type, Error> {
        Ok(match &node.kind {
            Kind::Literal(literal) => match literal {
                Literal::Null => Type::Null,
                Literal::Bool(_) => Type::Bool,
                Literal::Int(_) => Type::Int,
                Literal::Double(_) => Type::Double,
                Literal::String(_) => Type::String,
            },
            Kind::Name(name) => self.name(name, node.span)?,
            Kind::Select { of, member } => {
                let of_kind = self.kind(of)?;
                self.member(node, of, &of_kind, member)?
            }
            Kind::Index { of, index } => self.index(node, of, index)?,
            Kind::Has(operand) => {
                self.tolerant(operand)?;
                Type::Bool
            }
            Kind::Or { value, default } => self.tolerant(value)?.common(&self.kind(default)?),
            Kind::List(elements) => Type::list(self.joined(elements.iter())?),
            Kind::Map(entries) => self.map(entries)?,
            Kind::Not(operand) => self.condition(operand)?,
            Kind::Negate(operand) => match self.kind(operand)? {
                kind @ (Type::Int | Type::Double | Type::Dyn) => kind,
                other => {
                    return Err(self.wrong(
                        node.span,
                        &format!("`-` wants a number, this is {}", article(other.name())),
                    ));
                }
            },
            Kind::Logic { is_and, left, right } => {
                self.condition(left)?;
                self.given(left, *is_and, |checker| checker.condition(right))?
            }
            Kind::Binary { operator, left, right } => {
                let (left, right) = (self.kind(left)?, self.kind(right)?);
                binary(*operator, &left, &right).map_err(|fault| fault.at(node.span).into_error(self.text))?
            }
            Kind::Conditional { when, then, otherwise } => {
                self.condition(when)?;
                let then = self.given(when, true, |checker| checker.kind(then))?;
                then.common(&self.given(when, false, |checker| checker.kind(otherwise))?)
            }
            Kind::Call {
                function, arguments, ..
            } => self.call(node.span, function, arguments)?,
            Kind::Macro(expansion) => self.expand(expansion)?,
        })
    }

    fn name(&self, name: &str, span: Span) -> Result<Type, Error> {
        if let Some((_, kind)) = self.locals.iter().rev().find(|(local, _)| *local == name) {
            return Ok(kind.clone());
        }
        if let Some(kind) = self.types.root(name) {
            return Ok(kind.clone());
        }
        let names = self.types.names().chain(self.locals.iter().map(|(local, _)| *local));
        let hint = hint(name, names);
        Err(Error::UnknownRoot {
            at: span.place(self.text),
            name: quote(name),
            hint,
        })
    }

    fn member(&self, node: &'t Node, of: &Node, of_kind: &Type, member: &str) -> Result<Type, Error> {
        match of_kind {
            Type::Object(members) => self.known_member(node, of, members, member),
            Type::Map(value) => Ok((**value).clone()),
            Type::Dyn => Ok(Type::Dyn),
            other => {
                let message = format!(
                    "{} has no members, `{}` is asked for",
                    article(other.name()),
                    quote(member)
                );
                Err(self.wrong(node.span, &message))
            }
        }
    }

    fn known_member(&self, node: &'t Node, of: &Node, members: &Members, member: &str) -> Result<Type, Error> {
        let Some(kind) = members.kind(member) else {
            let of = of.path().map_or_else(
                || "the object".to_owned(),
                |path| format!("`{}`", quote(&path.join("."))),
            );
            let hint = hint(member, members.names());
            return Err(Error::UnknownMember {
                at: node.span.place(self.text),
                of,
                member: quote(member),
                hint,
            });
        };
        if members.may_be_absent(member)
            && let Some(path) = self.rooted(node)
            && !self.presence.is_proven(&path)
        {
            let path = quote(self.text.get(node.span.start..node.span.end).unwrap_or(""));
            return Err(Error::MayBeAbsent {
                at: node.span.place(self.text),
                path,
            });
        }
        Ok(kind.clone())
    }

    /// The path of a node that starts at a root, not at a macro's variable.
    fn rooted(&self, node: &'t Node) -> Option<Path<'t>> {
        node.path()
            .filter(|path| !self.locals.iter().any(|(local, _)| path.first() == Some(local)))
    }

    fn index(&mut self, node: &'t Node, of: &'t Node, index: &'t Node) -> Result<Type, Error> {
        let (of_kind, index_kind) = (self.kind(of)?, self.kind(index)?);
        if let Some(member) = index.literal_string() {
            return self.member(node, of, &of_kind, member);
        }
        match (&of_kind, &index_kind) {
            (Type::Dyn, _) | (Type::Object(_), Type::String | Type::Dyn) => Ok(Type::Dyn),
            (Type::List(element), Type::Int | Type::Double | Type::Dyn) => Ok((**element).clone()),
            (Type::Map(value), Type::String | Type::Dyn) => Ok((**value).clone()),
            _ => {
                let message = format!(
                    "{} has no element at {}",
                    article(of_kind.name()),
                    article(index_kind.name())
                );
                Err(self.wrong(node.span, &message))
            }
        }
    }

    fn map(&mut self, entries: &'t [(Node, Node)]) -> Result<Type, Error> {
        let mut members = Members::new();
        let mut are_known = true;
        let mut values = None;
        for (key, value) in entries {
            let key_kind = self.kind(key)?;
            if !key_kind.may_be(&Type::String) {
                return Err(self.wrong(
                    key.span,
                    &format!("a key must be a string, this is {}", article(key_kind.name())),
                ));
            }
            let kind = self.kind(value)?;
            values = Some(values.map_or_else(|| kind.clone(), |values: Type| values.common(&kind)));
            match key.literal_string() {
                Some(name) => members = members.with(name, kind),
                None => are_known = false,
            }
        }
        Ok(if are_known {
            members.into()
        } else {
            Type::map(values.unwrap_or_default())
        })
    }

    fn joined(&mut self, nodes: impl Iterator<Item = &'t Node>) -> Result<Type, Error> {
        let mut joined: Option<Type> = None;
        for node in nodes {
            let kind = self.kind(node)?;
            joined = Some(match joined {
                Some(joined) => joined.common(&kind),
                None => kind,
            });
        }
        Ok(joined.unwrap_or_default())
    }

    fn condition(&mut self, node: &'t Node) -> Result<Type, Error> {
        match self.kind(node)? {
            Type::Bool | Type::Dyn => Ok(Type::Bool),
            other => {
                let message = format!("a condition must be true or false, this is {}", article(other.name()));
                Err(self.wrong(node.span, &message))
            }
        }
    }

    fn call(&mut self, span: Span, function: &Function, arguments: &'t [Node]) -> Result<Type, Error> {
        let kinds: Result<Vec<Type>, Error> = arguments.iter().map(|argument| self.kind(argument)).collect();
        let kinds = kinds?;
        let results = function
            .forms
            .iter()
            .filter(|form| form.may_fit(&kinds))
            .map(|form| returns(form, &kinds));
        results.reduce(|one, other| one.common(&other)).ok_or_else(|| {
            let names: Vec<&str> = kinds.iter().map(Type::name).collect();
            self.wrong(span, &function.misfit(&names))
        })
    }

    fn expand(&mut self, expansion: &'t Macro) -> Result<Type, Error> {
        let range = self.kind(&expansion.range)?;
        let element = match &range {
            Type::List(element) => (**element).clone(),
            Type::Map(_) | Type::Object(_) => Type::String,
            Type::Dyn => Type::Dyn,
            other => {
                let message = format!("an array or object is expected here, this is {}", article(other.name()));
                return Err(self.wrong(expansion.range.span, &message));
            }
        };
        self.locals.push((&expansion.variable, element.clone()));
        if let Some(condition) = &expansion.condition {
            self.condition(condition)?;
        }
        let result = match (&expansion.transform, &expansion.condition) {
            (Some(transform), Some(condition)) => {
                Type::list(self.given(condition, true, |checker| checker.kind(transform))?)
            }
            (Some(transform), None) => Type::list(self.kind(transform)?),
            (None, _) if expansion.kind == MacroKind::Filter => Type::list(element),
            (None, _) => Type::Bool,
        };
        self.locals.pop();
        Ok(result)
    }

    /// Checks with what is proven where `condition` is `truth`.
    fn given<T>(&mut self, condition: &'t Node, truth: bool, check: impl FnOnce(&mut Self) -> T) -> T {
        let mark = self.presence.mark();
        self.presence.assume(condition, truth);
        let result = check(self);
        self.presence.reset(mark);
        result
    }

    /// Checks where absence is dealt with.
    fn tolerant(&mut self, node: &'t Node) -> Result<Type, Error> {
        let before = self.presence.tolerate(true);
        let kind = self.kind(node);
        self.presence.tolerate(before);
        kind
    }

    fn wrong(&self, span: Span, message: &str) -> Error {
        Error::Type {
            at: span.place(self.text),
            message: bounded(message),
        }
    }
}

/// What could have been meant, or what there is.
fn hint<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> String {
    const SHOWN_MAX: usize = 8;
    let names: Vec<&str> = names.collect();
    match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => "there is none".to_owned(),
        None => {
            let shown = names.iter().take(SHOWN_MAX).copied().collect::<Vec<_>>().join(", ");
            let more = if names.len() > SHOWN_MAX { ", …" } else { "" };
            format!("there is {}{more}", bounded(&shown))
        }
    }
}

fn returns(form: &Form, arguments: &[Type]) -> Type {
    let first = arguments.first().unwrap_or_else(|| Type::unknown());
    match form.returns {
        Returns::Any => Type::Dyn,
        Returns::Bool => Type::Bool,
        Returns::Int => Type::Int,
        Returns::Double => Type::Double,
        Returns::String => Type::String,
        Returns::Same => first.clone(),
        Returns::Joined => arguments
            .iter()
            .cloned()
            .reduce(|one, other| one.common(&other))
            .unwrap_or_default(),
        Returns::Element => first.element().clone(),
        Returns::Strings => Type::list(Type::String),
        Returns::Integers => Type::list(Type::Int),
        Returns::Array => Type::list(Type::Dyn),
    }
}

fn binary(operator: Operator, left: &Type, right: &Type) -> Result<Type, Fault> {
    let wrong = || mismatch(operator, left.name(), right.name());
    let are_numbers = |a: &Type, b: &Type| matches!((a, b), (Type::Int | Type::Double, Type::Int | Type::Double));
    match operator {
        Operator::Equal | Operator::NotEqual => {
            let may_be_equal = are_numbers(left, right)
                || matches!(left, Type::Null)
                || matches!(right, Type::Null)
                || left.may_be(right)
                || right.may_be(left);
            if may_be_equal {
                Ok(Type::Bool)
            } else {
                Err(never_equal(left, right))
            }
        }
        Operator::In => match right {
            Type::Dyn | Type::List(_) => Ok(Type::Bool),
            Type::Map(_) | Type::Object(_) if left.may_be(&Type::String) => Ok(Type::Bool),
            _ => Err(wrong()),
        },
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
            let is_ordered =
                |kind: &Type| matches!(kind, Type::Int | Type::Double | Type::String | Type::Bool | Type::Dyn);
            let fits = are_numbers(left, right) || left == right || *left == Type::Dyn || *right == Type::Dyn;
            if is_ordered(left) && is_ordered(right) && fits {
                Ok(Type::Bool)
            } else {
                Err(wrong())
            }
        }
        Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Remainder => {
            let works_on = |kind: &Type| match kind {
                Type::Dyn | Type::Int => true,
                Type::Double => operator != Operator::Remainder,
                Type::String | Type::List(_) => operator == Operator::Add,
                _ => false,
            };
            match (left, right) {
                _ if !works_on(left) || !works_on(right) => Err(wrong()),
                (Type::Dyn, known) | (known, Type::Dyn) => Ok(match known {
                    Type::List(_) => Type::list(Type::Dyn),
                    known => known.clone(),
                }),
                (Type::List(_), Type::List(_)) => Ok(left.common(right)),
                _ if left == right => Ok(left.clone()),
                _ => Err(wrong()),
            }
        }
    }
}

fn never_equal(left: &Type, right: &Type) -> Fault {
    let (left, right) = (article(left.name()), article(right.name()));
    Fault::Type(format!("{left} and {right} are never equal"))
}
