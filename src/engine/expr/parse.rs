//! Tokens to a tree, by recursive descent (CEL specification, "Syntax").
//!
//! Guarantees: time and stack are bounded by [`TEXT_BYTES_MAX`], [`NODES_MAX`] and [`BRACKETS_MAX`], whatever the
//! text. Not taken over from CEL, each with an error that says what to write instead: unsigned integers, bytes,
//! messages (`Type{…}`), a leading dot.

use super::ast::{Kind, Literal, Node, Operator};
use super::call;
use super::error::{Error, Span};
use super::names::{KEYWORDS, RESERVED};
use super::token::{Lexer, Token};

/// As the field's schema says (`EXPRESSION_BYTES_MAX` of the API).
pub(super) const TEXT_BYTES_MAX: usize = 2048;
/// Nodes of the tree. More than a person can read at once; bounds the recursion of all that walks the tree.
pub(super) const NODES_MAX: usize = 200;
/// Brackets in brackets: they cost stack but no node.
const BRACKETS_MAX: usize = 32;
/// Regular expressions in one text, since each may take milliseconds to compile, and the bytes of all of them, since
/// they are held as long as the definition.
const PATTERNS_MAX: usize = 4;
const PATTERN_BYTES_MAX: usize = 64 << 10;

/// The tree of `text`.
pub(super) fn parse(text: &str) -> Result<Node, Error> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Error::TooLong {
            bytes: text.len(),
            max: TEXT_BYTES_MAX,
        });
    }
    let mut parser = Parser::new(text)?;
    let node = parser.expression()?;
    match &parser.token {
        Token::End => Ok(node),
        _ => Err(parser.unexpected("an operator or the end")),
    }
}

pub(super) struct Parser<'t> {
    text: &'t str,
    lexer: Lexer<'t>,
    token: Token,
    span: Span,
    /// Where the last consumed token ended.
    end: usize,
    nodes: usize,
    brackets: usize,
    patterns: usize,
    pattern_bytes: usize,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Result<Self, Error> {
        let mut lexer = Lexer::new(text);
        let (token, span) = lexer.next()?;
        Ok(Self {
            text,
            lexer,
            token,
            span,
            end: 0,
            nodes: 0,
            brackets: 0,
            patterns: 0,
            pattern_bytes: 0,
        })
    }

    fn expression(&mut self) -> Result<Node, Error> {
        let when = self.logic(false)?;
        if !self.eat("?")? {
            return Ok(when);
        }
        let then = Box::new(self.logic(false)?);
        self.expect(":")?;
        let otherwise = Box::new(self.expression()?);
        let span = when.span.to(otherwise.span);
        self.node(
            Kind::Conditional {
                when: Box::new(when),
                then,
                otherwise,
            },
            span,
        )
    }

    fn logic(&mut self, is_and: bool) -> Result<Node, Error> {
        let mut left = if is_and { self.binary(1)? } else { self.logic(true)? };
        while self.eat(if is_and { "&&" } else { "||" })? {
            let right = if is_and { self.binary(1)? } else { self.logic(true)? };
            let span = left.span.to(right.span);
            left = self.node(
                Kind::Logic {
                    is_and,
                    left: Box::new(left),
                    right: Box::new(right),
                },
                span,
            )?;
        }
        Ok(left)
    }

    /// Operators that bind at least as strongly as `strength`, all of them from left to right.
    fn binary(&mut self, strength: u8) -> Result<Node, Error> {
        let mut left = self.unary()?;
        loop {
            let (Token::Mark(mark) | Token::Keyword(mark)) = self.token else {
                return Ok(left);
            };
            let Some((operator, binds)) = Operator::of(mark).filter(|(_, binds)| *binds >= strength) else {
                return Ok(left);
            };
            self.advance()?;
            let right = self.binary(binds.saturating_add(1))?;
            let span = left.span.to(right.span);
            left = self.node(
                Kind::Binary {
                    operator,
                    left: Box::new(left),
                    right: Box::new(right),
                },
                span,
            )?;
        }
    }

    fn unary(&mut self) -> Result<Node, Error> {
        let mut marks = Vec::new();
        while let Token::Mark(mark @ ("!" | "-")) = self.token {
            marks.push((mark, self.span));
            self.advance()?;
            // Counted here too: the nodes are made only after the operand.
            if self.nodes.saturating_add(marks.len()) > NODES_MAX {
                return Err(self.too_complex(self.span, "more than 200 operators, names and values"));
            }
        }
        let sign = marks.pop_if(|(mark, _)| *mark == "-" && matches!(self.token, Token::Integer(_) | Token::Double(_)));
        let mut operand = self.member(sign.map(|(_, span)| span))?;
        for (mark, span) in marks.into_iter().rev() {
            let span = span.to(operand.span);
            let operand_box = Box::new(operand);
            operand = self.node(
                if mark == "!" {
                    Kind::Not(operand_box)
                } else {
                    Kind::Negate(operand_box)
                },
                span,
            )?;
        }
        Ok(operand)
    }

    /// `sign` is the place of a minus that belongs to the number that follows.
    fn member(&mut self, sign: Option<Span>) -> Result<Node, Error> {
        let mut node = self.primary(sign)?;
        loop {
            if self.eat(".")? {
                node = self.selected(node)?;
            } else if self.is("[") {
                let index = Box::new(self.bracketed("[", "]", Self::expression)?);
                let span = Span {
                    end: self.end,
                    ..node.span
                };
                node = self.node(
                    Kind::Index {
                        of: Box::new(node),
                        index,
                    },
                    span,
                )?;
            } else if self.is("{") {
                return Err(self.syntax(node.span, "messages are not used here: write a map, {'key': value}"));
            } else {
                return Ok(node);
            }
        }
    }

    fn selected(&mut self, of: Node) -> Result<Node, Error> {
        let member = match &self.token {
            Token::Name(name) => name.clone(),
            Token::Keyword(word) => {
                return Err(self.syntax(self.span, &format!("`{word}` is a word of CEL: write x['{word}']")));
            }
            _ => return Err(self.unexpected("the name of a member")),
        };
        let name_span = self.span;
        self.advance()?;
        if self.is("(") {
            let mut arguments = self.bracketed("(", ")", |parser| parser.listed(")"))?;
            let span = Span {
                end: self.end,
                ..of.span
            };
            arguments.insert(0, of);
            return call::resolve(self, &member, name_span, span, arguments, true);
        }
        let span = of.span.to(name_span);
        self.node(
            Kind::Select {
                of: Box::new(of),
                member,
            },
            span,
        )
    }

    fn primary(&mut self, sign: Option<Span>) -> Result<Node, Error> {
        let span = self.span;
        let literal = match &self.token {
            Token::Integer(digits) => Literal::Int(self.integer(digits, sign.is_some())?),
            Token::Double(double) => Literal::Double(if sign.is_some() { -double } else { *double }),
            Token::String(text) => Literal::String(text.clone()),
            Token::Keyword("true") => Literal::Bool(true),
            Token::Keyword("false") => Literal::Bool(false),
            Token::Keyword("null") => Literal::Null,
            Token::Name(name) => {
                let name = name.clone();
                return self.name(name);
            }
            Token::Mark("(") => return self.bracketed("(", ")", Self::expression),
            Token::Mark("[") => {
                let elements = self.bracketed("[", "]", |parser| parser.listed("]"))?;
                return self.node(Kind::List(elements), Span { end: self.end, ..span });
            }
            Token::Mark("{") => {
                let entries = self.bracketed("{", "}", Self::entries)?;
                return self.node(Kind::Map(entries), Span { end: self.end, ..span });
            }
            _ => return Err(self.unexpected("a value")),
        };
        self.advance()?;
        self.node(Kind::Literal(literal), sign.unwrap_or(span).to(span))
    }

    fn name(&mut self, name: String) -> Result<Node, Error> {
        let span = self.span;
        if RESERVED.contains(&name.as_str()) && !KEYWORDS.contains(&name.as_str()) {
            return Err(self.syntax(span, &format!("`{name}` is a reserved word of CEL: it names nothing")));
        }
        self.advance()?;
        if !self.is("(") {
            return self.node(Kind::Name(name), span);
        }
        let arguments = self.bracketed("(", ")", |parser| parser.listed(")"))?;
        call::resolve(self, &name, span, Span { end: self.end, ..span }, arguments, false)
    }

    fn integer(&self, digits: &str, is_negative: bool) -> Result<i64, Error> {
        let (radix, bare) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
            Some(hex) => (16, hex),
            None => (10, digits),
        };
        let signed = if is_negative {
            format!("-{bare}")
        } else {
            bare.to_owned()
        };
        i64::from_str_radix(&signed, radix).map_err(|error| {
            let is_range = matches!(
                error.kind(),
                std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow
            );
            let message = if is_range {
                "this integer needs more than 64 bits"
            } else {
                "this is not a number"
            };
            self.syntax(self.span, message)
        })
    }

    /// Expressions between commas, up to `close`; a comma may stand before it.
    fn listed(&mut self, close: &str) -> Result<Vec<Node>, Error> {
        let mut nodes = Vec::new();
        while !self.is(close) {
            nodes.push(self.expression()?);
            if !self.eat(",")? {
                break;
            }
        }
        Ok(nodes)
    }

    fn entries(&mut self) -> Result<Vec<(Node, Node)>, Error> {
        let mut entries = Vec::new();
        while !self.is("}") {
            let key = self.expression()?;
            self.expect(":")?;
            entries.push((key, self.expression()?));
            if !self.eat(",")? {
                break;
            }
        }
        Ok(entries)
    }

    fn bracketed<T>(
        &mut self,
        open: &'static str,
        close: &'static str,
        inner: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.brackets = self.brackets.saturating_add(1);
        if self.brackets > BRACKETS_MAX {
            return Err(self.too_complex(self.span, "more than 32 brackets in each other"));
        }
        self.expect(open)?;
        let value = inner(self)?;
        self.expect(close)?;
        self.brackets = self.brackets.saturating_sub(1);
        Ok(value)
    }

    pub(super) fn node(&mut self, kind: Kind, span: Span) -> Result<Node, Error> {
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes > NODES_MAX {
            return Err(self.too_complex(span, "more than 200 operators, names and values"));
        }
        Ok(Node { kind, span })
    }

    /// Accounts for a compiled regular expression.
    pub(super) fn hold(&mut self, pattern_bytes: usize, span: Span) -> Result<(), Error> {
        self.patterns = self.patterns.saturating_add(1);
        self.pattern_bytes = self.pattern_bytes.saturating_add(pattern_bytes);
        if self.patterns > PATTERNS_MAX || self.pattern_bytes > PATTERN_BYTES_MAX {
            return Err(self.too_complex(span, "too many or too large regular expressions"));
        }
        Ok(())
    }

    fn advance(&mut self) -> Result<(), Error> {
        self.end = self.span.end;
        (self.token, self.span) = self.lexer.next()?;
        Ok(())
    }

    fn is(&self, mark: &str) -> bool {
        matches!(self.token, Token::Mark(found) if found == mark)
    }

    fn eat(&mut self, mark: &str) -> Result<bool, Error> {
        let is_there = self.is(mark);
        if is_there {
            self.advance()?;
        }
        Ok(is_there)
    }

    fn expect(&mut self, mark: &str) -> Result<(), Error> {
        if self.eat(mark)? {
            return Ok(());
        }
        Err(self.unexpected(&format!("`{mark}`")))
    }

    fn unexpected(&self, wanted: &str) -> Error {
        let found = match &self.token {
            Token::End => "the expression ends here".to_owned(),
            Token::Mark(".") => "nothing stands before the dot".to_owned(),
            _ => "this does not belong here".to_owned(),
        };
        self.syntax(self.span, &format!("{found}, {wanted} is expected"))
    }

    pub(super) fn syntax(&self, span: Span, message: &str) -> Error {
        Error::Syntax {
            at: span.place(self.text),
            message: message.to_owned(),
        }
    }

    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    fn too_complex(&self, span: Span, limit: &'static str) -> Error {
        Error::TooComplex {
            at: span.place(self.text),
            limit,
        }
    }
}
