//! Exact decimal numbers with a suffix: the grammar every quantity shares.

/// `digits`, optionally `.digits`, then whatever follows. Held exactly: `mantissa / 10^scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal<'a> {
    mantissa: u128,
    scale: u32,
    /// Everything after the number, uninterpreted.
    pub(super) suffix: &'a str,
}

impl<'a> Decimal<'a> {
    /// Splits a text that starts with an unsigned decimal number.
    ///
    /// `None` for no digit in front, a point without digits after it, or more digits than are held
    /// exactly. Only ASCII digits count.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let whole = leading_digits(text);
        if whole.is_empty() {
            return None;
        }
        let rest = &text[whole.len()..];
        let (fraction, suffix) = match rest.strip_prefix('.') {
            None => ("", rest),
            Some(after) => {
                let fraction = leading_digits(after);
                if fraction.is_empty() {
                    return None;
                }
                (fraction, &after[fraction.len()..])
            }
        };
        let mut mantissa: u128 = 0;
        for digit in whole.bytes().chain(fraction.bytes()) {
            mantissa = mantissa.checked_mul(10)?.checked_add(u128::from(digit - b'0'))?;
        }
        Some(Self { mantissa, scale: u32::try_from(fraction.len()).ok()?, suffix })
    }

    /// The number times `unit`, when that is a whole number that fits.
    pub(super) fn times(self, unit: u64) -> Option<u64> {
        let product = self.mantissa.checked_mul(u128::from(unit))?;
        let divisor = 10_u128.checked_pow(self.scale)?;
        if product % divisor != 0 {
            return None;
        }
        u64::try_from(product / divisor).ok()
    }
}

fn leading_digits(text: &str) -> &str {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    &text[..end]
}
