//! Random CEL expressions within what both implementations know alike.
//!
//! Left out, because the `cel` crate differs on purpose or by mistake:
//! - it compares integers and doubles through a rounded double, we by mathematical value: no integers beyond 2^53
//!   are compared with doubles.
//! - the order of entries in its maps is random: no macros over maps, no rendered maps.
//! - it takes the calendar fields of a timestamp in the offset that it was written with, the specification in UTC: all
//!   timestamps are written in UTC.
//! - doubles are only built from small numbers, so that both print them alike.

use super::Bytes;

/// An expression of any type.
pub fn random(input: &mut Bytes<'_>) -> String {
    let mut grammar = Grammar { input };
    match grammar.input.below(10) {
        0 => grammar.int(3),
        1 => grammar.double(2),
        2 => grammar.text(2),
        3 => grammar.list(2),
        4 | 5 => grammar.converted(),
        _ => grammar.boolean(4),
    }
}

struct Grammar<'a, 'b> {
    input: &'a mut Bytes<'b>,
}

const RELATIONS: &[&str] = &["==", "!=", "<", "<=", ">", ">="];
const FIELDS: &[&str] = &[
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
];

impl Grammar<'_, '_> {
    fn one(&mut self, of: &[&'static str]) -> &'static str {
        of[self.input.below(of.len())]
    }

    /// Whether to stop here: always at depth 0, and where the input ends.
    fn leaf(&mut self, depth: u8) -> bool {
        depth == 0 || self.input.is_empty() || self.input.byte() & 1 == 0
    }

    fn small(&mut self) -> String {
        (i64::from(self.input.byte() % 25) - 5).to_string()
    }

    fn int(&mut self, depth: u8) -> String {
        if self.leaf(depth) {
            return match self.input.below(6) {
                0 => "9223372036854775807".to_owned(),
                1 => "size(context.l)".to_owned(),
                2 => "context.s.size()".to_owned(),
                3 => "int(context.n)".to_owned(),
                _ => self.small(),
            };
        }
        match self.input.below(3) {
            0 => {
                let (a, op, b) = (self.int(depth - 1), self.one(&["+", "-", "*", "/", "%"]), self.int(depth - 1));
                format!("({a} {op} {b})")
            }
            1 => {
                let (c, a, b) = (self.boolean_leaf(), self.int(depth - 1), self.int(depth - 1));
                format!("({c} ? {a} : {b})")
            }
            _ => format!("[7, 8, 9][{}]", self.int(depth - 1)),
        }
    }

    fn double(&mut self, depth: u8) -> String {
        if self.leaf(depth) {
            return match self.input.below(6) {
                0 => "context.n".to_owned(),
                1 => "context.half".to_owned(),
                2 => "context.l[0]".to_owned(),
                3 => "context.missing".to_owned(),
                _ => format!("{}.5", self.input.byte() % 9),
            };
        }
        let (a, op, b) = (self.double(depth - 1), self.one(&["+", "-", "*"]), self.double(depth - 1));
        format!("({a} {op} {b})")
    }

    fn text(&mut self, depth: u8) -> String {
        if self.leaf(depth) {
            let leaves = ["''", "'a'", "'h'", "'ll'", "'héllo'", "\"x\\ty\"", "r'\\n'"];
            let paths = ["context.s", "context.m.k", "context.w[1]", "context.m['gone']"];
            return self.one(&[&leaves[..], &paths].concat()).to_owned();
        }
        if self.input.byte() & 1 == 0 {
            format!("string({})", self.small())
        } else {
            format!("({} + {})", self.text(depth - 1), self.text(depth - 1))
        }
    }

    fn boolean_leaf(&mut self) -> String {
        let leaves = [
            "true",
            "false",
            "context.b",
            "has(context.s)",
            "has(context.nope)",
            "has(context.m.d)",
            "has(context.nope.x)",
            "context.z == null",
            "context.gone",
            "1 / 0 == 1",
            "'k' in context.m",
            "2.0 in context.l",
            "'a' in context.w",
        ];
        self.one(&leaves).to_owned()
    }

    fn boolean(&mut self, depth: u8) -> String {
        if self.leaf(depth) {
            return self.comparison();
        }
        let deeper = depth - 1;
        match self.input.below(4) {
            0 => format!("({} && {} && {})", self.boolean(deeper), self.boolean(deeper), self.boolean(deeper)),
            1 => format!("({} || {})", self.boolean(deeper), self.boolean(deeper)),
            2 => format!("!({})", self.boolean(deeper)),
            _ => format!("({} ? {} : {})", self.boolean(deeper), self.boolean(deeper), self.boolean(deeper)),
        }
    }

    fn comparison(&mut self) -> String {
        let relation = self.one(RELATIONS);
        match self.input.below(12) {
            0 => self.boolean_leaf(),
            1 => format!("{} {relation} {}", self.int(3), self.int(3)),
            2 => format!("{} {relation} {}", self.double(2), self.double(2)),
            3 => format!("{} {relation} {}", self.double(2), self.small()),
            4 => format!("{} {relation} {}", self.text(2), self.text(2)),
            5 => {
                let (a, f, b) = (self.text(2), self.one(&["startsWith", "endsWith", "contains"]), self.text(2));
                format!("{a}.{f}({b})")
            }
            6 => format!("{} in {}", self.int(3), self.list(2)),
            7 => format!("{} {relation} {}", self.unsigned(2), self.unsigned(2)),
            8 => format!("{} {relation} {}", self.time(), self.time()),
            9 => {
                let (a, op, b) = (self.small(), self.one(&["==", "!=", "<", ">="]), self.unsigned(2));
                format!("dyn({a}) {op} {b}")
            }
            10 => {
                let (l, f, n) = (self.list(2), self.one(&["all", "exists", "exists_one"]), self.small());
                format!("{l}.{f}(x, 6 / x > {n})")
            }
            _ => {
                let f = self.one(&["all", "exists", "exists_one"]);
                format!("context.l.{f}(x, context.l.exists(y, y > x) || x == 2.0)")
            }
        }
    }

    fn unsigned(&mut self, depth: u8) -> String {
        if self.leaf(depth) {
            return match self.input.below(3) {
                0 => "18446744073709551615u".to_owned(),
                1 => format!("uint({})", self.small()),
                _ => format!("{}u", self.input.byte() % 9),
            };
        }
        let (a, op, b) = (self.unsigned(depth - 1), self.one(&["+", "-", "*", "/", "%"]), self.unsigned(depth - 1));
        format!("({a} {op} {b})")
    }

    fn time(&mut self) -> String {
        let mut out = self
            .one(&[
                "(timestamp('2009-02-13T23:31:30Z')",
                "(timestamp('2009-02-14T00:31:30.25Z')",
                "(timestamp('2000-02-29T12:00:00Z')",
                "(timestamp('1969-12-31T23:59:59Z')",
                "(timestamp('not a time')",
            ])
            .to_owned();
        for _ in 0..self.input.below(3) {
            let (op, span) = (self.one(&[" + ", " - "]), self.span());
            out.push_str(op);
            out.push_str(&span);
        }
        out.push(')');
        out
    }

    fn span(&mut self) -> String {
        format!("duration('{}')", self.one(&["1h", "90m", "-1.5s", "250ms", "36h15m", "0s", "1x"]))
    }

    /// Numbers made of values of other types.
    fn converted(&mut self) -> String {
        match self.input.below(11) {
            0 => format!("{}.{}()", self.time(), self.one(FIELDS)),
            1 => format!("{}.{}('Europe/Berlin')", self.time(), self.one(FIELDS)),
            2 => format!("{}.{}()", self.span(), self.one(&["getHours", "getMinutes", "getSeconds"])),
            3 => format!("int({})", self.time()),
            4 => format!("({} - {}).getSeconds()", self.time(), self.time()),
            5 => format!("int({})", self.text(2)),
            6 => format!("int('{}')", self.small()),
            7 => format!("int({})", self.unsigned(2)),
            8 => format!("int({})", self.double(2)),
            9 => format!("uint({})", self.int(3)),
            _ => self.unsigned(2),
        }
    }

    fn list(&mut self, depth: u8) -> String {
        if self.leaf(depth) {
            let items: Vec<String> = (0..self.input.below(4)).map(|_| self.int(3)).collect();
            return format!("[{}]", items.join(", "));
        }
        let inner = self.list(depth - 1);
        match self.input.below(4) {
            0 => format!("({inner} + {})", self.list(depth - 1)),
            1 => format!("{inner}.map(x, x * 2)"),
            2 => format!("{inner}.filter(x, x % 2 == 0)"),
            _ => format!("{inner}.map(x, x > 1, x - 1)"),
        }
    }
}
