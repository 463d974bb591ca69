//! The tree of an expression. Macros stay nodes of their own: they are counted, checked and evaluated as written.

use super::error::Span;
use super::library::Function;
use super::pattern::Pattern;

#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) span: Span,
}

#[derive(Debug)]
pub(super) enum Kind {
    Literal(Literal),
    Name(String),
    Select {
        of: Box<Node>,
        member: String,
    },
    Index {
        of: Box<Node>,
        index: Box<Node>,
    },
    /// `has(of.member)`: the operand is a `Select` or an `Index`.
    Has(Box<Node>),
    /// `or(value, default)`: the default is evaluated only when it is needed.
    Or {
        value: Box<Node>,
        default: Box<Node>,
    },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    Not(Box<Node>),
    Negate(Box<Node>),
    Logic {
        is_and: bool,
        left: Box<Node>,
        right: Box<Node>,
    },
    Binary {
        operator: Operator,
        left: Box<Node>,
        right: Box<Node>,
    },
    Conditional {
        when: Box<Node>,
        then: Box<Node>,
        otherwise: Box<Node>,
    },
    /// `x.f(y)` is `f(x, y)`. `pattern` is the compiled form of a literal regular expression.
    Call {
        function: &'static Function,
        arguments: Vec<Node>,
        pattern: Option<Pattern>,
    },
    Macro(Box<Macro>),
}

#[derive(Debug)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    String(String),
}

/// `range.kind(variable, body)`.
#[derive(Debug)]
pub(super) struct Macro {
    pub(super) kind: MacroKind,
    pub(super) range: Node,
    pub(super) variable: String,
    /// The condition of `all`, `exists`, `exists_one`, `filter`, and of `map` with three arguments.
    pub(super) condition: Option<Node>,
    /// What `map` makes of an element.
    pub(super) transform: Option<Node>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MacroKind {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

impl MacroKind {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "all" => Self::All,
            "exists" => Self::Exists,
            "exists_one" | "existsOne" => Self::ExistsOne,
            "filter" => Self::Filter,
            "map" => Self::Map,
            _ => return None,
        })
    }
}

/// Names that the parser itself understands, for hints.
pub(super) const MACRO_NAMES: &[&str] = &["all", "exists", "exists_one", "filter", "has", "map", "or"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
}

impl Operator {
    /// The operator and how strongly it binds, of those between `&&` and the unary ones.
    pub(super) fn of(mark: &str) -> Option<(Self, u8)> {
        Some(match mark {
            "==" => (Self::Equal, 1),
            "!=" => (Self::NotEqual, 1),
            "<" => (Self::Less, 1),
            "<=" => (Self::LessOrEqual, 1),
            ">" => (Self::Greater, 1),
            ">=" => (Self::GreaterOrEqual, 1),
            "in" => (Self::In, 1),
            "+" => (Self::Add, 2),
            "-" => (Self::Subtract, 2),
            "*" => (Self::Multiply, 3),
            "/" => (Self::Divide, 3),
            "%" => (Self::Remainder, 3),
            _ => return None,
        })
    }

    pub(super) fn mark(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "in",
        }
    }
}

impl Node {
    /// The path that this spells from a name, `steps.a['b']` as `[steps, a, b]`; `None` if any part is computed.
    pub(super) fn path(&self) -> Option<Vec<&str>> {
        let mut path = Vec::new();
        let mut node = self;
        loop {
            match &node.kind {
                Kind::Name(name) => {
                    path.push(name.as_str());
                    path.reverse();
                    return Some(path);
                }
                Kind::Select { of, member } => {
                    path.push(member.as_str());
                    node = of;
                }
                Kind::Index { of, index } => {
                    path.push(index.literal_string()?);
                    node = of;
                }
                _ => return None,
            }
        }
    }

    pub(super) fn literal_string(&self) -> Option<&str> {
        match &self.kind {
            Kind::Literal(Literal::String(text)) => Some(text),
            _ => None,
        }
    }
}
