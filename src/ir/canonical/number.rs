//! Numbers as ECMAScript's `Number.prototype.toString` writes them.

/// Whole numbers below this are exact, and are written as they are.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Appends `number`, which must be finite: infinities and NaN have no canonical form and are kept out by whoever builds a
/// [`Value`](crate::model::Value).
pub(crate) fn write_number(out: &mut Vec<u8>, number: f64) {
    if number.abs() < EXACT && number.trunc() == number {
        // Minus zero is written 0 here too.
        write_integer(out, number as i64);
    } else {
        out.extend_from_slice(ryu_js::Buffer::new().format(number).as_bytes());
    }
}

/// Appends `number`, whose magnitude must be below 2^53.
pub(crate) fn write_integer(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}
