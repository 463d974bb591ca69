//! The interpreter (CEL specification, "Evaluation").
//!
//! Every node and every element is paid for, `&&`, `||`, `all` and `exists` absorb errors as the specification
//! says, `or()` and `has()` absorb absence only, and nothing absorbs an exceeded limit.

use super::ast::{Kind, Literal, Macro, MacroKind, Node};
use super::fault::{Failure, Fault};
use super::operators;
use super::runtime::Runtime;
use super::scope::Scope;
use super::types::Type;
use super::value::{ENTRY_BYTES, Map, Text, Value};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The value of the tree, as JSON.
pub(super) fn evaluate(node: &Node, scope: &Scope<'_>) -> Result<Json, Failure> {
    let mut evaluator = Evaluator {
        scope,
        runtime: Runtime::new(),
        locals: Vec::new(),
    };
    let value = evaluator.value(node)?;
    value
        .to_json(&mut evaluator.runtime)
        .map_err(|fault| fault.at(node.span))
}

struct Evaluator<'a> {
    scope: &'a Scope<'a>,
    runtime: Runtime<'a>,
    /// The variables of the macros around, the innermost last.
    locals: Vec<Local<'a>>,
}

struct Local<'a> {
    name: &'a str,
    value: Value<'a>,
    kind: &'a Type,
}

/// A call costs this much beside its work: for the arguments and the choice of the form.
const CALL_FUEL: u64 = 2;

/// Absorbing an error costs this much: its message was made for nothing.
const ABSORBED_FUEL: u64 = 6;

impl<'a> Evaluator<'a> {
    fn value(&mut self, node: &'a Node) -> Result<Value<'a>, Failure> {
        self.runtime.spend(1).map_err(|fault| fault.at(node.span))?;
        let value = match &node.kind {
            Kind::Literal(literal) => return Ok(constant(literal)),
            Kind::Has(operand) => return self.has(operand),
            Kind::Logic { is_and, left, right } => return self.logic(*is_and, left, right),
            Kind::List(elements) => self.list(elements, node)?,
            Kind::Map(entries) => self.map(entries)?,
            Kind::Not(operand) => return Ok(Value::Bool(!self.condition(operand)?)),
            Kind::Negate(operand) => operators::negate(&self.value(operand)?).map_err(|fault| fault.at(node.span))?,
            Kind::Binary { operator, left, right } => {
                let left = self.value(left)?;
                let right = self.value(right)?;
                operators::apply(&mut self.runtime, *operator, &left, &right).map_err(|fault| fault.at(node.span))?
            }
            Kind::Call {
                function,
                arguments,
                pattern,
            } => {
                self.runtime.spend(CALL_FUEL).map_err(|fault| fault.at(node.span))?;
                let arguments: Result<Vec<_>, _> = arguments.iter().map(|argument| self.value(argument)).collect();
                self.runtime.literal_pattern = pattern.as_ref();
                function
                    .call(&mut self.runtime, &arguments?)
                    .map_err(|fault| fault.at(node.span))?
            }
            Kind::Name(_)
            | Kind::Select { .. }
            | Kind::Index { .. }
            | Kind::Or { .. }
            | Kind::Conditional { .. }
            | Kind::Macro(_) => return Ok(self.read(node)?.0),
        };
        Ok(value)
    }

    /// The value with its declared type, where it is data or a choice of data.
    fn read(&mut self, node: &'a Node) -> Result<(Value<'a>, &'a Type), Failure> {
        let at = |fault: Fault| fault.at(node.span);
        let (value, kind) = match &node.kind {
            Kind::Name(name) => {
                if let Some(local) = self.locals.iter().rev().find(|local| local.name == name) {
                    return Ok((local.value.clone(), local.kind));
                }
                let root = self
                    .scope
                    .root(name)
                    .ok_or_else(|| at(Fault::UnknownRoot(name.clone())))?;
                (Value::from_json(root).map_err(at)?, self.scope.kind(name))
            }
            Kind::Select { of, member } => {
                self.runtime.spend(1).map_err(at)?;
                let (of, kind) = self.read(of)?;
                (operators::member(&of, member).map_err(at)?, kind.member(member))
            }
            Kind::Index { of, index } => {
                let (of, kind) = self.read(of)?;
                let index = self.value(index)?;
                let below = match &index {
                    Value::String(key) => kind.member(key),
                    _ => kind.element(),
                };
                (operators::element(&of, &index).map_err(at)?, below)
            }
            Kind::Or { value, default } => return self.or(value, default),
            Kind::Conditional { when, then, otherwise } => {
                let branch = if self.condition(when)? { then } else { otherwise };
                return self.read(branch);
            }
            Kind::Macro(expansion) => return self.expand(expansion, node),
            _ => return Ok((self.value(node)?, Type::unknown())),
        };
        Ok((declared(&mut self.runtime, value, kind).map_err(at)?, kind))
    }

    /// False where any part of the path is absent, so that one `has()` is enough.
    fn has(&mut self, operand: &'a Node) -> Result<Value<'a>, Failure> {
        match self.read(operand) {
            Ok(_) => Ok(Value::Bool(true)),
            Err(Failure {
                fault: Fault::Absent(_),
                ..
            }) => {
                self.absorb(operand)?;
                Ok(Value::Bool(false))
            }
            Err(failure) => Err(failure),
        }
    }

    fn or(&mut self, value: &'a Node, default: &'a Node) -> Result<(Value<'a>, &'a Type), Failure> {
        match self.read(value) {
            Ok((Value::Null, _)) => self.read(default),
            Err(Failure {
                fault: Fault::Absent(_),
                ..
            }) => {
                self.absorb(value)?;
                self.read(default)
            }
            result => result,
        }
    }

    /// `false && error` and `error && false` are both false: the side that decides, decides.
    fn logic(&mut self, is_and: bool, left: &'a Node, right: &'a Node) -> Result<Value<'a>, Failure> {
        let decides = |side: &Result<bool, Failure>| matches!(side, Ok(value) if *value != is_and);
        let first = self.condition(left);
        if decides(&first) {
            return first.map(Value::Bool);
        }
        if let Err(failure) = &first {
            if failure.fault.is_final() {
                return first.map(Value::Bool);
            }
            self.absorb(left)?;
        }
        let second = self.condition(right);
        match (first, second) {
            (_, second) if decides(&second) => second.map(Value::Bool),
            (_, Err(failure)) if failure.fault.is_final() => Err(failure),
            (Err(failure), _) | (Ok(_), Err(failure)) => Err(failure),
            (Ok(_), Ok(_)) => Ok(Value::Bool(is_and)),
        }
    }

    fn condition(&mut self, node: &'a Node) -> Result<bool, Failure> {
        match self.value(node)? {
            Value::Bool(value) => Ok(value),
            other => {
                let kind = operators::article(other.type_name());
                Err(Fault::Type(format!("a condition must be true or false, this is {kind}")).at(node.span))
            }
        }
    }

    fn list(&mut self, elements: &'a [Node], node: &'a Node) -> Result<Value<'a>, Failure> {
        self.runtime
            .make_elements(elements.len())
            .map_err(|fault| fault.at(node.span))?;
        let values: Result<Vec<_>, _> = elements.iter().map(|element| self.value(element)).collect();
        Ok(Value::list(values?))
    }

    fn map(&mut self, entries: &'a [(Node, Node)]) -> Result<Value<'a>, Failure> {
        let mut members = BTreeMap::new();
        for (key_node, value) in entries {
            let at = |fault: Fault| fault.at(key_node.span);
            let key = match self.value(key_node)? {
                Value::String(key) => key,
                other => {
                    let kind = operators::article(other.type_name());
                    return Err(at(Fault::Type(format!("a key must be a string, this is {kind}"))));
                }
            };
            self.runtime.make(ENTRY_BYTES).map_err(at)?;
            let value = self.value(value)?;
            if members.insert(key, value).is_some() {
                return Err(at(Fault::Evaluation("the key is there twice".to_owned())));
            }
        }
        Ok(Value::Map(Map::Made(Rc::new(members))))
    }

    fn expand(&mut self, expansion: &'a Macro, node: &'a Node) -> Result<(Value<'a>, &'a Type), Failure> {
        let (range, kind) = self.read(&expansion.range)?;
        let (length, keys): (usize, Vec<Text<'a>>) = match &range {
            Value::List(list) => (list.len(), Vec::new()),
            Value::Map(map) => {
                self.runtime
                    .make_elements(map.len())
                    .map_err(|fault| fault.at(node.span))?;
                (map.len(), map.keys().collect())
            }
            other => {
                let kind = operators::article(other.type_name());
                let message = format!("an array or object is expected here, this is {kind}");
                return Err(Fault::Type(message).at(expansion.range.span));
            }
        };
        let element = kind.element();
        self.locals.push(Local {
            name: &expansion.variable,
            value: Value::Null,
            kind: element,
        });
        let elements = (0..length).map_while(|position| operators::range(&range, position, &keys));
        let result = self.fold(expansion, node, element, elements);
        self.locals.pop();
        Ok((
            result?,
            if expansion.kind == MacroKind::Filter {
                kind
            } else {
                Type::unknown()
            },
        ))
    }

    fn fold(
        &mut self,
        expansion: &'a Macro,
        node: &'a Node,
        element_kind: &Type,
        elements: impl Iterator<Item = Result<Value<'a>, Fault>>,
    ) -> Result<Value<'a>, Failure> {
        let mut kept = Vec::new();
        let mut matched: u64 = 0;
        let mut failed = None;
        for element in elements {
            self.runtime.spend(1).map_err(|fault| fault.at(node.span))?;
            let element = element.map_err(|fault| fault.at(expansion.range.span))?;
            let element =
                declared(&mut self.runtime, element, element_kind).map_err(|fault| fault.at(expansion.range.span))?;
            if let Some(local) = self.locals.last_mut() {
                local.value = element.clone();
            }
            let holds = match expansion.condition.as_ref().map(|condition| self.condition(condition)) {
                Some(Ok(holds)) => holds,
                None => true,
                Some(Err(failure)) if is_absorbed(expansion.kind, &failure) => {
                    self.absorb(node)?;
                    failed.get_or_insert(failure);
                    continue;
                }
                Some(Err(failure)) => return Err(failure),
            };
            matched = matched.saturating_add(u64::from(holds));
            match (expansion.kind, holds) {
                (MacroKind::All, false) => return Ok(Value::Bool(false)),
                (MacroKind::Exists, true) => return Ok(Value::Bool(true)),
                (MacroKind::Filter | MacroKind::Map, true) => {
                    self.runtime.make_elements(1).map_err(|fault| fault.at(node.span))?;
                    kept.push(match &expansion.transform {
                        Some(transform) => self.value(transform)?,
                        None => element,
                    });
                }
                _ => {}
            }
        }
        match (expansion.kind, failed) {
            (_, Some(failure)) => Err(failure),
            (MacroKind::All, None) => Ok(Value::Bool(true)),
            (MacroKind::Exists, None) => Ok(Value::Bool(false)),
            (MacroKind::ExistsOne, None) => Ok(Value::Bool(matched == 1)),
            (MacroKind::Filter | MacroKind::Map, None) => Ok(Value::list(kept)),
        }
    }

    fn absorb(&mut self, node: &Node) -> Result<(), Failure> {
        self.runtime.spend(ABSORBED_FUEL).map_err(|fault| fault.at(node.span))
    }
}

/// `all` and `exists` go on after an error: a later element may decide.
fn is_absorbed(kind: MacroKind, failure: &Failure) -> bool {
    matches!(kind, MacroKind::All | MacroKind::Exists) && !failure.fault.is_final()
}

/// Data of a declared `number` is a double, however it is written; so is that of a declared list of them.
fn declared<'a>(runtime: &mut Runtime<'a>, value: Value<'a>, kind: &Type) -> Result<Value<'a>, Fault> {
    match (value, kind) {
        (Value::Int(int), Type::Double) => Ok(Value::Double(operators::to_double(int))),
        (Value::List(list), Type::List(element)) if **element == Type::Double => {
            runtime.make_elements(list.len())?;
            let elements: Result<Vec<_>, Fault> =
                list.iter().map(|number| declared(runtime, number?, element)).collect();
            Ok(Value::list(elements?))
        }
        (value, _) => Ok(value),
    }
}

fn constant(literal: &Literal) -> Value<'_> {
    match literal {
        Literal::Null => Value::Null,
        Literal::Bool(value) => Value::Bool(*value),
        Literal::Int(int) => Value::Int(*int),
        Literal::Double(double) => Value::Double(*double),
        Literal::String(text) => Value::String(Text::Borrowed(text)),
    }
}
